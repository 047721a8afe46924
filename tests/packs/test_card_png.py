from io import BytesIO

import pytest
from PIL import Image

from pipeline.packs.card_png import CELL, HEIGHT, WIDTH, card_png


def opened(content: bytes) -> Image.Image:
    image = Image.open(BytesIO(content))
    image.load()
    return image


def test_it_is_a_small_upright_picture_in_two_colours_and_its_halves_mirror() -> None:
    content = card_png("orla-keane", 10, -40, {})
    image = opened(content).convert("RGB")
    assert image.size == (WIDTH, HEIGHT) == (96, 144)
    assert len(image.getcolors() or ()) == 2
    assert image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).tobytes() == image.tobytes()
    assert len(content) < 2_100


def test_the_pattern_is_the_seed_s_and_the_ground_the_tone_s() -> None:
    glad, sad = (opened(card_png("orla-keane", valence, 0, {})) for valence in (80, -80))
    other = opened(card_png("shen-anbang", 80, 0, {}))
    assert glad.tobytes() == sad.tobytes() != other.tobytes()
    grounds = [tuple((image.getpalette() or [])[:3]) for image in (glad, sad, other)]
    assert grounds[0] == grounds[2] != grounds[1]
    (red, _, blue), (sad_red, _, sad_blue) = grounds[:2]
    assert red > blue
    assert sad_red < sad_blue


@pytest.mark.parametrize("valence", [-100, 0, 100])
@pytest.mark.parametrize("arousal", [-100, 0, 100])
def test_ink_stands_out_from_the_ground_of_any_tone(valence: int, arousal: int) -> None:
    for seed_id in ("orla-keane", "shen-anbang", "a", "b", "c"):
        ground, ink = (sum(colour) for colour in _palette(opened(card_png(seed_id, valence, arousal, {}))))
        assert ground - ink > 255


def _palette(image: Image.Image) -> tuple[list[int], list[int]]:
    found = image.getpalette() or []
    return found[:3], found[3:6]


def test_texts_stand_in_their_order_before_the_end() -> None:
    content = card_png("orla-keane", 0, 0, {"chara": b"QQ==", "ccv3": b"Qg=="})
    assert list(opened(content).text.items()) == [("chara", "QQ=="), ("ccv3", "Qg==")]
    assert content.index(b"tEXtchara\0") < content.index(b"tEXtccv3\0") < content.index(b"IEND")
    assert content.endswith(b"IEND\xaeB`\x82")


def test_its_bytes_are_the_same_on_any_machine() -> None:
    content = card_png("orla-keane", 10, -40, {})
    start = content.index(b"IDAT") + 4
    assert content[start : start + 3] == b"\x78\x01\x01"  # stored: nothing that a build of zlib may do its own way
    assert content[start + 3 : start + 5] == (HEIGHT * (1 + WIDTH // 8)).to_bytes(2, "little")
    assert CELL % 8 == 0
