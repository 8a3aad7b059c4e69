"""Phantoms: synthetic studies whose facts are known, so that gold traces are exact and an oracle can judge."""
