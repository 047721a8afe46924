"""The command line: `personas …`."""

import atexit
import gc
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer

from pipeline.commands import building, keeping, looking, packing, rehearsing
from pipeline.errors import EXIT_INTERRUPTED, PersonasError, UsageError
from pipeline.terminal import notes

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Authored personas, expanded by exact rules into a Parquet matrix, packed for realtime voice APIs.",
)
for commands in (building, looking, packing, rehearsing, keeping):  # as help lists them
    app.add_typer(commands.app)


@app.callback(invoke_without_command=True)
def program(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version of the program, and of its plans.")
    ] = False,
) -> None:
    if version:
        from pipeline import __version__
        from pipeline.plan import PLAN_VERSION

        print(f"persona-matrix {__version__}, plans of version {PLAN_VERSION}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command; a user's mistake is a message and an exit code, never a traceback."""
    # At its end Python looks for garbage once more, among half a million objects once numba has run: 0.3 s before the
    # prompt is back.  The system frees them all the same.
    atexit.register(gc.freeze)
    try:
        status = app(args=arguments, standalone_mode=False, prog_name="personas")
        if status == EXIT_INTERRUPTED:
            raise KeyboardInterrupt  # typer has made an exit code of it
        sys.exit(status or 0)
    except typer.Exit as done:
        sys.exit(done.exit_code)
    except PersonasError as error:
        notes.print(f"personas: {error}")
        sys.exit(error.exit_code)
    except OSError as error:
        if error.filename is None:
            raise  # not about a path that the user named
        notes.print(f"personas: {error.filename}: {error.strerror}; check the path")
        sys.exit(UsageError.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        notes.print("personas: interrupted; nothing stands half-written, and a build goes on where it was")
        sys.exit(EXIT_INTERRUPTED)
    except _click_errors() as error:
        error.show()
        sys.exit(UsageError.exit_code)


def _click_errors() -> type[Any]:
    """typer carries click under one of two names, depending on its version."""
    return typer.BadParameter.__mro__[2]


if __name__ == "__main__":
    main()
