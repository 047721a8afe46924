"""What holds for every format, whatever it is given."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.build import check_inputs
from pipeline.conversations import load_samples
from pipeline.documents import REJECTS
from pipeline.importers.formats import IMPORTERS
from pipeline.importers.run import ImportResult, run_import
from pipeline.seeds import load_seeds
from tests.command_lines import fault, words
from tests.conftest import JSON
from tests.golden_content import GOLDEN
from tests.importers.files import SETTINGS, V1_CARD, V2_CARD, V3_CARD, as_json, as_lines, chunk, png, text_chunk, turns

TEXT = "A cooper from a hill town who hums while she works."
SAMPLE: dict[str, Any] = {
    "id": "late-call", "lang": "en", "domain": "automotive",
    "turns": [{"role": "user", "text": "Still there?", "cues": ["sigh"]}],
    "provenance": {"author": "A. Writer", "method": "human-written", "license": "CC-BY-4.0", "created": "2026-01-02",
                   "consent": {"basis": "none needed"}, "source": "original"},
}  # fmt: skip
CHAT = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "你好。"},
    {"role": "assistant", "content": "好。"},
]


class Sound(NamedTuple):
    """A file with so many records of a format, none of them at fault."""

    raw: bytes
    count: int


SOUND: dict[str, tuple[Sound, ...]] = {
    "character-card": (
        Sound(as_json(V1_CARD), 1),
        Sound(as_json(V2_CARD), 1),
        Sound(png(text_chunk("chara", V2_CARD), text_chunk("ccv3", V3_CARD)), 1),
        Sound(png(text_chunk("chara", V2_CARD, b"zTXt")), 1),
        Sound(png(text_chunk("ccv3", V3_CARD, b"iTXt")), 1),
    ),
    "prompts-csv": (Sound(f'act,prompt\nCooper,"{TEXT}"\n"Coo\nper","You ""hum"", and hum."\n'.encode(), 2),),
    "text-jsonl": (Sound(as_lines({"id": "a", "name": "Mo", "text": TEXT}, {"text": TEXT, "license": "MIT"}), 2),),
    "openai-messages": (Sound(as_lines({"messages": CHAT}, {"id": "b", "messages": CHAT}), 2),),
    "samples-jsonl": (Sound(as_lines(SAMPLE, {**SAMPLE, "id": "other"}), 2),),
    "sharegpt": (
        Sound(as_json([{"conversations": [{"from": "human", "value": "Hello?"}]}, {"messages": CHAT}]), 2),
        Sound(as_lines({"conversations": [{"from": "human", "value": "Hello?"}]}), 1),
    ),
    "turns-jsonl": (Sound(as_lines(turns("Hello.", "Hi."), turns("你好。", domain="film", consent="yes")), 2),),
}  # fmt: skip
EVERY_SOUND = [(name, sound) for name, sounds in SOUND.items() for sound in sounds]


def imported(name: str, folder: Path, raw: bytes) -> ImportResult:
    """Imports, and holds that counts add up and that what was imported is what can be loaded."""
    (folder / "source").write_bytes(raw)
    result = run_import(name, folder / "source", folder / "records.jsonl", SETTINGS)
    rejects = [json.loads(line) for line in (folder / f"records.jsonl{REJECTS}").read_bytes().splitlines()]
    assert result.read == result.imported + len(rejects) == result.imported + sum(result.rejected.values())
    assert all(re.fullmatch("[a-z][a-z0-9_]+", reject["reason"]) and reject["line"] >= 0 for reject in rejects)
    if result.imported:
        load = load_seeds if IMPORTERS[name].makes == "seeds" else load_samples
        assert len(load([folder / "records.jsonl"])) == result.imported
    return result


def test_every_format_is_tried_here() -> None:
    assert SOUND.keys() == IMPORTERS.keys()


@pytest.mark.parametrize(("name", "sound"), EVERY_SOUND)
def test_a_sound_file_comes_in_whole_and_passes_validation(name: str, sound: Sound, tmp_path: Path) -> None:
    result = imported(name, tmp_path, sound.raw)
    assert (result.imported, result.rejected) == (sound.count, {})
    files = [tmp_path / "records.jsonl"]
    found = check_inputs(files if IMPORTERS[name].makes == "seeds" else [GOLDEN / "seeds.jsonl"], GOLDEN / "axes",
                         files if IMPORTERS[name].makes == "samples" else [])  # fmt: skip
    assert found[-1] == []


@pytest.mark.parametrize("name", IMPORTERS)
@given(raw=st.binary(max_size=200))
def test_no_bytes_break_an_importer(tmp_path_factory: pytest.TempPathFactory, name: str, raw: bytes) -> None:
    imported(name, tmp_path_factory.getbasetemp(), raw)


@st.composite
def spoilt(draw: st.DrawFn, raw: bytes) -> bytes:
    """``raw`` with some pieces cut out, doubled, moved or overwritten."""
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(raw)))
        end = draw(st.integers(begin, min(len(raw), begin + 30)))
        put = draw(
            st.binary(max_size=4) | st.sampled_from([b'"', b"\\", b"\n", b"[", b"}", b",", b"\\u", raw[begin:end] * 2])
        )
        raw = raw[:begin] + put + raw[end:]
    return raw[: draw(st.integers(0, len(raw)))] if draw(st.booleans()) else raw


@pytest.mark.parametrize(("name", "sound"), EVERY_SOUND)
@given(data=st.data())
def test_no_spoilt_file_breaks_an_importer(
    tmp_path_factory: pytest.TempPathFactory, name: str, sound: Sound, data: st.DataObject
) -> None:
    imported(name, tmp_path_factory.getbasetemp(), data.draw(spoilt(sound.raw)))


FIELDS = st.sampled_from(
    "id name text lang language license consent source author domain scenario turns messages conversations role from "
    "content value emotion cues rate audio provenance spec data description personality first_mes creator".split()
)
TELLING = st.sampled_from(
    ["user", "assistant", "system", TEXT, "{{char}}", "{{user}} is in.", "MIT", "zh", "travel", "a-1"]
)
NESTED = st.recursive(
    JSON | TELLING,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=12,
)
RECORDS = st.dictionaries(FIELDS, NESTED, max_size=6)


@pytest.mark.parametrize("name", ["text-jsonl", "openai-messages", "samples-jsonl", "sharegpt", "turns-jsonl"])
@given(records=st.lists(RECORDS | NESTED, max_size=3), changes=st.lists(RECORDS, max_size=3))
def test_no_field_of_another_type_breaks_an_importer(
    tmp_path_factory: pytest.TempPathFactory, name: str, records: list[Any], changes: list[Any]
) -> None:
    sound = json.loads(SOUND[name][-1].raw.splitlines()[0])
    documents = [sound, *records, *({**sound, **change} for change in changes)]
    if isinstance(sound.get("turns"), list):
        documents += [{**sound, "turns": [{**sound["turns"][0], **change}]} for change in changes]
    raw = b"".join(json.dumps(document).encode() + b"\n" for document in documents)
    assert imported(name, tmp_path_factory.getbasetemp(), raw).read == len(documents)


@given(
    change=RECORDS,
    card=st.sampled_from([V1_CARD, V2_CARD, V3_CARD]),
    packed=st.sampled_from([b"tEXt", b"zTXt", b"iTXt"]),
)
def test_no_field_of_a_card_breaks_the_importer(
    tmp_path_factory: pytest.TempPathFactory, change: Any, card: dict[str, Any], packed: bytes
) -> None:
    document = {**card, "data": {**card["data"], **change}} if "data" in card else {**card, **change}
    raw = json.dumps(document).encode()
    for file in (raw, png(text_chunk("ccv3", raw, packed))):
        assert imported("character-card", tmp_path_factory.getbasetemp(), file).read == 1


@given(body=st.binary(max_size=60), kind=st.sampled_from([b"tEXt", b"zTXt", b"iTXt"]))
def test_no_chunk_of_an_image_breaks_the_importer(
    tmp_path_factory: pytest.TempPathFactory, body: bytes, kind: bytes
) -> None:
    result = imported("character-card", tmp_path_factory.getbasetemp(), png(chunk(kind, b"chara\0" + body)))
    assert (result.read, result.imported) == (1, 0)


@pytest.mark.parametrize("name", IMPORTERS)
def test_the_example_is_a_command_line_the_program_takes(name: str) -> None:
    example = IMPORTERS[name].example
    assert fault(example) is None
    assert words(example)[:3] == ["import", "--from", name]
