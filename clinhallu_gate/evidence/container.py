"""The archive as bytes: a ZIP in exactly one form, so that the same files give the same archive everywhere.

Members are stored, not compressed: what a compressor writes depends on its version, and an archive that is as large as
what it holds cannot burst. Times, modes and versions are constants, names are sorted, nothing stands between or behind.
"""

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from clinhallu_gate.errors import BadInput

#: Bytes of an archive; beyond 4 GiB a ZIP has another form, which this one is not.
LARGEST: Final = 0xFFFF_0000
MOST_MEMBERS: Final = 0xFFFE
LONGEST_NAME: Final = 255
CHUNK: Final = 1 << 20
_LARGEST_DIRECTORY: Final = 32 << 20
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")
_LOCAL_MARK: Final = b"PK\x03\x04"
_CENTRAL_MARK: Final = b"PK\x01\x02"
_END_MARK: Final = b"PK\x05\x06"
_VERSION: Final = 20
_MADE_BY: Final = 3 << 8 | _VERSION
"""On Unix, so that modes are read."""
_UTF8: Final = 0x800
_ENCRYPTED: Final = 0x2041
"""Encrypted, strongly encrypted, or with a hidden directory."""
_DAY: Final = 1 << 5 | 1
"""1 January 1980, the first day that a ZIP can name."""
_MODE: Final = 0o100644
_KIND: Final = 0o170000
_REGULAR: Final = 0o100000


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive, and how its content is read."""

    name: str
    size: int
    crc: int
    chunks: Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an archive holds a member."""

    name: str
    start: int
    """Of the content."""
    size: int

    def chunks(self, file: BinaryIO) -> Iterator[bytes]:
        """Yield the content."""
        for at in range(0, self.size, CHUNK):
            file.seek(self.start + at)  # each time: the file may be read elsewhere in between
            yield file.read(min(CHUNK, self.size - at))


def name_trouble(name: str) -> str | None:
    """Say why ``name`` cannot be the name of a member; None if it can."""
    if not name or len(name.encode("utf-8", "surrogatepass")) > LONGEST_NAME:
        return f"has no name of 1 to {LONGEST_NAME} bytes"
    if not name.isprintable():
        return "has a name with hidden signs"
    if name.startswith("/") or name[1:2] == ":" or "\\" in name:
        return "is no relative name with / between folders"
    if not {"", ".", ".."}.isdisjoint(name.split("/")):
        return "leads elsewhere, or is a folder"
    return None


# --- writing ----------------------------------------------------------------------------------------------------------


def written(members: Sequence[Member]) -> Iterator[bytes]:
    """Yield the bytes of the one archive that holds these members.

    Raises:
        BadInput: They are too many or too large.
    """
    members = sorted(members, key=lambda member: member.name.encode())
    _demand_room(members)
    directory, offset = list[bytes](), 0
    for member in members:
        head = _local_head(member)
        directory.append(_central_head(member, offset))
        offset += len(head) + member.size
        yield head
        yield from member.chunks()
    yield from directory
    count = len(members)
    yield _END.pack(_END_MARK, 0, 0, count, count, sum(map(len, directory)), offset, 0)


def _demand_room(members: Sequence[Member]) -> None:
    size = sum(member.size for member in members)
    if len(members) > MOST_MEMBERS or size > LARGEST - _LARGEST_DIRECTORY:
        raise BadInput(
            f"{len(members):,} files of {size:,} bytes are too many for one archive. "
            f"Valid: {MOST_MEMBERS:,} files of {LARGEST - _LARGEST_DIRECTORY:,} bytes together."
        )


def _local_head(member: Member) -> bytes:
    name = member.name.encode()
    return _LOCAL.pack(_LOCAL_MARK, *_common(member), len(name), 0) + name


def _central_head(member: Member, offset: int) -> bytes:
    name = member.name.encode()
    return (
        _CENTRAL.pack(
            *(_CENTRAL_MARK, _MADE_BY, *_common(member), len(name)),
            *(0, 0, 0, 0, _MODE << 16, offset),
        )
        + name
    )


