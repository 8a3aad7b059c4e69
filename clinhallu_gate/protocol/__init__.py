"""Protocols: what the model is asked, and how its reply is read; data, not code."""
