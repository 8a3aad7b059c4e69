"""The scripted OpenAI-compatible server; its public names are those of ``clinhallu_gate.testing``."""
