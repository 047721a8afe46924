import subprocess
import sys

import pytest

import pipeline
from pipeline.scenes import with_scenes
from pipeline.store import scan_matrix

HEAVY = ("polars", "numba", "numpy", "prefect", "pyarrow", "dataframely", "pydantic", "jinja2", "openai", "flows")


@pytest.mark.parametrize("name", pipeline.__all__)
def test_a_public_name_can_be_imported(name: str) -> None:
    assert getattr(pipeline, name).__name__ == name
    assert getattr(pipeline, name).__module__.startswith("pipeline.")


def test_a_public_name_is_the_thing_itself() -> None:
    assert pipeline.scan_matrix is scan_matrix
    assert pipeline.with_scenes is with_scenes


def test_a_name_it_does_not_have_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'pipeline' has no attribute 'load_seed'"):
        pipeline.load_seed  # noqa: B018


def imported_by(statement: str) -> set[str]:
    script = f"import sys; {statement}; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_it_imports_nothing_heavy() -> None:
    assert imported_by("import pipeline").isdisjoint(HEAVY)


def test_the_library_never_imports_its_orchestrator() -> None:
    names = ", ".join(pipeline.__all__)
    modules = imported_by(f"from pipeline import {names}; import pipeline.cli, pipeline.packs.pack, pipeline.build")
    assert "polars" in modules
    assert modules.isdisjoint({"prefect", "flows", "fastapi", "openai"})


def test_the_command_line_starts_without_the_compiled_parts() -> None:
    compiled = {"polars", "numpy", "numba", "pyarrow", "websockets", "httpx", "prefect", "flows", "openai"}
    assert imported_by("import pipeline.cli").isdisjoint(compiled)
