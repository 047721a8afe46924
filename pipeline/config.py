"""What a run is given: seeds, axes, rows, workers, saved choices of personas.

Read from TOML; unknown keys are refused.
"""

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from pipeline.errors import UsageError
from pipeline.wording import nearest

# Row groups are the unit of everything that must not depend on sharding: statistics, digests, pruning.
# 131,072 rows of about 11 bytes make 1.4 MB, large enough to compress and small enough to prune one seed by.
ROW_GROUP = 131_072

MAX_WORKERS = 1024
Rows = Annotated[int, Field(ge=1, le=10**11)]


class PlanConfig(BaseModel):
    """How the plan is fitted and frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_rows: Rows = Field(1_000_000, description="Row count at and above which every feasible pair is certified.")
    triples: bool | None = Field(
        None,
        description="Cover every triple of levels, not every pair only; none means from a million base rows on. "
        "Well below, a matrix has fewer rows than there are triples, and the shares of levels give way to them.",
    )
    file: Path | None = Field(None, description="A frozen plan to reuse; without it the plan is fitted from the seeds.")


Frame = Literal["deploy", "scene"]
Disclosure = Literal["on_ask", "at_open", "at_open_and_every"]
Audience = Literal["general", "children", "mature"]


class SceneSettings(BaseModel):
    """What an app decides about all its scenes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frame: Frame = Field("deploy", description="deploy: what an app can know before the call.")
    disclosure: Disclosure = "on_ask"
    crisis_line: str | None = Field(None, min_length=1, max_length=80, description="Never invented: only if given.")
    audience: Audience = Field("general", description="Who may be listening; only mature apps get what is rated so.")


class PackConfig(SceneSettings):
    """Which personas are exported, to what, and what their scenes are told with."""

    targets: tuple[str, ...] = Field(min_length=1, description="Session configs to write, as openai-realtime.")
    where: str | None = Field(None, description="polars SQL expression over matrix and seed columns.")
    like: str | None = Field(None, min_length=1, max_length=500, description="Words that the personas should fit.")
    diverse: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None, description="Take so many that differ most from each other."
    )
    limit: Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="At most so many personas, 100 where nothing is said; with `diverse`, how many it picks from: all "
        "that fit, or ten times as many as are picked of those that are most `like`.",
    )
    models: dict[str, str] = Field({}, description="Target to the vendor's model; the newest where none is named.")
    facts: bool = Field(False, description="Add what can be checked of each persona, as data.")
    zip: bool = Field(False, description="One .zip file a target instead of a folder.")

    @property
    def scenes(self) -> SceneSettings:
        return SceneSettings(**{name: getattr(self, name) for name in SceneSettings.model_fields})

    @model_validator(mode="after")
    def _models_of_targets(self) -> "PackConfig":
        if len(set(self.targets)) < len(self.targets):
            raise ValueError("a target is named twice")
        if strange := sorted(set(self.models) - set(self.targets)):
            raise ValueError(f"models names {strange[0]}, which is none of the targets")
        return self


# The name is a folder's name.
PackName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


def _workers(given: int | str) -> int | str:
    workers = int(given) if isinstance(given, str) and given.isdigit() else given
    if isinstance(workers, str) and not re.fullmatch(r"(tcp|tls|ucx)://[^:/]+:\d+", workers):
        raise ValueError(f"{workers!r} is neither a number nor a Dask scheduler's address, as tcp://host:8786")
    if isinstance(workers, int) and not 1 <= workers <= MAX_WORKERS:
        raise ValueError(f"1 to {MAX_WORKERS:,} worker processes")
    return workers


