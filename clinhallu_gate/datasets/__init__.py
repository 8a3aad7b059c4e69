"""Data: from a name or a path to instances."""
