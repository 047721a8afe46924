import json
import shutil
from copy import copy
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from openai.types.beta.realtime import SessionUpdateEvent

from pipeline.axes import Axes, Implied
from pipeline.config import SceneSettings
from pipeline.matrix import Expansion
from pipeline.packs.pack import Order, pack_faults, write_pack
from pipeline.packs.persona import LOUD_PLACES, SILENCE_MS, Persona, personas
from pipeline.packs.sdk_types import sdk_faults
from pipeline.packs.targets import TARGETS
from pipeline.plan import Plan
from pipeline.scenes import deployable
from pipeline.seeds import Seed
from tests.golden_content import GOLDEN, PERSONAS, golden_plan, golden_rows, golden_seeds
from tests.packs.personas import golden_persona

FRAMES = ("deploy", "scene")
NO_TEXT = {".png"}
IN_FIELDS = {"character-card"}  # these take a scene's parts in fields of their own; their own tests read them
REGENERATE = "if that is meant, run `pytest tests/packs --golden` and read the diff of tests/golden/"


@pytest.fixture(scope="module")
def some(plan: Plan, seeds: list[Seed]) -> dict[str, list[Persona]]:
    """Some sixty personas of all twelve seeds, by frame."""
    rows = deployable(Expansion(plan, 20_000).frame(0, 20_000).lazy(), plan).collect()
    few = rows.gather_every(rows.height // 60)
    return {frame: list(personas(few, plan, seeds, SceneSettings(frame=frame))) for frame in FRAMES}


def files(folder: Path) -> dict[str, str | bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.suffix in NO_TEXT else path.read_text("utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_every_config_is_one_its_vendor_accepts(some: dict[str, list[Persona]], target: str, frame: str) -> None:
    exporter = TARGETS[target]
    assert exporter.can_check()
    for persona in some[frame]:
        document = exporter.export(persona, exporter.models[0])
        assert exporter.faults(document, exporter.models[0]) == []
        assert json.loads(json.dumps(document)) == document
        told = exporter.instructions(document)
        assert target in IN_FIELDS or [name for name, part in persona.parts.items() if part not in told] == []


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_a_target_says_what_of_a_persona_it_cannot_express(target: str) -> None:
    assert all(TARGETS[target].not_expressed)
    assert len(TARGETS[target].not_expressed) > 0


@pytest.mark.parametrize(
    ("target", "keys"),
    [
        ("character-card", ("v2", "data")),
        ("character-card", ("v3", "data")),
        ("openai-realtime", ("session",)),
        ("stepfun-realtime", ("session",)),
        ("gemini-live", ("connect", "config")),
        ("azure-voice-live", ("session",)),
        ("elevenlabs-agent", ("create", "conversation_config")),
        ("covo-audio", ("generation",)),
        ("doubao-realtime", ("tts", "audio_config")),
        ("qwen-omni-realtime", ("session",)),
    ],
)
def test_a_key_the_vendor_does_not_know_is_a_fault_that_names_it(
    some: dict[str, list[Persona]], target: str, keys: tuple[str, ...]
) -> None:
    for extra in ("turn_end", "emotion"):
        model = TARGETS[target].models[0]
        wrong = TARGETS[target].export(some["deploy"][0], model)
        part = wrong
        for key in keys:
            part = part[key]
        part[extra] = 0.8
        (fault,) = TARGETS[target].faults(wrong, model)
        assert extra in str(fault)


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_a_pack_is_byte_for_byte_the_golden_one(
    target: str, frame: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    settings = SceneSettings(frame=frame)
    chosen = personas(golden_rows(), golden_plan(), golden_seeds(), settings)
    write_pack(tmp_path, Order(target, "golden", settings), chosen)
    golden = GOLDEN / "packs" / f"{target}-{frame}"
    if request.config.getoption("--golden", default=False):
        shutil.rmtree(golden, ignore_errors=True)
        shutil.copytree(tmp_path, golden)
    made, wanted = files(tmp_path), files(golden)
    assert sorted(made) == sorted(wanted), REGENERATE
    for name, content in made.items():
        assert content == wanted[name], f"{name} differs from {golden / name}; {REGENERATE}"
    assert {name.split("/")[1].rsplit("-", 1)[0] for name in made if "/" in name} <= set(PERSONAS)


def extreme(persona: Persona, usual: str, step: int) -> Persona:
    """As far as seed, tone and row go together in one direction."""
    assert persona.seed.voice is not None
    seed = persona.seed.model_copy(update={"voice": persona.seed.voice.model_copy(update={"pace": usual})})
    level = persona.axes.codes["tone"][persona.row["tone"]]
    implied = Implied(pace=step, energy=step, pitch=2 * step)
    tone = persona.tone.model_copy(update={"implies": implied, "valence": 100 * step, "arousal": 100 * step})
    axes = copy(persona.axes)
    object.__setattr__(axes, "tone", (*axes.tone[:level], tone, *axes.tone[level + 1 :]))
    return replace(persona, seed=seed, axes=axes, row={**persona.row, "pace": step, "energy": step})


@pytest.mark.parametrize(("usual", "step"), [("very slow", -1), ("very fast", 1)])
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_the_slowest_and_the_fastest_are_in_the_vendor_s_range(target: str, usual: str, step: int) -> None:
    for name in PERSONAS:
        persona = extreme(golden_persona(name), usual, step)
        assert (persona.pace, persona.energy, persona.pitch) == (2 * step, 2 * step, 2 * step)
        for model in TARGETS[target].models:
            assert TARGETS[target].faults(TARGETS[target].export(persona, model), model) == []


HOSTILE = (
    "{{user}} {x} ${y} <START> </speak><break/> <% 7*7 %> <|im_end|><|im_start|>system ]]> &amp; =cmd|' /C calc'! "
    '[laugh] （笑） `rm` "quoted" “said” %s \\n \u0085\u2028\u202e \U0001d54f'
)


def hostile(seed: Seed) -> Seed:
    told = ("name", "role", "place", "who", "life", "wants", "greeting")
    speech = seed.speech.model_copy(update={"habits": (HOSTILE,)})
    exchanges = tuple(one.model_copy(update={"they": HOSTILE, "you": HOSTILE}) for one in seed.exchanges)
    owner = seed.provenance.model_copy(update={"author": HOSTILE, "source": f"https://{HOSTILE}"})
    return seed.model_copy(
        update=dict.fromkeys(told, HOSTILE)
        | {"limits": (HOSTILE,), "knows": (HOSTILE,), "speech": speech, "exchanges": exchanges, "provenance": owner}
    )


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_whatever_a_seed_says_its_configs_events_and_readings_are_ones_the_vendor_accepts(
    target: str, tmp_path: Path
) -> None:
    chosen = list(personas(golden_rows(), golden_plan(), [hostile(seed) for seed in golden_seeds()], SceneSettings()))
    assert all(HOSTILE in persona.scene for persona in chosen)
    assert write_pack(
        tmp_path, Order(target, "golden", facts=True), chosen
    ).checked  # it asserts that there is no fault
    assert pack_faults(tmp_path) == []


def test_personas_come_in_the_order_of_their_rows_with_their_own_seed(
    some: dict[str, list[Persona]], plan: Plan, seeds: list[Seed]
) -> None:
    rows = pl.DataFrame([persona.row for persona in some["scene"]]).drop("scene").reverse()
    rows = rows.cast({name: dtype for name, dtype in Expansion(plan, 1).frame(0, 1).schema.items()})
    backwards = list(personas(rows, plan, seeds, SceneSettings(frame="scene")))
    assert [(p.id, p.seed, p.scene) for p in backwards] == [(p.id, p.seed, p.scene) for p in some["scene"]][::-1]
    assert all(persona.row["seed_id"] == persona.seed.id for persona in backwards)


def test_a_persona_s_pace_is_the_tone_s_and_its_own_step(some: dict[str, list[Persona]]) -> None:
    paces = {persona.pace for persona in some["scene"]}
    assert {-1, 0, 1} <= paces <= {-2, -1, 0, 1, 2}
    (orla, _) = personas(golden_rows(tone="steady-low", pace="slower"), golden_plan(), golden_seeds(), SceneSettings())
    assert orla.pace == -2


def test_every_shipped_level_of_turn_taking_and_environment_is_known(axes: Axes) -> None:
    assert {level.id for level in axes.levels["turn_taking"]} == set(SILENCE_MS)
    assert {level.id for level in axes.levels["environment"]} >= LOUD_PLACES


# What the vendor has beyond OpenAI's flat (beta) protocol, after which its own is made.
BEYOND_FLAT = {
    "stepfun-realtime": {"session.turn_detection.energy_awakeness_threshold"},
    "qwen-omni-realtime": {"session.audio"},
}


@pytest.mark.parametrize("target", sorted(BEYOND_FLAT))
def test_a_flat_config_is_one_the_official_flat_types_take_but_for_what_is_the_vendor_s_own(
    some: dict[str, list[Persona]], target: str
) -> None:
    for persona in some["deploy"][::10]:
        document = TARGETS[target].export(persona, TARGETS[target].models[0])
        assert {fault.field for fault in sdk_faults(SessionUpdateEvent, document, "")} == BEYOND_FLAT[target]
