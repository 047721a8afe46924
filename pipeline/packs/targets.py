"""Where personas can be exported to."""

from pipeline.packs import azure_voice_live, elevenlabs_agent, gemini_live, openai_realtime, stepfun_realtime
from pipeline.packs.target import Target

TARGETS: dict[str, Target] = {
    "azure-voice-live": azure_voice_live.TARGET,
    "elevenlabs-agent": elevenlabs_agent.TARGET,
    "gemini-live": gemini_live.TARGET,
    "openai-realtime": openai_realtime.TARGET,
    "stepfun-realtime": stepfun_realtime.TARGET,
}
