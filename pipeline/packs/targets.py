"""Where personas can be exported to.

Hume's EVI is not among them: by https://dev.hume.ai access to it ended on 13 November 2026.
"""

from pipeline.packs import (
    azure_voice_live,
    character_card,
    covo_audio,
    doubao_realtime,
    elevenlabs_agent,
    gemini_live,
    livekit_agents,
    open_webui,
    openai_messages,
    openai_realtime,
    pipecat_pipeline,
    prompts_csv,
    qwen_omni_realtime,
    stepfun_realtime,
)
from pipeline.packs.target import Target

TARGETS: dict[str, Target] = {
    "azure-voice-live": azure_voice_live.TARGET,
    "character-card": character_card.TARGET,
    "covo-audio": covo_audio.TARGET,
    "doubao-realtime": doubao_realtime.TARGET,
    "elevenlabs-agent": elevenlabs_agent.TARGET,
    "gemini-live": gemini_live.TARGET,
    "livekit": livekit_agents.TARGET,
    "open-webui": open_webui.TARGET,
    "openai-messages": openai_messages.TARGET,
    "openai-realtime": openai_realtime.TARGET,
    "pipecat": pipecat_pipeline.TARGET,
    "prompts-csv": prompts_csv.TARGET,
    "qwen-omni-realtime": qwen_omni_realtime.TARGET,
    "stepfun-realtime": stepfun_realtime.TARGET,
}
