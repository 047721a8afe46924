import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from pipeline.axes import Axes
from pipeline.config import SceneSettings
from pipeline.matrix import Expansion
from pipeline.packs.pack import Order, write_pack
from pipeline.packs.persona import LOUD_PLACES, SILENCE_MS, Persona, personas
from pipeline.packs.targets import TARGETS
from pipeline.plan import Plan
from pipeline.scenes import deployable
from pipeline.seeds import Seed
from tests.golden_content import GOLDEN, PERSONAS, golden_plan, golden_rows, golden_seeds

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
