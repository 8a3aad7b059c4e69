"""A frame as a model sees it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture, and how it was drawn."""

    png: bytes
    """8 bits, grey or RGB, without metadata; the same input gives the same bytes (with one build of Pillow)."""
    window: str
    """Which window was used."""
    steps: tuple[str, ...]
    """What else was done, in order."""
