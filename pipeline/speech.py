"""Speak SSML offline by espeak-ng, to hear a persona's prosody without a vendor.

The library and its voices come with the package espeakng-loader (extra ``voice``); the calls are those of
https://github.com/espeak-ng/espeak-ng/blob/master/src/include/espeak-ng/speak_lib.h.  espeak-ng is a formant
synthesiser: pace, pitch, volume and pauses are what the SSML asks for, the voice is nobody's.
"""

import ctypes
import importlib
import wave
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from pipeline.errors import UsageError
from pipeline.files import write_whole
from pipeline.seeds import Lang

SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: samples go to the callback, nothing to a sound card
DONT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT: an error is returned, the process lives on
UTF8, SSML = 0x1, 0x10  # espeakCHARS_UTF8, espeakSSML
POSITION_CHARACTER = 1
VOICE: dict[Lang, str] = {"en": "en-us", "zh": "cmn"}
VARIANT = {"female": "+f3", "male": "+m3"}

Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)


class Sound(NamedTuple):
    samples: bytes  # mono, 16 bits signed, little-endian
    rate: int  # Hz


class _Espeak:
    """The library has one state for the process."""

    def __init__(self) -> None:
        try:
            loader = importlib.import_module("espeakng_loader")
        except ImportError as error:
            raise UsageError("speaking needs espeak-ng: install persona-matrix[voice]") from error
        self._library: Any = ctypes.CDLL(loader.get_library_path())
        self.rate = int(
            self._library.espeak_Initialize(SYNCHRONOUS, 0, str(loader.get_data_path()).encode(), DONT_EXIT)
        )
        if self.rate <= 0:
            raise UsageError("espeak-ng finds no voices: install persona-matrix[voice] anew")
        self._heard: list[bytes] = []
        self._callback = Callback(self._hear)  # kept: the library does not hold it
        self._library.espeak_SetSynthCallback(self._callback)

    def _hear(self, samples: int | None, number: int, events: int | None) -> int:  # noqa: ARG002
        if samples and number:
            self._heard.append(ctypes.string_at(samples, 2 * number))
        return 0

    def speak(self, ssml: str, voice: str) -> bytes:
        self._heard.clear()
        text = ssml.encode() + b"\0"
        calls = (
            self._library.espeak_SetVoiceByName(voice.encode()),
            self._library.espeak_Synth(text, len(text), 0, POSITION_CHARACTER, 0, UTF8 | SSML, None, None),
            self._library.espeak_Synchronize(),
        )
        assert calls == (0, 0, 0), f"espeak-ng: errors {calls} for the voice {voice}"
        return b"".join(self._heard)


_one_at_a_time = Lock()
_espeak = cache(_Espeak)


def spoken(ssml: str, lang: Lang, gender: str | None) -> Sound:
    """The sound of an SSML document, which must be well-formed: espeak-ng does not check.

    Raises UsageError where the package is missing.
    """
    with _one_at_a_time:
        espeak = _espeak()
        return Sound(espeak.speak(ssml, VOICE[lang] + VARIANT.get(gender or "", "")), espeak.rate)


def write_wav(sound: Sound, path: Path) -> None:
    def write(temporary: Path) -> None:
        with wave.open(str(temporary), "wb") as stream:
            stream.setnchannels(1)
            stream.setsampwidth(2)
            stream.setframerate(sound.rate)
            stream.writeframes(sound.samples)

    write_whole(path, write)