def _common(member: Member) -> tuple[int, ...]:
    """Return what both heads say: version, flags, method, time, day, checksum, and the size twice."""
    return (_VERSION, _UTF8, 0, 0, _DAY, member.crc, member.size, member.size)


# --- reading ----------------------------------------------------------------------------------------------------------


def places(file: BinaryIO, path: Path) -> list[Place]:
    """Return the members of an archive, as its directory names them.

    Nothing is unpacked, and no more is read than the directory and the heads.

    Raises:
        BadInput: It is no ZIP, or holds what may not be in one of ours: names that lead elsewhere or occur twice,
            links, folders, encrypted or compressed content, content beyond its own size.
    """
    size = file.seek(0, 2)
    if size > LARGEST:
        raise BadInput(f"{path}: is too large: {size:,} bytes. Valid: at most {LARGEST:,}.")
    heads = list(_heads(_directory(file, size, path), path))
    _refuse_twins([head.name for head in heads], path)
    if sum(head.size for head in heads) > size:
        raise BadInput(f"{path}: its members say that they are larger than the archive.")
    return [_place(file, head, size, path) for head in heads]


def _directory(file: BinaryIO, size: int, path: Path) -> bytes:
    file.seek(max(0, size - _END.size))
    end = file.read(_END.size)
    if len(end) < _END.size or end[:4] != _END_MARK:
        raise BadInput(f"{path}: is no evidence archive: its last {_END.size} bytes are not the end of a ZIP.")
    length, offset = _END.unpack(end)[5:7]
    if length > _LARGEST_DIRECTORY or offset + length + _END.size != size:
        raise BadInput(f"{path}: is no evidence archive: its ZIP directory is not where its end says.")
    file.seek(offset)
    return file.read(length)


@dataclass(frozen=True, slots=True)
class _Head:
    name: str
    size: int
    offset: int


def _heads(directory: bytes, path: Path) -> Iterator[_Head]:
    at = 0
    while at < len(directory):
        if len(directory) - at < _CENTRAL.size or directory[at : at + 4] != _CENTRAL_MARK:
            raise BadInput(f"{path}: is no evidence archive: its ZIP directory cannot be read at its byte {at}.")
        fields = _CENTRAL.unpack_from(directory, at)
        _, _, _, flags, method, _, _, _, packed, size, length, extra, comment, _, _, mode, offset = fields
        at += _CENTRAL.size
        name = directory[at : at + length].decode("utf-8", "surrogateescape")
        at += length + extra + comment
        if trouble := name_trouble(name) or _content_trouble(flags, method, mode >> 16, sizes=(packed, size)):
            raise BadInput(f"{path}: member {name!r} {trouble}.")
        yield _Head(name, size, offset)


def _content_trouble(flags: int, method: int, mode: int, *, sizes: tuple[int, int]) -> str | None:
    if flags & _ENCRYPTED:
        return "is encrypted"
    if method or sizes[0] != sizes[1]:
        return "is compressed, and evidence is stored as it is"
    if mode & _KIND not in (0, _REGULAR):
        return "is no regular file but a link or the like"
    return None


def _refuse_twins(names: Iterable[str], path: Path) -> None:
    seen = set[str]()
    for name in names:
        if name in seen:
            raise BadInput(f"{path}: member {name!r} occurs twice.")
        seen.add(name)


def _place(file: BinaryIO, head: _Head, size: int, path: Path) -> Place:
    file.seek(head.offset)
    local = file.read(_LOCAL.size)
    if len(local) < _LOCAL.size or local[:4] != _LOCAL_MARK:
        raise BadInput(f"{path}: member {head.name!r} is not where the ZIP directory says.")
    length, extra = _LOCAL.unpack(local)[-2:]
    start = head.offset + _LOCAL.size + length + extra
    if start + head.size > size:
        raise BadInput(f"{path}: member {head.name!r} ends behind the end of the archive.")
    return Place(head.name, start, head.size)


def checksum(chunks: Iterable[bytes]) -> int:
    """Return the CRC-32 of a content."""
    crc = 0
    for chunk in chunks:
        crc = zlib.crc32(chunk, crc)
    return crc
