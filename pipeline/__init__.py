"""Persona Matrix: authored personas, expanded by exact rules into a matrix that is a function.

    from pipeline import load_seeds, scan_matrix, virtual_matrix

Names are imported when first used, so that `import pipeline` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from pipeline.axis_files import load_axes
    from pipeline.config import SceneSettings
    from pipeline.persona_matrix import PersonaMatrix
    from pipeline.plan import Plan, decode, make_plan
    from pipeline.plan_file import read_plan
    from pipeline.scenes import with_scenes
    from pipeline.seeds import Seed, load_seeds
    from pipeline.store import scan_matrix, scan_pairings
    from pipeline.virtual import virtual_matrix

_HOMES = {
    "PersonaMatrix": "persona_matrix", "Plan": "plan", "SceneSettings": "config", "Seed": "seeds",
    "decode": "plan", "load_axes": "axis_files", "load_seeds": "seeds", "make_plan": "plan", "read_plan": "plan_file",
    "scan_matrix": "store", "scan_pairings": "store", "virtual_matrix": "virtual", "with_scenes": "scenes",
}  # fmt: skip

__all__ = [
    "PersonaMatrix", "Plan", "SceneSettings", "Seed", "decode", "load_axes", "load_seeds", "make_plan", "read_plan",
    "scan_matrix", "scan_pairings", "virtual_matrix", "with_scenes",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pipeline' has no attribute {name!r}")
    return getattr(import_module(f"pipeline.{_HOMES[name]}"), name)
