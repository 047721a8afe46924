"""Where personas can be exported to."""

from pipeline.packs import (
    covo_audio,
    doubao_realtime,
    gemini_live,
    openai_realtime,
    qwen_omni_realtime,
    stepfun_realtime,
)
from pipeline.packs.target import Target

TARGETS: dict[str, Target] = {
    "covo-audio": covo_audio.TARGET,
    "doubao-realtime": doubao_realtime.TARGET,
    "gemini-live": gemini_live.TARGET,
    "openai-realtime": openai_realtime.TARGET,
    "qwen-omni-realtime": qwen_omni_realtime.TARGET,
    "stepfun-realtime": stepfun_realtime.TARGET,
}
