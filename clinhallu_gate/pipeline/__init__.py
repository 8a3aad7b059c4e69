"""From options to a run folder: prepare, plan, evaluate, decide, write."""
