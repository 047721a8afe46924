import os
from pathlib import Path

import pytest

from pipeline.config import ROW_GROUP, PlanConfig, RunConfig, SceneSettings, content_root, read_config
from pipeline.errors import UsageError
from tests.conftest import ROOT


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a run's file may be written; the working folder is beside it and holds none."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs" / "night.toml"


def test_without_a_file_a_million_rows_of_the_shipped_seeds_are_made(file: Path) -> None:
    config = read_config(None)
    assert config.rows == config.plan.base_rows == 1_000_000
    assert config.seed_paths == (ROOT / "seeds" / "personas",)
    assert config.axes_path == ROOT / "seeds" / "axes"
    assert config.out == Path("data")
    assert config.workers == os.cpu_count()


def test_content_comes_from_the_checkout() -> None:
    assert content_root() == ROOT
    assert (content_root() / "schemas" / "seed.schema.json").is_file()


def test_the_shipped_run_file_is_the_default_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config = read_config(None)
    assert (config.rows, config.plan.base_rows) == (1_000_000, 1_000_000)
    assert [path.resolve() for path in config.seed_paths] == [ROOT / "seeds" / "personas"]
    assert config.axes_path.resolve() == ROOT / "seeds" / "axes"
    assert config.out.resolve() == ROOT / "data"


@pytest.mark.parametrize(
    ("text", "samples"),
    [
        ("", [ROOT / "data" / "conversations"]),
        ('seeds = ["mine"]', []),
        ("samples = []", []),
        ('samples = ["talks.jsonl", "/all/talks"]', ["talks.jsonl", Path("/all/talks")]),
        ('seeds = ["mine"]\nsamples = ["../talks"]', ["../talks"]),
    ],
)
def test_shipped_samples_go_with_shipped_seeds_and_others_with_whom_they_are_named_for(
    file: Path, text: str, samples: list[Path | str]
) -> None:
    file.write_text(text)
    assert read_config(file).sample_paths == tuple(file.parent / path for path in samples)


def test_paths_in_a_file_are_relative_to_it_and_absolute_ones_stay(file: Path, tmp_path: Path) -> None:
    file.write_text(
        f'seeds = ["mine", "{tmp_path}/theirs.jsonl"]\naxes = "../axes"\nout = "made"\n[plan]\nfile = "p.json"\n'
    )
    config = read_config(file)
    assert config.seed_paths == (file.parent / "mine", tmp_path / "theirs.jsonl")
    assert config.axes_path == file.parent / "../axes"
    assert config.out == file.parent / "made"
    assert config.plan == PlanConfig(base_rows=1_000_000, file=file.parent / "p.json")


def test_an_output_folder_not_given_is_beside_the_file(file: Path) -> None:
    file.write_text("rows = 5\n")
    assert read_config(file).out == file.parent / "data"


def test_what_is_given_on_the_command_line_wins_and_is_relative_to_the_working_folder(file: Path) -> None:
    file.write_text('rows = 5\nworkers = 3\nout = "made"\nseeds = ["mine"]\n')
    config = read_config(file, rows=7, out=Path("here"), seeds=(Path("s.jsonl"),), workers=None)
    assert (config.rows, config.workers, config.out, config.seed_paths) == (7, 3, Path("here"), (Path("s.jsonl"),))


def test_a_personas_toml_in_the_working_folder_is_read_unless_another_is_named(file: Path) -> None:
    Path("personas.toml").write_text("rows = 11\n")
    file.write_text("rows = 12\n")
    assert read_config(None).rows == 11
    assert read_config(file).rows == 12