class RunConfig(BaseModel):
    """One build of the matrix."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seeds: tuple[Path, ...] = Field((), description="Seed files or folders; empty means the shipped seeds.")
    samples: tuple[Path, ...] | None = Field(
        None, description="Conversation samples to pair; none means the shipped ones, where the seeds are the shipped."
    )
    axes: Path | None = Field(None, description="The folder of axes; none means the shipped axes.")
    rows: Rows = Field(1_000_000, description="Rows of the matrix.")
    out: Path = Field(Path("data"), description="Folder of plans and versions.")
    workers: Annotated[int | str, AfterValidator(_workers)] = Field(
        default_factory=lambda: os.cpu_count() or 1,
        description="Worker processes, or a Dask scheduler, tcp://host:8786, whose workers see `out` too.",
    )
    shard_rows: Annotated[int, Field(ge=ROW_GROUP, multiple_of=ROW_GROUP)] = Field(
        2 * ROW_GROUP, description="Rows of a Parquet file; a multiple of the row group."
    )
    plan: PlanConfig = PlanConfig()
    packs: dict[PackName, PackConfig] = Field({}, description="Saved choices, for `personas export --saved NAME`.")

    @property
    def seed_paths(self) -> tuple[Path, ...]:
        return self.seeds or (content_root() / "seeds" / "personas",)

    @property
    def sample_paths(self) -> tuple[Path, ...]:
        if self.samples is None:
            return () if self.seeds else (content_root() / "data" / "conversations",)
        return self.samples

    @property
    def axes_path(self) -> Path:
        return self.axes or content_root() / "seeds" / "axes"

    @property
    def base_rows(self) -> int:
        """A matrix smaller than ``plan.base_rows`` is certified at its own size."""
        return min(self.plan.base_rows, self.rows)


SECTIONS: dict[str, type[BaseModel]] = {"plan": PlanConfig, "packs": PackConfig}


def content_root() -> Path:
    """The folder that holds seeds/, schemas/ and data/conversations/: the checkout, or what the wheel brought along."""
    package = Path(__file__).parent
    shipped = package / "shipped"
    return shipped if shipped.is_dir() else package.parent


def read_config(path: Path | None, **overrides: object) -> RunConfig:
    """Read ``path``, or ./personas.toml, or the defaults; ``overrides`` that are not None win.

    Relative paths in the file are relative to the file.
    """
    chosen = path or (Path("personas.toml") if Path("personas.toml").is_file() else None)
    values: dict[str, object] = {}
    if chosen is not None:
        try:
            values = tomllib.loads(chosen.read_text("utf-8"))
        except FileNotFoundError:
            raise UsageError(f"{chosen}: no such file; give -c the path of a run's TOML file") from None
        except OSError as error:
            raise UsageError(f"{chosen}: cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{chosen}: not valid TOML: {error}") from error
    given = {key: value for key, value in overrides.items() if value is not None}
    try:
        config = RunConfig.model_validate(values | given)
    except ValidationError as error:
        lines = [f"  {'.'.join(map(str, e['loc']))}: {_problem(e)}" for e in error.errors()]
        raise UsageError("\n".join([f"{chosen or 'run settings'}: not a valid run", *lines])) from error
    if chosen is None:
        return config
    return _relative_to(config, chosen.parent, given)


def _problem(error: ErrorDetails) -> str:
    if error["type"] != "extra_forbidden":
        return f"{error['msg']} (got {error['input']!r})"
    *within, key = error["loc"]
    section = SECTIONS[str(within[0])] if within else RunConfig
    return f"there is no such key. {nearest(str(key), section.model_fields)}"


def _relative_to(config: RunConfig, folder: Path, given: dict[str, object]) -> RunConfig:
    moved: dict[str, object] = {"seeds": tuple(folder / path for path in config.seeds)}
    if config.samples is not None:
        moved["samples"] = tuple(folder / path for path in config.samples)
    if config.axes is not None:
        moved["axes"] = folder / config.axes
    if config.plan.file is not None:
        moved["plan"] = config.plan.model_copy(update={"file": folder / config.plan.file})
    moved["out"] = folder / config.out
    return config.model_copy(update={key: value for key, value in moved.items() if key not in given})
