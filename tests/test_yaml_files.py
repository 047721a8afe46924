from pathlib import Path

import pytest

from pipeline.errors import Fault
from pipeline.yaml_files import YamlFile

YAML = """# a comment
levels:
- id: one
  wording:
    en: [a, b]
- id: two
  wording: {en: [a],
    zh: [b]}
"""


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ((), 1),
        (("levels",), 3),
        (("levels", 0, "wording", "en", 1), 5),
        (("levels", 1), 6),
        (("levels", 1, "wording", "zh"), 8),
        (("levels", 1, "wording", "fr"), 7),
        (("levels", 9, "id"), 3),
    ],
)
def test_yaml_tells_the_line_of_a_field_or_of_what_should_hold_it(
    tmp_path: Path, where: tuple[str | int, ...], line: int
) -> None:
    (tmp_path / "x.yaml").write_text(YAML, "utf-8")
    yaml_file = YamlFile(tmp_path / "x.yaml", [])
    assert yaml_file.line(where) == line


@pytest.mark.parametrize(
    ("raw", "line", "problem", "remedy"),
    [
        (b"a: [1\nb: 2\n", 2, "expected ',' or ']'", "Mend the syntax."),
        (b"a: 1\n\tb: 2\n", 2, "not valid YAML: found ", "Mend the syntax."),
        (b"a: *b\n", 1, "found undefined alias", "Mend the syntax."),
        (b"a: !!python/object:os.system {}\n", 1, "not valid YAML: could not determine a constructor", "Mend the"),
        (b"a: 1\n---\nb: 2\n", 2, "not valid YAML: but found another document", "Mend the syntax."),
        (b"a: \x01\n", 0, "not valid YAML", "Mend the syntax."),
        ("a: 中".encode("gbk"), 0, "not UTF-8 at byte 3", "Save the file as UTF-8."),
    ],
)
def test_yaml_that_cannot_be_read_is_a_fault(tmp_path: Path, raw: bytes, line: int, problem: str, remedy: str) -> None:
    (tmp_path / "x.yaml").write_bytes(raw)
    faults: list[Fault] = []
    assert YamlFile(tmp_path / "x.yaml", faults).document is None
    (fault,) = faults
    assert (fault.file, fault.line) == (str(tmp_path / "x.yaml"), line)
    assert problem in fault.problem
    assert fault.remedy.startswith(remedy)
