"""``--data dicomweb+http://HOST:PORT/PATH#MANIFEST``: which server, and which manifest names what it holds."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from clinhallu_gate.datasets.dicomweb.faults import CREDENTIALS
from clinhallu_gate.egress import host_of
from clinhallu_gate.errors import BadInput, about

PREFIX: Final = "dicomweb+"
"""How a name begins that is a server's, and no file's."""
_VALID: Final = "Valid: dicomweb+http://HOST:PORT/PATH#MANIFEST, or dicomweb+https"


@dataclass(frozen=True, slots=True)
class DicomwebSpec:
    """A server and a manifest."""

    url: str
    """Where the server's services are, without a slash at the end."""
    manifest: str
    """Path of the manifest, as one would give it to ``--data``."""


def dicomweb_spec(spec: str, *, option: str = "--data") -> DicomwebSpec | None:
    """Read what ``option`` says if it names a server; None if it names none.

    Raises:
        BadInput: It names one and cannot be read. Of an address that may hold a password nothing is told.
    """
    if not spec.startswith(PREFIX):
        return None
    address, _, manifest = spec.removeprefix(PREFIX).partition("#")
    if "@" in address:
        said = f"dicomweb+...: no user or password belongs in the address; {CREDENTIALS}."
        raise BadInput(about(option, said))
    host_of(address, option=option)
    if urlsplit(address).scheme not in ("http", "https"):
        raise BadInput(about(option, f"{spec}: is no address of a DICOMweb server. {_VALID}."))
    if "?" in address:
        raise BadInput(about(option, f"{spec}: an address takes no query. {_VALID}."))
    if not manifest:
        raise BadInput(about(option, f"{spec}: names no manifest behind '#'. {_VALID}."))
    return DicomwebSpec(address.rstrip("/"), manifest)
