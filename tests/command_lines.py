"""Command lines as people read them in help and README, held against the options the program has."""

import re
import shlex
from typing import Any

import typer
from typer.main import get_command

from pipeline.cli import app

GROUP: Any = get_command(app)
END = {"|", ">", ">>", "&&", "||", ";"}
PLACEHOLDER = re.compile(r"@\w+@|…|\.\.\.|<\w+>|\b[A-Z][A-Z_]{2,}\b")


def words(line: str) -> list[str]:
    """``$ .venv/bin/personas show 5 | jq .scene  # one`` as ``show 5``."""
    found = shlex.split(line, comments=True)
    until = next((place for place, word in enumerate(found) if word in END), len(found))
    start = next(place for place, word in enumerate(found) if word.rsplit("/", 1)[-1] == "personas")
    return found[start + 1 : until]


def fault(line: str) -> str | None:
    """Why the program would not take this command line; None where it would.  Placeholders may stand for any value."""
    name, *rest = words(line) or [""]
    if name.startswith("-") or not name:
        return None if name in {"", "--help"} else f"unknown option {name}"
    if name not in GROUP.commands:
        return f"unknown command {name}"
    command = GROUP.commands[name]
    options = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    values = rest[: rest.index("--")] if "--" in rest else rest
    unknown = [word for word in values if re.match("--?[a-z]", word) and word.split("=")[0] not in options]
    if unknown:
        return f"unknown option {unknown[0]}"
    if PLACEHOLDER.search(re.sub(r'"[^"]*"', "", line)) or "--help" in rest:
        return None
    try:
        command.make_context(name, list(rest))
    except typer.BadParameter.__mro__[1] as error:  # click's, under whichever name typer carries it
        return str(error.format_message())
    return None
