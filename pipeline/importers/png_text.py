"""The texts that a PNG file carries, read chunk by chunk and never unpacked beyond a limit.

Source: https://www.w3.org/TR/png-3/, 5.3 (chunk layout) and 11.3.3 (tEXt, zTXt, iTXt).
"""

import zlib
from typing import BinaryIO

from pipeline.importers.settings import Unfit

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
MAX_KEYWORD = 79
PIECE = 1 << 16


def png_text(stream: BinaryIO, keywords: tuple[str, ...], limit: int) -> tuple[str, bytes] | None:
    """The first text under the first of ``keywords`` that the file has, with that keyword.

    ``stream`` stands behind the signature.  A text of more than ``limit`` bytes, packed or not, is refused.
    """
    found: dict[str, bytes] = {}
    while keywords[0] not in found:
        length = int.from_bytes(_exactly(stream, 4), "big")
        kind = _exactly(stream, 4)
        if kind == b"IEND":
            break
        head = _exactly(stream, min(length, MAX_KEYWORD + 1)) if kind in TEXT_CHUNKS else b""
        keyword, _, _ = head.partition(b"\0")
        name = keyword.decode("latin-1")
        if name not in keywords or name in found:
            _skip(stream, length - len(head) + 4)
            continue
        if length > limit:
            raise Unfit("card_too_large", f"the chunk {name} has {length:,} bytes; {limit:,} is the most")
        body = head + _exactly(stream, length - len(head))
        if zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(_exactly(stream, 4), "big"):
            raise Unfit("png_damaged", f"the checksum of the chunk {name} is wrong")
        found[name] = _text(kind, body[len(keyword) + 1 :], name, limit)
    return next(((name, found[name]) for name in keywords if name in found), None)


def _text(kind: bytes, body: bytes, name: str, limit: int) -> bytes:
    """What follows the keyword and its zero byte, unpacked."""
    if kind == b"tEXt":
        return body
    if kind == b"zTXt":
        return _unpacked(body[1:], name, limit)
    packed, (_, _, text) = body[:1] != b"\0", (*body[2:].split(b"\0", 2), b"", b"")[:3]  # between: language, keyword
    return _unpacked(text, name, limit) if packed else text


def _unpacked(packed: bytes, name: str, limit: int) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(packed, limit + 1)
    except zlib.error as error:
        raise Unfit("png_damaged", f"the chunk {name} cannot be unpacked: {error}") from error
    if len(text) > limit:
        raise Unfit("card_too_large", f"the chunk {name} unpacks to more than {limit:,} bytes")
    if not unpacking.eof:
        raise Unfit("png_damaged", f"the chunk {name} cannot be unpacked: it is cut off")
    return text


def _exactly(stream: BinaryIO, length: int) -> bytes:
    read = stream.read(length)
    if len(read) < length:
        raise Unfit("png_damaged", "the file is cut off")
    return read


def _skip(stream: BinaryIO, length: int) -> None:
    while length > 0:
        length -= len(_exactly(stream, min(length, PIECE)))
