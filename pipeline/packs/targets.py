"""Where personas can be exported to."""

from pipeline.packs import character_card, gemini_live, openai_realtime, stepfun_realtime
from pipeline.packs.target import Target

TARGETS: dict[str, Target] = {
    "character-card": character_card.TARGET,
    "gemini-live": gemini_live.TARGET,
    "openai-realtime": openai_realtime.TARGET,
    "stepfun-realtime": stepfun_realtime.TARGET,
}
