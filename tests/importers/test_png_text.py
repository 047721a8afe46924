import struct
import tracemalloc
import zlib
from contextlib import suppress
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.importers.png_text import SIGNATURE, png_text
from pipeline.importers.settings import Unfit
from tests.importers.files import chunk, png

KEYWORDS = ("ccv3", "chara")
LIMIT = 10_000


def read(raw: bytes) -> tuple[str, bytes] | None:
    assert raw.startswith(SIGNATURE)
    return png_text(BytesIO(raw[len(SIGNATURE) :]), KEYWORDS, LIMIT)


def reason(raw: bytes) -> str:
    with pytest.raises(Unfit) as refused:
        read(raw)
    return refused.value.reason


PACKED = zlib.compress(b"text")
KINDS = [
    chunk(b"tEXt", b"chara\0text"),
    chunk(b"zTXt", b"chara\0\0" + PACKED),
    chunk(b"iTXt", b"chara\0\0\0en\0Figur\0text"),
    chunk(b"iTXt", b"chara\0\x01\0\0\0" + PACKED),
]


@pytest.mark.parametrize("text", KINDS, ids=["tEXt", "zTXt", "iTXt", "iTXt packed"])
def test_a_text_is_found_in_every_kind_of_chunk(text: bytes) -> None:
    assert read(png(text)) == ("chara", b"text")


@pytest.mark.parametrize(
    ("chunks", "found"),
    [
        ((), None),
        ((chunk(b"tEXt", b"parameters\0steps: 20"), chunk(b"eXIf", b"chara\0text")), None),
        ((chunk(b"tEXt", b"Chara\0no"), chunk(b"tEXt", b"chara no zero")), None),
        ((chunk(b"tEXt", b"x" * 200), chunk(b"tEXt", b"chara\0text")), ("chara", b"text")),
        ((chunk(b"tEXt", b"parameters\0" + b"x" * 3 * LIMIT), chunk(b"tEXt", b"chara\0a")), ("chara", b"a")),
        ((chunk(b"tEXt", b"chara\0first"), chunk(b"tEXt", b"chara\0second")), ("chara", b"first")),
        ((chunk(b"tEXt", b"chara\0V2"), chunk(b"tEXt", b"ccv3\0V3")), ("ccv3", b"V3")),
        ((chunk(b"tEXt", b"ccv3\0V3"), chunk(b"tEXt", b"chara\0V2")), ("ccv3", b"V3")),
        ((chunk(b"tEXt", b"chara\0"),), ("chara", b"")),
        ((chunk(b"tEXt", b"chara\0" + b"x" * (LIMIT - 6)),), ("chara", b"x" * (LIMIT - 6))),
    ],
)
def test_the_first_keyword_goes_first(chunks: tuple[bytes, ...], found: tuple[str, bytes] | None) -> None:
    assert read(png(*chunks)) == found


def test_what_follows_the_end_of_the_image_is_not_read() -> None:
    assert read(png() + chunk(b"tEXt", b"chara\0text")) is None


def test_the_rest_of_the_file_is_not_needed_once_the_better_text_is_found() -> None:
    assert read(png(chunk(b"tEXt", b"ccv3\0V3"), end=False)) == ("ccv3", b"V3")


@pytest.mark.parametrize(
    ("chunks", "why"),
    [
        (KINDS[0][:-1] + bytes([KINDS[0][-1] ^ 1]), "png_damaged"),
        (chunk(b"zTXt", b"chara\0\0" + PACKED[:-6]), "png_damaged"),
        (chunk(b"zTXt", b"chara\0\0not zlib"), "png_damaged"),
        (chunk(b"zTXt", b"chara\0"), "png_damaged"),
        (chunk(b"iTXt", b"chara\0"), "png_damaged"),
        (chunk(b"iTXt", b"chara\0\x01\0"), "png_damaged"),
        (chunk(b"tEXt", b"chara\0" + b"x" * LIMIT), "card_too_large"),
        (chunk(b"zTXt", b"chara\0\0" + zlib.compress(bytes(LIMIT + 1))), "card_too_large"),
        (chunk(b"iTXt", b"chara\0\x01\0\0\0" + zlib.compress(bytes(LIMIT + 1))), "card_too_large"),
    ],
)
def test_a_damaged_or_boundless_text_is_refused(chunks: bytes, why: str) -> None:
    assert reason(png(chunks)) == why


def test_half_a_file_is_refused_wherever_it_ends() -> None:
    whole = png(KINDS[1])
    assert {reason(whole[:length]) for length in range(len(SIGNATURE), len(whole) - 4)} == {"png_damaged"}


def test_a_chunk_that_claims_more_than_there_is_is_refused() -> None:
    claims = struct.pack(">I", 2**31 - 1)
    assert reason(SIGNATURE + claims + b"IDAT" + b"x" * 50) == "png_damaged"
    assert reason(SIGNATURE + claims + b"tEXtchara\0" + b"x" * 100) == "card_too_large"


def _bomb(megabytes: int) -> bytes:
    packing = zlib.compressobj(9)
    return b"".join(packing.compress(bytes(1_000_000)) for _ in range(megabytes)) + packing.flush()


@pytest.mark.parametrize("head", [b"chara\0\0", b"chara\0\x01\0\0\0"], ids=["zTXt", "iTXt"])
def test_a_text_that_unpacks_without_end_does_not_fill_the_memory(head: bytes) -> None:
    bomb = _bomb(300)
    raw = BytesIO(png(chunk(b"zTXt" if len(head) == 7 else b"iTXt", head + bomb))[len(SIGNATURE) :])
    tracemalloc.start()
    with pytest.raises(Unfit) as refused:
        png_text(raw, KEYWORDS, 1_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused.value.reason == "card_too_large"
    assert peak < 5_000_000


@given(raw=st.binary(max_size=200), kind=st.sampled_from([b"tEXt", b"zTXt", b"iTXt"]))
def test_any_chunk_is_read_or_refused(raw: bytes, kind: bytes) -> None:
    for body in (raw, b"chara\0" + raw, b"ccv3\0\x01\0" + raw):
        with suppress(Unfit):
            found = read(png(chunk(kind, body)))
            assert found is None or (found[0] in KEYWORDS and len(found[1]) <= LIMIT)
