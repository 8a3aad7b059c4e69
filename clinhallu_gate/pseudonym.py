"""Names that stand for patients' instances outside the site: the same each time, and told from none without its key."""

import hashlib
import hmac
import os
import secrets
import shlex
from pathlib import Path
from typing import Final

from clinhallu_gate.errors import BadInput

SITE_KEY: Final = "CLINHALLU_GATE_SITE_KEY"
"""Environment variable that names the file of the site's key."""
DEFAULT_FILE: Final = "~/.config/clinhallu-gate/site.key"
SHORTEST: Final = 32
"""Bytes of a key. A made one is 64 hexadecimal digits: 256 bits."""
_OTHERS: Final = 0o077
_DIGITS: Final = 16
"""Of a pseudonym: 64 bits. Two of 7,031 instances get the same one with a probability of 1e-12."""


def pseudonym(uid: str, key: bytes) -> str:
    """Return what stands for an instance: the first 16 hexadecimal digits of HMAC-SHA256 of its uid."""
    return hmac.new(key, uid.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:_DIGITS]


def site_key(*, create: bool = False) -> bytes:
    """Return the site's key.

    Args:
        create: Make a key, readable by its owner alone, where there is none yet.

    Raises:
        BadInput: There is none, it cannot be read or made, others may read it, or it is too short.
    """
    named = os.environ.get(SITE_KEY) or DEFAULT_FILE
    try:
        file = Path(named).expanduser()
        if create and not file.exists():
            _make(file)
        key, others = file.read_bytes().strip(), file.stat().st_mode & _OTHERS
    except FileNotFoundError:
        raise BadInput(f"{SITE_KEY}: {named}: no such file. It is made when patients' data are first loaded.") from None
    except (OSError, RuntimeError) as error:  # RuntimeError: no home folder
        raise BadInput(f"{SITE_KEY}: {named}: cannot be read or made: {error}.") from None
    if others:
        raise BadInput(
            f"{SITE_KEY}: {named}: others may read it, and could tell whom pseudonyms stand for. "
            f"Try: chmod 600 {shlex.quote(named)}"
        )
    if len(key) < SHORTEST:
        raise BadInput(f"{SITE_KEY}: {named}: {len(key)} bytes are too short for a key. Valid: {SHORTEST} or more.")
    return key


def _make(file: Path) -> None:
    """Write a new key in one step; of several who try at once, the first one's stays."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
        opened.write(f"{secrets.token_hex(32)}\n")
    try:
        os.link(part, file)
    except FileExistsError:
        pass
    finally:
        part.unlink()