@pytest.mark.parametrize(("rows", "base_rows"), [(10, 10), (1_000_000, 1_000_000), (5_000_000, 1_000_000)])
def test_a_small_matrix_is_certified_at_its_own_size(rows: int, base_rows: int) -> None:
    assert RunConfig(rows=rows).base_rows == base_rows


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("row = 5", "row: there is no such key. Did you mean 'rows'?"),
        ("[plan]\nbase_row = 5", "plan.base_row: there is no such key. Did you mean 'base_rows'?"),
        ("rows = 0", "rows: Input should be greater than or equal to 1 (got 0)"),
        ("rows = 100_000_000_001", "rows: Input should be less than or equal to 100000000000"),
        ("rows = 1.5", "rows: Input should be a valid integer"),
        ('rows = "many"', "rows: Input should be a valid integer"),
        ("workers = 0", "workers: Value error, 1 to 1,024 worker processes (got 0)"),
        ("workers = 1025", "workers: Value error, 1 to 1,024 worker processes (got 1025)"),
        (
            'workers = "many"',
            "workers: Value error, 'many' is neither a number nor a Dask scheduler's address, as tcp:",
        ),
        ('workers = "tcp://host"', "neither a number nor a Dask scheduler's address, as tcp://host:8786 (got 'tcp:"),
        ("shard_rows = 0", f"shard_rows: Input should be greater than or equal to {ROW_GROUP} (got 0)"),
        ("shard_rows = 131_073", f"shard_rows: Input should be a multiple of {ROW_GROUP} (got 131073)"),
        ('seeds = "mine"', "seeds: Input should be a valid tuple (got 'mine')"),
        ("samples = false", "samples: Input should be a valid tuple (got False)"),
        ("[plan]\nbase_rows = -1", "plan.base_rows: Input should be greater than or equal to 1 (got -1)"),
    ],
)
def test_a_faulty_setting_is_named_with_what_came(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_config(file)
    assert str(caught.value).startswith(f"{file}: not a valid run\n")
    assert message in str(caught.value)
    assert caught.value.exit_code == 2


def test_all_faulty_settings_are_named_at_once(file: Path) -> None:
    file.write_text("rows = 0\nhue = 1\n[plan]\nbase_rows = 0")
    with pytest.raises(UsageError) as caught:
        read_config(file, workers=0)
    assert [line.split(":")[0].strip() for line in str(caught.value).splitlines()[1:]] == [
        "rows", "workers", "plan.base_rows", "hue"
    ]  # fmt: skip


def test_a_faulty_setting_of_the_command_line_is_not_blamed_on_a_file(file: Path) -> None:
    with pytest.raises(UsageError, match=r"^run settings: not a valid run\n  rows: .* \(got -1\)$"):
        read_config(None, rows=-1)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"rows =\n", "not valid TOML: Invalid value"),
        (b"rows = 1\nrows = 2\n", "not valid TOML: Cannot overwrite a value"),
        ('out = "é"'.encode("latin-1"), "not valid TOML: 'utf-8' codec can't decode"),
        (b"\xef\xbb\xbfrows = 1", "not valid TOML: "),
    ],
)
def test_a_file_that_is_no_toml_is_the_callers_mistake(file: Path, raw: bytes, message: str) -> None:
    file.write_bytes(raw)
    with pytest.raises(UsageError) as caught:
        read_config(file)
    assert str(caught.value).startswith(f"{file}: {message}")


def test_a_path_that_is_no_file_is_the_callers_mistake(file: Path) -> None:
    with pytest.raises(UsageError, match=r"night.toml: no such file; give -c the path of a run's TOML file"):
        read_config(file)
    with pytest.raises(UsageError, match="runs: cannot be read: Is a directory"):
        read_config(file.parent)


def test_a_run_cannot_be_changed_after_it_was_checked() -> None:
    config = RunConfig()
    with pytest.raises(ValueError, match="frozen"):
        config.rows = 0  # type: ignore[misc]


DESK = '[packs.desk]\ntargets = ["openai-realtime", "gemini-live"]\n'


def test_a_choice_is_saved_with_what_its_scenes_are_told_with(file: Path) -> None:
    file.write_text(DESK + 'where = "age > 40"\nlike = "calm"\ndiverse = 3\naudience = "children"\nzip = true\n'
                    'crisis_line = "110"\n[packs.desk.models]\ngemini-live = "gemini-3"\n')  # fmt: skip
    desk = read_config(file).packs["desk"]
    assert (desk.where, desk.like, desk.diverse, desk.limit, desk.zip) == ("age > 40", "calm", 3, None, True)
    assert desk.models == {"gemini-live": "gemini-3"}
    assert desk.scenes == SceneSettings(audience="children", crisis_line="110")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[packs.desk]\nwhere = "age > 3"', "packs.desk.targets: Field required"),
        ("[packs.desk]\ntargets = []", "packs.desk.targets: Tuple should have at least 1 item"),
        ('[packs.desk]\ntargets = ["a", "a"]', "packs.desk: Value error, a target is named twice"),
        (DESK + 'models = {stepfun = "x"}', "models names stepfun, which is none of the targets"),
        (DESK + "divers = 3", "packs.desk.divers: there is no such key. Did you mean 'diverse'?"),
        (DESK + "qq = 3", "packs.desk.qq: there is no such key. Known: audience, crisis_line, disclosure, "),
        (DESK + "diverse = 0", "packs.desk.diverse: Input should be greater than or equal to 1 (got 0)"),
        (DESK + 'like = ""', "packs.desk.like: String should have at least 1 character"),
        (DESK + 'audience = "adults"', "packs.desk.audience: Input should be 'general', 'children' or 'mature'"),
        (DESK.replace("desk", '"../desk"'), "String should match pattern"),
    ],
)
def test_a_saved_choice_at_fault_is_refused(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_config(file)
    assert message in str(caught.value)
