"""Where personas can be exported to."""

from collections.abc import Callable
from typing import Any, NamedTuple

from pipeline.errors import Fault
from pipeline.packs import gemini_live, openai_realtime, stepfun_realtime
from pipeline.packs.persona import Persona


class Target(NamedTuple):
    export: Callable[[Persona], dict[str, Any]]
    faults: Callable[[dict[str, Any]], list[Fault]]
    not_expressed: tuple[str, ...]  # what of a persona the format has no place for
    instructions: Callable[[dict[str, Any]], str]  # of a document: the text that the vendor's model is told
    can_check: Callable[[], bool] = lambda: True


TARGETS: dict[str, Target] = {
    "gemini-live": Target(
        gemini_live.session,
        gemini_live.faults,
        gemini_live.NOT_EXPRESSED,
        gemini_live.instructions,
        gemini_live.can_check,
    ),
    "openai-realtime": Target(
        openai_realtime.session_update,
        openai_realtime.faults,
        openai_realtime.NOT_EXPRESSED,
        openai_realtime.instructions,
        openai_realtime.can_check,
    ),
    "stepfun-realtime": Target(
        stepfun_realtime.session_update,
        stepfun_realtime.faults,
        stepfun_realtime.NOT_EXPRESSED,
        stepfun_realtime.instructions,
    ),
}
