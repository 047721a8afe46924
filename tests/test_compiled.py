import os
import subprocess
import sys
from pathlib import Path

FIRST = """
from pipeline import compiled
assert not compiled.is_compiled()
for side in compiled.SIDES:
    side()
assert compiled.is_compiled()
"""
# What a build does, and `personas show`; any function that had to be compiled for it is named.
THEN = """
import sys
from pathlib import Path
from pipeline import kernel
from pipeline.compiled import is_compiled
from pipeline.coverage import unreachable
from pipeline.matrix import Expansion
from pipeline.plan import decode, make_plan
from pipeline.plan_file import plan_json, read_plan
from pipeline.quality import verify
from tests.golden_content import ROWS, golden_axes, golden_seeds
from tests.small_versions import built, seal, seeds_file

assert is_compiled()
out, axes, seeds = Path(sys.argv[1]), golden_axes(), golden_seeds()
assert not unreachable(axes)
(out / "plan.json").write_text(plan_json(make_plan(seeds, axes, ROWS, triples=True)), "utf-8")
plan = read_plan(out / "plan.json")
decode(plan, 0, 0)
building = built(out, plan, ROWS, ROWS)
faults, _ = verify(seal(building, plan, seeds_file(out, seeds), ROWS, ROWS))
assert not faults, faults
functions = {name: made for name, made in vars(kernel).items() if hasattr(made, "stats")}
print({name: made.stats.cache_misses for name, made in functions.items() if made.stats.cache_misses})
"""


def test_a_build_compiles_nothing_that_was_not_compiled_ahead(tmp_path: Path) -> None:
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    run = [sys.executable, "-c"]
    subprocess.run([*run, FIRST], env=env, check=True)
    done = subprocess.run([*run, THEN, str(tmp_path)], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "{}"
