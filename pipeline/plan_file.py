"""Plans as JSON files: self-contained, versioned, and refused where they were changed."""

import base64
import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic_core import from_json

from pipeline import kernel
from pipeline.axes import Axes
from pipeline.coverage import FrozenRows
from pipeline.errors import UsageError
from pipeline.plan import PLAN_VERSION, Plan, PlannedSeed, recipe, recipe_id
from pipeline.rules import Tables

NOT_OF_RECIPE = frozenset({"id", "report", "report_id"})


def plan_json(plan: Plan) -> str:
    """The plan as JSON: its id, the recipe that the id is the hash of, and the report with a hash of its own."""
    told = {"report": plan.report, "report_id": recipe_id(plan.report)}
    return json.dumps({"id": plan.id, **recipe(plan), **told}, ensure_ascii=False) + "\n"


@contextmanager
def _here_to_stay() -> Iterator[None]:
    """Keeps the garbage collector off what is made meanwhile, and off it afterwards until it goes over all there is.

    A hundred thousand objects that stay make the collector go over every object of the process twice, once here and
    once when the kernel is loaded, and free none: 0.15 s of a cold start.  Frozen and unfrozen, all there is counts as
    old, which costs nothing.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled and not gc.get_freeze_count():  # what the program itself has frozen stays so
            gc.freeze()
            gc.unfreeze()
        if enabled:
            gc.enable()


@_here_to_stay()
def read_plan(path: Path) -> Plan:
    """A saved plan.  Raises UsageError where it is no plan, of another version, or changed since it was frozen."""
    try:
        document = from_json(path.read_bytes())  # twice as fast as json, and a plan is megabytes
        version = document["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path}: not a plan that can be read ({error}); make one with `personas plan --out`"
        ) from None
    if version != PLAN_VERSION:
        raise UsageError(
            f"{path}: a plan of version {version}; this program reads version {PLAN_VERSION}. Use the program that "
            "made it, or fit a new plan with `personas plan --out` (its rows will differ)."
        )
    report = document.get("report")
    frozen = document.get("id"), document.get("report_id")
    found = recipe_id({k: v for k, v in document.items() if k not in NOT_OF_RECIPE}), recipe_id(report or {})
    if frozen != found:
        raise UsageError(
            f"{path}: plan {frozen[0]} was changed after it was frozen. Restore the file, or fit a new plan with "
            "`personas plan --out` (its rows will differ)."
        )
    return _plan(document)


def _unpacked(column: str, of: str) -> npt.NDArray[Any]:
    return np.frombuffer(base64.b64decode(column), of)


def _plan(document: dict[str, Any]) -> Plan:
    stored, covering = document["tables"], document["coverage"]
    cards = np.array(stored["cards"])
    width = int(cards.max())
    edges = np.zeros((len(cards), width, width), np.uint16)
    for axis, table in enumerate(stored["edges"]):
        if table:
            edges[axis, : len(table), : len(table[0])] = table
    weights = np.full((len(cards), width), kernel.WEIGHT_ONE, np.uint32)
    for axis, row in enumerate(document["weights"]):
        weights[axis, : len(row)] = row
    return Plan(
        axes=Axes.model_validate(document["axes"]),
        tables=Tables(
            cards=cards,
            parents=np.array(stored["parents"]),
            domain_of=np.array(stored["domain_of"]),
            family_of=np.array(stored["family_of"]),
            scenario_state=np.array(stored["scenario_state"], np.uint16),
            scenario_tone=np.array(stored["scenario_tone"], np.uint16),
            state_tone=np.array(stored["state_tone"], np.uint16),
            domain_state_family=np.array(stored["domain_state_family"], np.uint16),
            edges=edges,
        ),
        weights=weights,
        seeds=tuple(
            PlannedSeed(
                **{key: seed[key] for key in ("id", "lang", "license", "weight", "fingerprint")},
                distinct_bits=seed["distinct_bits"],
                cap=seed["cap"],
                traits=None if seed["traits"] is None else tuple(seed["traits"]),
                stances=tuple(seed["stances"]),
                allowed=tuple(int(bits, 16) for bits in seed["allowed"]),
            )
            for seed in document["seeds"]
        ),
        base_rows=document["base_rows"],
        coverage=FrozenRows(
            seeds=_unpacked(covering["seeds"], "<u4"),
            variants=_unpacked(covering["variants"], "<u4"),
            joins=_unpacked(covering["joins"], "<u4"),
            codes=_unpacked(covering["codes"], "<u1").reshape(-1, len(cards)),
        ),
        report=document["report"],
    )
