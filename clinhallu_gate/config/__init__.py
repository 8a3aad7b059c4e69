"""What comes from files of settings: the model registry."""

from clinhallu_gate.config.registry import ModelDefaults, ModelEntry, registry_names, resolve_model

__all__ = ["ModelDefaults", "ModelEntry", "registry_names", "resolve_model"]
