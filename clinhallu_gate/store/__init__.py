"""Keeps every finished reply under its content address, so that a killed run resumes and a repeated one is free."""

from clinhallu_gate.store.sqlite import SqliteStore

__all__ = ["SqliteStore"]
