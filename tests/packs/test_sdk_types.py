from collections.abc import Iterable
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from pipeline.packs.sdk_types import sdk_faults


class Keeps(BaseModel):
    model_config = ConfigDict(extra="allow")
    rate: Literal[24000] | None = None
    schema_: str | None = Field(None, alias="schema")


class Drops(BaseModel):
    speed: float | None = None
    inner: Keeps | None = None


class Typed(TypedDict, total=False):
    role: str
    parts: Iterable[Drops]
    free: dict[str, Any]


class Open(BaseModel):
    level: Literal["patient", "eager"] | Any = None


@pytest.mark.parametrize(
    ("sdk_type", "document", "fields"),
    [
        (Keeps, {"rate": 24000, "schema": "x"}, []),
        (Keeps, {"rates": 24000}, ["rates"]),
        (Drops, {"speed": 1, "inner": {"rate": 24000}}, []),
        (Drops, {"speeed": 1.0}, ["speeed"]),
        (Drops, {"inner": {"rat": 1}, "z": 0}, ["inner.rat", "z"]),
        (Typed, {"role": "system", "free": {"any": {"key": 1}}}, []),
        (Typed, {"rule": "system"}, ["rule"]),
        (Typed, {"parts": [{"speed": 1.0}, {"sped": 1.0}]}, ["parts.1.sped"]),
        (Typed, {"parts": [{"speed": "fast"}]}, ["0.speed"]),
        (list[Drops | Keeps], [{"speed": 1.0, "extra": 2}], ["0.extra"]),
        (Drops, {"speed": "1.0"}, ["speed"]),
        (Drops, {"speed": True}, ["speed"]),
        (Open, {"level": "eager"}, []),
        (Open, {"level": "high"}, ["level"]),
        (Open, {"level": ["eager"]}, ["level"]),
    ],
)
def test_what_a_type_refuses_keeps_apart_or_drops_is_a_fault(sdk_type: Any, document: Any, fields: list[str]) -> None:
    assert [fault.field for fault in sdk_faults(sdk_type, document, "event")] == fields
