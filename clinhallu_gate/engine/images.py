"""Images as content parts of a request, each encoded once."""

from base64 import b64encode
from collections import OrderedDict
from hashlib import sha256
from typing import Final

import orjson

from clinhallu_gate.errors import EvaluationFailed
from clinhallu_gate.records import Image

#: Enough for the images of some hundred instances in flight; the memory of a run does not grow beyond it.
CACHE_BYTES: Final = 64 * 2**20


class ImageParts:
    """A cache of encoded images by digest, bounded in bytes; the least recently used goes first.

    Images are ``named`` by their digest for servers that know it as the image's identity: vLLM.
    """

    def __init__(self, *, cache_bytes: int = CACHE_BYTES, named: bool = True) -> None:
        self._named = named
        self._parts: OrderedDict[str, orjson.Fragment] = OrderedDict()
        self._sizes: dict[str, int] = {}
        self._left = cache_bytes

    def __call__(self, image: Image) -> orjson.Fragment:
        """Return the ``image_url`` part as finished JSON, so that its base64 is not escaped again for every call.

        Raises ``EvaluationFailed`` if the image cannot be read, or is not the one whose digest the record bears: the
        content address would speak of another picture.
        """
        part = self._parts.get(image.sha256)
        if part is not None:
            self._parts.move_to_end(image.sha256)
            return part
        encoded = _encoded(image, named=self._named)
        part = orjson.Fragment(encoded)
        self._parts[image.sha256] = part
        self._sizes[image.sha256] = len(encoded)
        self._left -= len(encoded)
        self._shrink()
        return part

    def _shrink(self) -> None:
        while self._left < 0 and len(self._parts) > 1:
            digest, _ = self._parts.popitem(last=False)
            self._left += self._sizes.pop(digest)


def _encoded(image: Image, *, named: bool) -> bytes:
    try:
        data = image.read()
    except OSError as error:
        raise EvaluationFailed(f"image {image.sha256[:12]} cannot be read", f": {error}") from error
    if sha256(data).hexdigest() != image.sha256:
        where = f": {image.path}" if image.path else ""
        raise EvaluationFailed(f"image {image.sha256[:12]} has changed since the data were loaded", where)
    # vLLM takes `uuid` as the image's identity in its caches and then need not hash the pixels.
    name = b',"uuid":"%b"' % image.sha256.encode() if named else b""
    url = b"data:%b;base64,%b" % (image.media_type.encode(), b64encode(data))
    return b'{"type":"image_url","image_url":{"url":"%b"}%b}' % (url, name)
