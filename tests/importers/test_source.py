from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipeline.importers.source import Source


@given(raw=st.binary(max_size=50_000), sizes=st.lists(st.integers(1, 30_000), max_size=5))
def test_every_byte_that_is_read_is_told(tmp_path_factory: object, raw: bytes, sizes: list[int]) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "counted"  # type: ignore[attr-defined]
    path.write_bytes(raw)
    told: list[int] = []
    with Source(path, "counted", told.append).open() as stream:
        assert b"".join([*(stream.read(size) for size in sizes), stream.read()]) == raw
    assert sum(told) == len(raw)


def test_a_file_below_a_folder_keeps_its_way_in_its_name() -> None:
    assert Source(Path("cards/north/mei.v2.png"), "north/mei.v2.png").stem == "north/mei.v2"
