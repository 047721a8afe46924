import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import compiled, kernel

# What a build does, and `personas show`, after what is compiled ahead; in a process that has compiled nothing else.
BUILD = """
import sys
from pathlib import Path
from pipeline import compiled, kernel
from pipeline.coverage import unreachable
from pipeline.plan import decode, make_plan
from pipeline.plan_file import plan_json, read_plan
from pipeline.quality import verify
from tests.golden_content import ROWS, golden_axes, golden_seeds
from tests.small_versions import built, seal, seeds_file

def known():
    functions = {name: made for name, made in vars(kernel).items() if hasattr(made, "signatures")}
    return {(name, str(signature)) for name, made in functions.items() for signature in made.signatures}

for side in compiled.SIDES:
    side()
ahead = known()
out, axes, seeds = Path(sys.argv[1]), golden_axes(), golden_seeds()
assert not unreachable(axes)
(out / "plan.json").write_text(plan_json(make_plan(seeds, axes, ROWS, triples=True)), "utf-8")
plan = read_plan(out / "plan.json")
decode(plan, 0, 0)
building = built(out, plan, ROWS, ROWS)
faults, _ = verify(seal(building, plan, seeds_file(out, seeds), ROWS, ROWS))
assert not faults, faults
print(" ".join(sorted({name for name, _ in known() - ahead})))
"""
# Called by Python for single rows alone; their machine code stands in the cache beside that of the loops around them.
INNER = {"weigh", "decode", "mix", "point"}


def test_a_build_compiles_nothing_that_was_not_compiled_ahead(tmp_path: Path) -> None:
    run = [sys.executable, "-c", BUILD, str(tmp_path)]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= INNER


def test_a_kernel_is_compiled_ahead_once_and_anew_where_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "kernel.py"
    source.write_text("one", "utf-8")
    monkeypatch.setattr(kernel, "__file__", str(source))
    monkeypatch.setattr(compiled, "_folder", lambda: tmp_path)
    assert not compiled.is_compiled()
    compiled.mark_compiled()
    source.touch()
    assert compiled.is_compiled()
    source.write_text("two", "utf-8")
    assert not compiled.is_compiled()
