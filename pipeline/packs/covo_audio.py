"""Covo-Audio-Chat (Tencent): the system text of a dialogue, and the settings that the model is sampled with.

Source: ``get_dialog_prompt`` in https://github.com/Tencent/Covo-Audio/blob/main/covoaudio/modeling_covo_audio.py and
example.py (2026-03).  The model runs on one's own machine and has no session API; the shape of the document is ours.
Its prompt is Qwen's ChatML, and the last line of the system text, which says how text and audio alternate and who
speaks, is what the model was trained on: it must stand as it is.
"""

import re

from pipeline.errors import Fault
from pipeline.packs.persona import Persona
from pipeline.packs.target import Document, Target
from pipeline.schema_check import schema_faults

SPEAKER = "default_female"
LAST_LINE = f"请用文本和音频进行对话，交替生成5个文本token和15个音频token，音频部分使用发音人：{SPEAKER}"
# Arguments of ``generate`` in the vendor's example; there the first round takes the defaults, the others these.
GENERATION = {
    "max_new_tokens": 2048,
    "repetition_penalty": 1.05,
    "do_sample": True,
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 50,
}

# ChatML's own marks: <|im_start|>, <|im_end|>, <|endoftext|>, and the model's <|cAUDIO|> and its like.
MARK = re.compile(r"<\|[^|<>]*\|>")


def dialogue(persona: Persona, model: str = "") -> Document:
    return {
        "system_prompt": f"{_unmarked(persona.scene)}\n{LAST_LINE}",
        "speaker": SPEAKER,
        "modality": "a2ta",
        "generation": dict(GENERATION),
    }


def _unmarked(text: str) -> str:
    """A mark in a seed's text would end the system's turn and begin another's; parted, it is read as plain text."""
    return text.replace("<|", "< |")


def instructions(document: Document) -> str:
    return str(document["system_prompt"])


def faults(document: Document, model: str = "") -> list[Fault]:
    """Against the closed schema in schemas/vendor/, and whether the text is one right turn of ChatML."""
    name = "covo-audio"
    found = schema_faults("vendor/covo-audio", document, name, 0)
    if found:
        return found
    text = document["system_prompt"]
    told, line, rest = text.rpartition(f"\n{LAST_LINE}")
    if not line or rest:
        found.append(
            Fault(name, 0, "system_prompt", "its last line is not the model's own", f"End it with {LAST_LINE}")
        )
    if line and not told.strip():
        found.append(Fault(name, 0, "system_prompt", "nothing is told before the last line", "Tell who speaks."))
    for mark in sorted(set(MARK.findall(text))):
        found.append(Fault(name, 0, "system_prompt", f"{mark} would break the turn", "Part it: < |."))
    return found


TARGET = Target(
    about="Covo-Audio: the Qwen ChatML system turn and sampling.",
    export=dialogue,
    faults=faults,
    instructions=instructions,
    not_expressed=(
        "the voice: the model has one speaker, its timbre is the recording given to token2wav",
        "speaking rate, pitch and energy as numbers",
        "when to take the floor, and noise reduction: the app cuts the audio of a turn",
        "the first spoken line and a reminder in mid-session: the model only answers recordings",
    ),
    imports="import json",
    client="""\
config = json.load(open("{config}"))  # its system_prompt takes the place of sys_prompt in get_dialog_prompt
wavs, input_ids, attention_mask = get_dialog_prompt(audio=recording, tokenizer=tokenizer, device="cuda:0")
result = model.generate(input_ids=input_ids, wavs=wavs, attention_mask=attention_mask, **config["generation"])""",
)
