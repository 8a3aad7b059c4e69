"""How bytes can be read: as text in several encodings and escapes, and as what is packed in them."""

import base64
import binascii
import html
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_plus

import pyarrow as pa
import pyarrow.parquet as pq

#: How deep things may be packed in one another.
DEEPEST: Final = 4
#: No more than this is unpacked of one stream: a bomb is no report.
LARGEST: Final = 64 << 20
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")
_HEX: Final = re.compile(rb"[0-9a-fA-F]+")
_ZLIB: Final = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_ESCAPED: Final = re.compile(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})|\\[nrt]")
_GZIP: Final = b"\x1f\x8b\x08"
_PARQUET: Final = b"PAR1"
_ZIP: Final = b"PK\x03\x04"
_SAMPLE: Final = 1 << 12


def texts(data: bytes) -> Iterator[str]:
    """Yield ``data`` as text: UTF-8, UTF-16 where it looks so, and without the escapes of HTML, JSON and addresses."""
    plain = data.decode("utf-8", "replace")
    yield plain
    if "\0" in plain[:_SAMPLE]:
        for encoding in ("utf-16-le", "utf-16-be"):
            yield data.decode(encoding, "replace")
    if "\ufffd" in plain:
        yield data.decode("latin-1")
    if "&" in plain or "%" in plain or "\\" in plain:
        yield unescaped(plain)


def unescaped(text: str) -> str:
    """Return a text without the escapes of HTML, JSON, Python and addresses."""
    read = _ESCAPED.sub(_letter, text) if "\\" in text else text
    read = html.unescape(read) if "&" in read else read
    return unquote_plus(read) if "%" in read else read


def _letter(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else " "


def packed(data: bytes) -> Iterator[bytes]:
    """Yield what is packed in ``data``: members of archives, columns of tables, compressed streams, base64."""
    if data.startswith(_PARQUET):
        yield from _cells(data)
    elif data.startswith(_ZIP):
        yield from _members(data)
    elif data.startswith(_GZIP):
        yield from _inflated(data, wbits=31)
    elif b"\0" in data[:_SAMPLE] or data.startswith(b"%PDF"):  # images and the like; text holds no such streams
        for match in _ZLIB.finditer(data):
            yield from _inflated(data[match.start() :], wbits=15)
    else:
        yield from _decoded(data)


def _cells(data: bytes) -> Iterator[bytes]:
    """Yield the texts of a table, each once: names of columns, metadata, cells."""
    try:
        table = pq.read_table(io.BytesIO(data))
    except (pa.ArrowException, OSError):
        return
    yield repr((table.schema.names, table.schema.metadata)).encode()
    for column in table.columns:
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            yield "\n".join(cell for cell in column.unique().to_pylist() if cell is not None).encode()
        elif not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            yield repr(column.to_pylist()).encode()


def _members(data: bytes) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield "\n".join(archive.namelist()).encode()
            for member in archive.infolist():
                with archive.open(member) as opened:
                    yield opened.read(LARGEST)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, zlib.error):
        return


def _inflated(data: bytes, *, wbits: int) -> Iterator[bytes]:
    try:
        yield zlib.decompressobj(wbits).decompress(data, LARGEST)
    except zlib.error:
        return


def _decoded(data: bytes) -> Iterator[bytes]:
    for match in _BASE64.finditer(data):
        run = match[0].rstrip(b"=")
        if _HEX.fullmatch(run):  # a digest
            continue
        try:
            yield base64.b64decode(run + b"=" * (-len(run) % 4), altchars=b"-_" if b"-" in run or b"_" in run else None)
        except binascii.Error:
            continue
