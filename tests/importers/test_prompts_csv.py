import csv
import io
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.importers.prompts_csv import read_prompts_csv
from pipeline.importers.settings import Imported, ImportSettings
from pipeline.importers.source import Source
from pipeline.importers.text import cleaned, spoken
from tests.importers.files import SETTINGS, UNLICENSED, Answers, answers, reasons, seeds

TEXT = "I want you to act as a linux terminal. I will type commands."
HEADER = "act,prompt,for_devs,type,contributor\n"


def read(folder: Path, text: str | bytes, settings: ImportSettings = SETTINGS) -> Answers:
    return answers("prompts-csv", folder, text.encode() if isinstance(text, str) else text, settings, "prompts.csv")


@pytest.mark.parametrize("begin", ["", "\ufeff"])
def test_prompts_become_seeds(tmp_path: Path, begin: str) -> None:
    found = read(
        tmp_path,
        f'{begin}{HEADER}"Linux Terminal","{TEXT}",TRUE,TEXT,f\r\n'
        '"`position` Interviewer","I want you to act as an interviewer.\n\nSay ""Hi"" to ${Name:Bob}.",'
        'FALSE,TEXT,"f,iltekin"\n'
        "Critic,You review plays,,,a@b.org\n",
    )
    assert reasons(found) == []
    assert [(answer.line, seed.id, seed.name) for answer, seed in zip(found, seeds(found), strict=True)] == [
        (2, "linux-terminal-00002", "Linux Terminal"),
        (3, "position-interviewer-00003", "`position` Interviewer"),
        (6, "critic-00006", "Critic"),
    ]
    assert seeds(found)[1].text == 'I want you to act as an interviewer.\n\nSay "Hi" to ${Name:Bob}.'
    assert [seed.provenance.author for seed in seeds(found)] == ["f", "f, iltekin", "prompts.csv"]
    assert {seed.provenance.source for seed in seeds(found)} == {"prompts.csv"}
    assert seeds(found)[0].model_fields_set == {"id", "lang", "name", "text", "provenance"}


def test_the_older_two_columns_are_enough_and_their_order_is_the_header_s(tmp_path: Path) -> None:
    (seed,) = seeds(read(tmp_path, f"Prompt, ACT\n{TEXT},老魏\n"))
    assert (seed.id, seed.name, seed.text) == ("prompts-00002", "老魏", TEXT)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f"Painter,{TEXT},FALSE,IMAGE,f", "not_a_persona"),
        (f"Coder,{TEXT},TRUE,structured,f", "not_a_persona"),
        ("Nobody,,FALSE,TEXT,f", "no_text"),
        ("Nobody", "no_text"),
        ("Baker,Пекарь из города", "language_unknown"),
        ("Cook,I want you to act, as a cook,FALSE,TEXT,f", "not_csv"),
        ('Cook,"I want you to act" as a cook', "not_csv"),
        (f"Cook,{'You cook. ' * 6_000}", "text_too_long"),
        (f"Cook,{'You cook. ' * 14_000}", "not_csv"),
        (f"{'C' * 3_000},{TEXT}", "not_a_seed"),
    ],
)
def test_what_is_no_persona_is_set_aside_with_its_line_and_reason(tmp_path: Path, row: str, reason: str) -> None:
    found = read(tmp_path, f"{HEADER}A,{TEXT}\n{row}\nB,{TEXT}\n")
    assert reasons(found) == [(3, reason)]
    assert [seed.name for seed in seeds(found)] == ["A", "B"]


def test_a_row_that_is_not_utf_8_costs_itself(tmp_path: Path) -> None:
    found = read(
        tmp_path, f"{HEADER}A,{TEXT}\nB,".encode() + b"caf\xe9 owner of a small town\n" + f"C,{TEXT}\n".encode()
    )
    assert reasons(found) == [(3, "not_csv")]
    assert [seed.name for seed in seeds(found)] == ["A", "C"]


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("name,text\nA,B\nC,D\n", [(1, "no_header")]),
        ("\n\nact\n", [(3, "no_header")]),
        ('"act,prompt\n', [(1, "not_csv")]),
        (b"PK\x03\x04", [(1, "no_header")]),
        ("", []),
        ("\n , \n", []),
        (HEADER, []),
    ],
)
def test_a_file_without_the_columns_is_refused_as_a_whole(
    tmp_path: Path, raw: str | bytes, found: list[tuple[int, str]]
) -> None:
    assert reasons(read(tmp_path, raw)) == found
    assert seeds(read(tmp_path, raw)) == []


def test_a_row_of_several_lines_that_is_not_utf_8_costs_itself_too(tmp_path: Path) -> None:
    bad = b'B,"You keep a caf\xe9.\nYou say, I hum all day"\n'
    found = read(tmp_path, f"{HEADER}A,{TEXT}\n".encode() + bad + f"C,{TEXT}\n".encode())
    assert reasons(found) == [(3, "not_csv")]
    assert [(answer.line, seed.name) for answer, seed in zip((found[0], found[2]), seeds(found), strict=True)] == [
        (2, "A"),
        (5, "C"),
    ]


@pytest.mark.parametrize("row", ['B,"You keep\na cafe" and\nYou say, I hum all day"', f'B,"You\n{"x" * 140_000}"'])
def test_what_follows_a_broken_row_of_several_lines_is_not_taken_for_rows(tmp_path: Path, row: str) -> None:
    found = read(tmp_path, f"{HEADER}A,{TEXT}\n{row}\nC,{TEXT}\n")
    assert reasons(found) == [(3, "not_csv")]
    assert "what follows is not read" in getattr(found[-1], "detail", "")
    assert [seed.name for seed in seeds(found)] == ["A"]


def test_a_file_that_is_cut_off_in_a_row_says_so(tmp_path: Path) -> None:
    found = read(tmp_path, f'{HEADER}A,{TEXT}\nB,"I want you to act as')
    assert reasons(found) == [(3, "not_csv")]
    assert len(seeds(found)) == 1


def test_a_licence_is_needed_as_the_file_has_none(tmp_path: Path) -> None:
    assert reasons(read(tmp_path, f"{HEADER}A,{TEXT}\n", UNLICENSED)) == [(2, "no_license")]


@pytest.mark.parametrize("endless", ['"' + '\n","' * 400_000, '"' + "x" * 5_000_000, "," * 5_000_000])
def test_a_row_without_end_does_not_fill_the_memory(tmp_path: Path, endless: str) -> None:
    path = tmp_path / "prompts.csv"
    path.write_text(f"{HEADER}A,{TEXT}\n{endless}", "utf-8")
    tracemalloc.start()
    answered = [type(answer).__name__ for answer in read_prompts_csv(Source(path, path.name), SETTINGS)]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answered[:2] == ["Imported", "Rejected"]
    assert peak < 60_000_000


FIELD = st.text(st.sampled_from('ab ,"\n\r\x00好'), max_size=12) | st.just(TEXT)


@given(rows=st.lists(st.tuples(FIELD, FIELD), max_size=6))
def test_every_row_comes_out_once(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([("act", "prompt"), *rows])
    found = read(tmp_path_factory.getbasetemp(), text.getvalue())
    given = [row for row in rows if any(field.strip() for field in row)]
    assert len(found) == len(given)
    imported = [row for answer, row in zip(found, given, strict=True) if isinstance(answer, Imported)]
    assert [(seed.name, seed.text) for seed in seeds(found)] == [
        (spoken(act) or None, cleaned(prompt)) for act, prompt in imported
    ]
