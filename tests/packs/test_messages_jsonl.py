import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipeline.config import SceneSettings
from pipeline.conversations import Sample, Turn
from pipeline.errors import DataError, UsageError
from pipeline.packs.messages_jsonl import write_messages
from pipeline.packs.pack import Pack, pack_faults
from pipeline.pairing import ASSERTED, FITS, LADDER, RUNGS, Pairer
from pipeline.scenes import with_scenes
from pipeline.schema_check import schema_faults
from pipeline.seeds import Seed
from tests.golden_content import (
    GOLDEN,
    PERSONAS,
    golden_axes,
    golden_plan,
    golden_rows,
    golden_samples,
    golden_seeds,
    rows_of,
)
from tests.small_versions import samples_table_of

Line = dict[str, Any]
SETTINGS = SceneSettings(crisis_line="112")
GOLDEN_PACK = GOLDEN / "packs" / "messages-jsonl"
REGENERATE = "if that is meant, run `pytest tests/packs --golden` and read the diff of tests/golden/"

# Ever further from what the samples are of: authored for the persona, of its scene, of its domain, of its language.
CHANGES = {
    "orla-keane": [{}, {"register": "neutral"}, {"register": "neutral", "pace": "usual"},
                   {"user_state": "angry", "register": "neutral"}],
    "shen-anbang": [{}, {"user_state": "neutral", "register": "casual"},
                    {"scenario": "long-drive-home", "tone": "clear-even", "environment": "car"}],
}  # fmt: skip


def paired_rows(samples: list[Sample]) -> pl.DataFrame:
    rows = rows_of(
        golden_plan(),
        [(seed, k, PERSONAS[seed] | change) for seed, changes in CHANGES.items() for k, change in enumerate(changes)],
    )
    pairer = Pairer(golden_plan(), samples_table_of(samples, golden_plan(), golden_seeds()))
    return rows.join(pairer.pair(rows).pairings, on="persona_id", maintain_order="left")


def written(
    folder: Path, rows: pl.DataFrame, samples: list[Sample] | None = None, seeds: list[Seed] | None = None
) -> list[Line]:
    known = samples or golden_samples()
    table = samples_table_of(known, golden_plan(), golden_seeds())
    write_messages(folder, "golden", rows, golden_plan(), seeds or golden_seeds(), table, SETTINGS)
    text = (folder / "messages.jsonl").read_text("utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.removesuffix("\n").split("\n")]


@pytest.fixture
def lines(tmp_path: Path) -> dict[tuple[str, int], Line]:
    """By seed and variant."""
    found = written(tmp_path / "pack", paired_rows(golden_samples()))
    return {(line["seed_id"], line["persona_id"] & 0xFFFFFFFF): line for line in found}


def said(line: Line) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in line["messages"][1:]]


