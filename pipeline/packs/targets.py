"""Where personas can be exported to."""

from pipeline.packs import (
    character_card,
    gemini_live,
    livekit_agents,
    open_webui,
    openai_messages,
    openai_realtime,
    pipecat_pipeline,
    prompts_csv,
    stepfun_realtime,
)
from pipeline.packs.target import Target

TARGETS: dict[str, Target] = {
    "character-card": character_card.TARGET,
    "gemini-live": gemini_live.TARGET,
    "livekit": livekit_agents.TARGET,
    "open-webui": open_webui.TARGET,
    "openai-messages": openai_messages.TARGET,
    "openai-realtime": openai_realtime.TARGET,
    "pipecat": pipecat_pipeline.TARGET,
    "prompts-csv": prompts_csv.TARGET,
    "stepfun-realtime": stepfun_realtime.TARGET,
}
