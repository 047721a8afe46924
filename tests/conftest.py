"""Small real content shared by the tests: the shipped axes, a handful of shipped seeds, and a plan over them.

And `run`, which runs a command as a terminal would.
"""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st

from pipeline.axes import Axes
from pipeline.axis_files import load_axes
from pipeline.cli import main
from pipeline.conversations import Sample, load_samples
from pipeline.plan import Plan, make_plan
from pipeline.seeds import Seed, load_seeds

ROOT = Path(__file__).parent.parent
BASE_ROWS = 30_000  # of the plan fixture; fewer have no room for every pair of scenario and temperament
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)

settings.register_profile("steady", derandomize=True, deadline=None, max_examples=50)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


def pytest_configure() -> None:
    """As from a terminal: a shell's background job ignores Ctrl-C, and so would every program that a test starts."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def axes() -> Axes:
    return load_axes(ROOT / "seeds" / "axes")


@pytest.fixture(scope="session")
def shipped_seeds() -> list[Seed]:
    return load_seeds([ROOT / "seeds" / "personas"])


@pytest.fixture(scope="session")
def shipped_samples() -> list[Sample]:
    return load_samples([ROOT / "data" / "conversations"])


@pytest.fixture(scope="session")
def seeds(shipped_seeds: list[Seed]) -> list[Seed]:
    """Twenty seeds, half of each language: room for 400,000 rows without doubles."""
    by_lang = {lang: [seed for seed in shipped_seeds if seed.lang == lang][:10] for lang in ("en", "zh")}
    return [*by_lang["en"], *by_lang["zh"]]


@pytest.fixture(scope="session")
def plan(seeds: list[Seed], axes: Axes) -> Plan:
    """A plan certified at BASE_ROWS."""
    return make_plan(seeds, axes, BASE_ROWS)


class Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document that --json prints."""
        (line,) = self.out.splitlines()
        return json.loads(line)


Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command in an empty folder; nothing but SystemExit may come out."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object) -> Done:
        with pytest.raises(SystemExit) as left:
            main([str(argument) for argument in arguments])
        assert isinstance(left.value.code, int)
        return Done(left.value.code, *capsys.readouterr())

    return command
