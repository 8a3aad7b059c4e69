"""UIDs that stand for others: the same for the same one wherever it occurs; without the site's key none can be told."""

import hashlib
import hmac

from pydicom import config
from pydicom.uid import UID


def made_uid(uid: str, key: bytes) -> UID:
    """Return the UID that stands for ``uid``: a UUID under 2.25 (PS3.5 B.2), of its HMAC-SHA256.

    >>> made_uid("1.2.3", b"k") == made_uid("1.2.3 ", b"k") != made_uid("1.2.4", b"k")
    True
    """
    digest = hmac.new(key, b"uid/" + uid.strip(" \0").encode("utf-8", "surrogateescape"), hashlib.sha256).digest()[:16]
    number = int.from_bytes(digest, "big")
    number = number & ~(0xF << 76) | 8 << 76  # version 8 of RFC 9562: of a form of its own
    return UID(f"2.25.{number & ~(3 << 62) | 2 << 62}")


def is_registered(uid: str) -> bool:
    """Whether the standard defines a UID, so that it tells of no study."""
    return bool(UID(uid.strip(" \0"), config.IGNORE).type)