def test_a_pack_is_byte_for_byte_the_golden_one(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    written(tmp_path / "pack", paired_rows(golden_samples()))
    if request.config.getoption("--golden", default=False):
        shutil.rmtree(GOLDEN_PACK, ignore_errors=True)
        shutil.copytree(tmp_path / "pack", GOLDEN_PACK)
    for name in ("messages.jsonl", "pack.json"):
        made, wanted = ((folder / name).read_text("utf-8") for folder in (tmp_path / "pack", GOLDEN_PACK))
        assert made == wanted, f"{name} differs from {GOLDEN_PACK / name}; {REGENERATE}"


def test_the_rows_reach_from_what_was_authored_for_them_to_what_has_only_their_language(
    lines: dict[tuple[str, int], Line],
) -> None:
    assert {key: (line["fit"], line["rung"]) for key, line in lines.items()} == {
        ("orla-keane", 0): ("authored_for", "authored"),
        ("orla-keane", 1): ("context_only", "situation"),
        ("orla-keane", 2): ("context_only", "situation"),
        ("orla-keane", 3): ("context_only", "scenario_only"),
        ("shen-anbang", 0): ("authored_for", "authored"),
        ("shen-anbang", 1): ("context_only", "scenario_only"),
        ("shen-anbang", 2): ("context_only", "language_only"),
    }


def test_an_authored_conversation_comes_with_its_replies_and_ends_with_one(
    lines: dict[tuple[str, int], Line],
) -> None:
    line = lines["orla-keane", 0]
    assert [message["role"] for message in line["messages"]] == ["system", "user", "assistant", "user", "assistant"]
    assert said(line) == [
        ("user", "I have been going since four. My eyes are like sand."),
        ("assistant", "Then listen to me for one crossing. There's a stop in nine kilometres."),
        ("user", "Nine."),
        ("assistant", "Nine, and it is open."),
    ]
    assert line["later_user_turns"] == ["Right so."]
    assert line["rubric"] == []


def test_turns_in_a_row_are_one_message_with_the_gap_of_their_language(lines: dict[tuple[str, int], Line]) -> None:
    assert said(lines["shen-anbang", 0])[0] == ("user", "孩子都走了。屋里静得很。")
    assert said(lines["shen-anbang", 2]) == [("user", "在吗？说两句就行。")]


def test_a_prompt_is_the_user_s_opening_alone(lines: dict[tuple[str, int], Line]) -> None:
    for line in lines.values():
        if line["fit"] == "context_only":
            assert [message["role"] for message in line["messages"]] == ["system", "user"]
            assert line["rubric"]
    both = {line["sample_id"]: line for line in (lines["orla-keane", 1], lines["orla-keane", 2])}
    assert said(both["rest-stop"]) == [("user", "How far is the next stop?")]  # though the persona speaks first
    assert both["rest-stop"]["later_user_turns"] == ["And is it open? It is past two."]
    assert both["orla-late-road"]["later_user_turns"] == ["Nine.", "Right so."]
    assert lines["shen-anbang", 2]["later_user_turns"] == ["没事了。"]


def test_no_reply_goes_out_but_to_whom_it_was_authored_for(lines: dict[tuple[str, int], Line]) -> None:
    replies = {s.id: [turn.text for turn in s.turns if turn.role == "persona"] for s in golden_samples()}
    for line in lines.values():
        text = json.dumps({**line, "messages": line["messages"][1:]}, ensure_ascii=False)
        found = [reply in text for reply in replies[line["sample_id"]]]
        assert found
        assert set(found) == {line["fit"] == "authored_for"}


@pytest.mark.parametrize("rung", [rung.name for rung in LADDER])
def test_situation_and_state_are_asserted_only_where_the_sample_has_them(rung: str, tmp_path: Path) -> None:
    fit = "authored_for" if rung == "authored" else "context_only"
    rows = golden_rows().with_columns(
        pl.Series("sample_id", ["orla-late-road", "shen-quiet-flat"]),
        pl.lit(fit).cast(FITS).alias("fit"),
        pl.lit(rung).cast(RUNGS).alias("rung"),
    )
    frame = "scene" if rung in ASSERTED else "deploy"
    settings = SETTINGS.model_copy(update={"frame": frame})
    wanted = with_scenes(golden_rows().lazy(), golden_plan(), golden_seeds(), settings).collect()["scene"].to_list()
    found = written(tmp_path / "pack", rows)
    assert [line["messages"][0] for line in found] == [{"role": "system", "content": scene} for scene in wanted]
    assert "112" in wanted[0]
    told = "They have driven since four" in wanted[0] or "they set out at four" in wanted[0]
    assert told == (rung in {"authored", "scene", "situation"})


def test_a_rubric_asks_for_what_persona_and_user_need_in_the_seed_s_language(
    lines: dict[tuple[str, int], Line],
) -> None:
    orla, shen = golden_seeds()
    assert lines["orla-keane", 1]["rubric"] == [
        "Settle low in the chest and let each sentence come down at its end.",
        "Two short sentences at most.",
        "Ask only what a single word can answer.",
        *orla.limits,
    ]
    # The user of shen's language-only sample is in no state that is known.
    assert lines["shen-anbang", 2]["rubric"] == ["字字咬全，哪个字也别加重。", "该说多长说多长。", *shen.limits]


def test_facts_are_those_of_the_sample_s_scenario(lines: dict[tuple[str, int], Line]) -> None:
    (drive, _) = golden_axes().scenario
    assert lines["orla-keane", 0]["facts"] == lines["orla-keane", 1]["facts"] == list(drive.facts.en)
    assert lines["shen-anbang", 2]["facts"] == lines["shen-anbang", 0]["facts"] == []


def test_each_line_says_whose_it_is(lines: dict[tuple[str, int], Line]) -> None:
    line = lines["orla-keane", 1]
    told = {name: line[name] for name in ("persona_id", "split", "seed_license", "sample_license")}
    licenses = {sample.id: sample.provenance.license for sample in golden_samples()}
    assert told == {
        "persona_id": 1, "split": "train", "seed_license": "CC-BY-4.0", "sample_license": licenses[line["sample_id"]],
    }  # fmt: skip


def test_a_pack_names_the_licences_of_its_seeds_and_of_its_samples(tmp_path: Path) -> None:
    found = written(tmp_path / "pack", paired_rows(golden_samples()))
    document = json.loads((tmp_path / "pack" / "pack.json").read_text("utf-8"))
    pack = Pack.model_validate_json(json.dumps(document))
    assert schema_faults("pack", document, "pack.json", 0) == []
    used = {line["sample_id"] for line in found}
    by_license = {
        license: tuple(sorted(s.id for s in golden_samples() if s.provenance.license == license and s.id in used))
        for license in ("CC-BY-4.0", "CC0-1.0")
    }
    assert [(o.license, o.authors, o.seeds, o.samples) for o in pack.licenses] == [
        ("CC-BY-4.0", ("persona-matrix project",), ("orla-keane", "shen-anbang"), by_license["CC-BY-4.0"]),
        ("CC0-1.0", ("another hand",), (), by_license["CC0-1.0"]),
    ]
    assert all(by_license.values())
    (file,) = pack.files
    assert (file.path, file.rows) == ("messages.jsonl", len(found))
    assert (pack.target, pack.plan, pack.personas) == ("messages-jsonl", "golden", ())


def relicensed(record: Any, license: str) -> Any:
    return record.model_copy(update={"provenance": record.provenance.model_copy(update={"license": license})})


@pytest.mark.parametrize(
    ("of_seed", "of_sample", "reason"),
    [
        ("CC-BY-4.0", "CC-BY-ND-4.0", "CC-BY-ND-4.0 allows no adaptation"),
        ("CC-BY-NC-4.0", "CC-BY-SA-4.0", "CC-BY-SA-4.0 claims the whole, which CC-BY-NC-4.0 restricts"),
        ("ODbL-1.0", "CC-BY-SA-4.0", "CC-BY-SA-4.0 and ODbL-1.0 each claim the whole"),
    ],
)
def test_licences_of_seed_and_sample_that_may_not_be_mixed_are_refused(
    tmp_path: Path, of_seed: str, of_sample: str, reason: str
) -> None:
    samples = [relicensed(sample, of_sample) for sample in golden_samples()]
    seeds = [relicensed(seed, of_seed) for seed in golden_seeds()]
    with pytest.raises(DataError, match=f"{reason}; narrow --where to one of them"):
        written(tmp_path / "pack", paired_rows(samples), samples, seeds)
    assert list(tmp_path.iterdir()) == []


def test_a_licence_that_no_chosen_row_has_hinders_nothing(tmp_path: Path) -> None:
    rows = paired_rows(golden_samples())
    used = set(rows["sample_id"])
    samples = [s if s.id in used else relicensed(s, "CC-BY-ND-4.0") for s in golden_samples()]
    assert used < {sample.id for sample in samples}
    assert len(written(tmp_path / "pack", rows, samples)) == rows.height


def test_a_folder_in_use_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", "utf-8")
    with pytest.raises(UsageError, match="not empty; name a new folder"):
        written(tmp_path, paired_rows(golden_samples()))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_the_same_choice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        written(tmp_path / name, paired_rows(golden_samples()))
    for file in ("messages.jsonl", "pack.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes()


def flipped(path: Path) -> str:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return f"{path.name}: its bytes have changed (SHA-256 differs)"


def gone(path: Path) -> str:
    path.unlink()
    return f"{path.name}: missing"


@pytest.mark.parametrize("harm", [flipped, gone])
def test_a_harmed_file_is_found(tmp_path: Path, harm: Callable[[Path], str]) -> None:
    written(tmp_path / "pack", paired_rows(golden_samples()))
    assert pack_faults(tmp_path / "pack") == []
    wanted = harm(tmp_path / "pack" / "messages.jsonl")
    assert pack_faults(tmp_path / "pack") == [wanted]


def test_the_datasets_library_reads_back_what_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    from datasets import load_dataset

    odd = [Turn(role="user", text='One\u2028two\x85three "quoted" {{x}} </s>'), Turn(role="persona", text="😀")]
    samples = [s.model_copy(update={"turns": tuple(odd)}) if s.seed_id else s for s in golden_samples()]
    found = written(tmp_path / "pack", paired_rows(samples), samples)
    file = str(tmp_path / "pack" / "messages.jsonl")
    loaded = load_dataset("json", data_files={"train": file}, split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.to_list() == found
    assert {message["role"] for row in loaded for message in row["messages"]} == {"system", "user", "assistant"}
    assert {row["messages"][-1]["content"] for row in loaded if row["fit"] == "authored_for"} == {"😀"}
