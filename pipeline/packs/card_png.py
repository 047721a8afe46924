"""The picture of a character card: an identicon in two colours, in a PNG file that carries texts.

Source: https://www.w3.org/TR/png-3/, 5.3 (chunk layout), 11.2 (IHDR, PLTE, IDAT, IEND) and 11.3.3.2 (tEXt);
https://www.rfc-editor.org/rfc/rfc1951, 3.2.4 (stored blocks).
"""

import colorsys
import struct
import zlib
from collections.abc import Iterator, Mapping

from pipeline.importers.png_text import SIGNATURE
from pipeline.plan import seed_hash

# Frontends show cards upright, two to three.  The left half decides the right: 3 x 9 cells take 27 of the hash's bits,
# so that of ten thousand seeds about one pair looks alike (10^8 / 2 / 2^27 = 0.4), and colour still tells those apart.
CELL, ACROSS, DOWN = 16, 6, 9
WIDTH, HEIGHT = CELL * ACROSS, CELL * DOWN
PATTERN_BITS = ACROSS // 2 * DOWN
BITS_A_PIXEL = 1  # 12 bytes a line and its filter byte: 1.9 KB a picture
PALETTE = 3  # the colour type
Colour = tuple[int, int, int]


def card_png(seed_id: str, valence: int, arousal: int, texts: Mapping[str, bytes]) -> bytes:
    """The pattern and its ink are the seed's; the ground is the tone's (valence and arousal, -100 to 100).

    ``texts``: ASCII texts by keyword, each a tEXt chunk before IEND, in this order.
    """
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, BITS_A_PIXEL, PALETTE, 0, 0, 0)
    return SIGNATURE + b"".join(
        [
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", bytes([*_ground(valence, arousal), *_ink(seed_id)])),
            _chunk(b"IDAT", _stored(b"".join(_lines(seed_hash(seed_id))))),
            *(_chunk(b"tEXt", keyword.encode("latin-1") + b"\0" + text) for keyword, text in texts.items()),
            _chunk(b"IEND", b""),
        ]
    )


def _ground(valence: int, arousal: int) -> Colour:
    """Blue (220°) for what is sad, by way of green, to yellow (40°) for what is glad; paler the calmer it is."""
    return _rgb((130 - 0.9 * valence) / 360, 0.86, 0.45 + 0.003 * arousal)


def _ink(seed_id: str) -> Colour:
    hue = (seed_hash(seed_id) >> PATTERN_BITS) % 360
    return _rgb(hue / 360, 0.3, 0.4)


def _rgb(hue: float, lightness: float, saturation: float) -> Colour:
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(hue, lightness, saturation))
    return red, green, blue


def _lines(pattern: int) -> Iterator[bytes]:
    """Lines of pixels, each after its filter byte (0: none)."""
    for row in range(DOWN):
        half = [pattern >> (row * ACROSS // 2 + cell) & 1 for cell in range(ACROSS // 2)]
        line = b"".join((b"\xff" if inked else b"\0") * (CELL // 8) for inked in half + half[::-1])
        yield from [b"\0" + line] * CELL


def _stored(data: bytes) -> bytes:
    """A zlib stream of one stored block: what zlib makes of the same bytes differs from one build of it to another."""
    block = struct.pack("<BHH", 1, len(data), len(data) ^ 0xFFFF) + data
    return b"\x78\x01" + block + struct.pack(">I", zlib.adler32(data))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
