"""Judges: what says whether a stage is grounded and an answer correct."""
