"""`personas import`, as it is called."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.cli import main
from pipeline.importers.formats import IMPORTERS
from tests.importers.files import V3_CARD, as_json, as_lines, png, text_chunk, turns

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["import", *arguments])
        return int(left.value.code or 0), *capsys.readouterr()

    return command


def test_help_lists_the_formats_by_what_they_make_with_an_example_each(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    before, personas, conversations = re.split(r"^Personas, .*:$|^Conversations, .*:$", out, flags=re.MULTILINE)
    for name, format in IMPORTERS.items():
        shown = personas if format.makes == "seeds" else conversations
        assert re.search(rf"^  {name}  ", shown, re.MULTILINE)
        assert f"\n  {format.example}\n" in shown
    assert "--domain" in before


def test_cards_become_seeds(run: Run, tmp_path: Path) -> None:
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "mei.png").write_bytes(png(text_chunk("ccv3", V3_CARD)))
    (tmp_path / "cards" / "none.png").write_bytes(png())
    code, out, err = run("--from", "character-card", "cards", "mine/cards.jsonl", "--license", "CC-BY-4.0")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "2 read, 1 imported to mine/cards.jsonl",
        "1 rejected: not_a_card",
        "rejects with line and reason: mine/cards.jsonl.rejects.jsonl",
    ]
    assert json.loads((tmp_path / "mine" / "cards.jsonl").read_bytes())["provenance"]["license"] == "CC-BY-4.0"


@pytest.mark.parametrize(
    ("options", "domains"),
    [([], [None, "travel"]), (["--domain", "customer_support"], ["customer_support", "customer_support"])],
)
def test_a_domain_is_the_record_s_if_it_is_ours_or_the_one_that_is_given(
    run: Run, tmp_path: Path, options: list[str], domains: list[str | None]
) -> None:
    (tmp_path / "calls.jsonl").write_bytes(as_lines(turns(domain="airline"), turns(domain="travel")))
    code, out, _ = run("--from", "turns-jsonl", "calls.jsonl", "talks.jsonl", "--license", "MIT", "--json", *options)
    assert code == 0
    assert json.loads(out) == {
        "read": 2, "imported": 2, "rejected": {}, "records_file": "talks.jsonl",
        "rejects_file": "talks.jsonl.rejects.jsonl",
    }  # fmt: skip
    assert [json.loads(line)["domain"] for line in (tmp_path / "talks.jsonl").read_bytes().splitlines()] == domains


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--from", "turns-jsonl", "--domain", "automotiv"], "automotiv: not known. Did you mean 'automotive'?"),
        (["--from", "sharegpt", "--domain", "airline"], "--domain airline: not known. Known: automotive, bedtime, "),
        (["--from", "text-jsonl", "--domain", "travel"], "travel: only conversations have one; text-jsonl gives"),
        (["--from", "sharegtp"], "--from sharegtp: not known; choose one of character-card, openai-messages"),
        (["--from", "turns-jsonl", "--license", "mine"], "--license: 'mine' is not an SPDX licence"),
    ],
)  # fmt: skip
def test_a_mistake_is_a_message_and_leaves_no_file(run: Run, tmp_path: Path, arguments: list[str], said: str) -> None:
    (tmp_path / "source").write_bytes(as_json(turns()))
    code, out, err = run(*arguments, "source", "out.jsonl")
    assert (code, out) == (2, "")
    assert said in " ".join(err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["source"]
