"""The file of a frozen list: names and digests of instances that tell nothing of a patient without the site's key."""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from clinhallu_gate.errors import BadInput
from clinhallu_gate.pseudonym import SITE_KEY, pseudonym
from clinhallu_gate.records import Record

KIND: Final = "clinhallu-gate frozen list"
_FINGERPRINT: Final = "fingerprint of the site's key"


class FrozenSet(Record):
    """The instances of one data set."""

    name: str
    instances: Mapping[str, str]
    """Digest of the content under the site's key, by id; of patients both tell nothing without that key."""
    together: tuple[tuple[str, ...], ...]
    """Ids of those that share a patient or an image; the others are alone."""


class FrozenFile(Record):
    """What the file says."""

    schema_version: Literal[1] = 1
    what: Literal["clinhallu-gate frozen list"] = KIND
    site_key: str | None
    """Fingerprint of the key; None of data without patients."""
    since: date | None = None
    until: date | None = None
    """The studies that it was made of, as options said; they are not those of single rows."""
    datasets: tuple[FrozenSet, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Frozen:
    """A list with the key that it was made under."""

    file: str
    sha256: str
    key: bytes
    """Empty of data without patients."""
    digests: Mapping[str, Mapping[str, str]]
    """By data set and id."""
    together: Mapping[str, tuple[tuple[str, ...], ...]]
    """By data set: which share a patient or an image."""

    def name_of(self, uid: str) -> str | None:
        """Return what an instance is called on the list; None if it is not there."""
        dataset, _, plain = uid.partition("/")
        listed = self.digests.get(dataset, {})
        return next((name for name in (pseudonym(uid, self.key), plain) if name in listed), None)


def fingerprint(key: bytes) -> str:
    """Return what tells keys apart and tells nothing of them."""
    return pseudonym(_FINGERPRINT, key)


def write_frozen(path: Path, content: FrozenFile) -> None:
    """Write a new file that its owner alone may read. Raises ``BadInput`` if there is one, or it cannot be written."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(content.model_dump_json(indent=1) + "\n")
    except FileExistsError:
        raise BadInput(f"--out: {path} is there already; name another file.") from None
    except OSError as error:
        raise BadInput(f"--out: {path} cannot be written: {error.strerror or error}.") from None


def read_frozen(path: Path, key: Callable[[], bytes]) -> Frozen:
    """Return a frozen list. Raises ``BadInput`` for a file that is none, and for one of another site's key."""
    try:
        data = path.read_bytes()
        content = FrozenFile.model_validate_json(data)
    except OSError as error:
        raise BadInput(f"--frozen: {path} cannot be read: {error.strerror or error}.") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        said = f"{place}: {first['msg']}"
        raise BadInput(f"--frozen: {path} is no list that clinhallu-gate freeze wrote: {said}.") from None
    secret = b"" if content.site_key is None else key()
    if content.site_key is not None and fingerprint(secret) != content.site_key:
        raise BadInput(
            f"--frozen: {path} was frozen under another site's key ({content.site_key[:8]}, not "
            f"{fingerprint(secret)[:8]}), so its names stand for nobody here. Name that key's file in {SITE_KEY}, or "
            "freeze anew."
        )
    return Frozen(
        file=str(path),
        sha256=hashlib.sha256(data).hexdigest(),
        key=secret,
        digests={one.name: one.instances for one in content.datasets},
        together={one.name: one.together for one in content.datasets},
    )
