"""What goes wrong between the gate and a DICOMweb server; no words of the server's, and no UID, is in any message."""

from typing import Final

USER, PASSWORD, TOKEN = (f"CLINHALLU_GATE_DICOMWEB_{name}" for name in ("USER", "PASSWORD", "TOKEN"))
#: How a server is told who asks.
CREDENTIALS: Final = f"set {USER} and {PASSWORD}, or {TOKEN}"


class Fault(Exception):
    """One thing cannot be had from the server; the message says why, after "the server".

    Args:
        text: In our own words.
        strained: The server itself is in trouble, after several attempts or a long wait.
    """

    def __init__(self, text: str, *, strained: bool = False) -> None:
        super().__init__(text)
        self.strained = strained


class ServerUnusable(Exception):
    """Nothing can be had from the server: it is not there, does not let us in, or is not who it should be."""
