"""The error tree.  A user sees the message, never a traceback; each branch has its exit code.

PersonasError
├── DataError (1)          the data is at fault: seeds, axes, a broken version
│   ├── InvalidRecords     records that fail validation; carries every fault
│   ├── PlanRefused        no plan meets these seeds, axes and row count
│   └── BrokenVersion      a matrix version or a pack is not what its manifest says
└── UsageError (2)         the command or the call is at fault: a missing path, an unknown id, a bad expression

An interrupted run exits 130, as shells expect.  Anything else that escapes is our own bug and raises as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.wording import counted

EXIT_CLEAN = 0
EXIT_INTERRUPTED = 130


class PersonasError(Exception):
    exit_code = 1


class DataError(PersonasError):
    exit_code = 1


class UsageError(PersonasError):
    exit_code = 2


class PlanRefused(DataError):
    pass


class BrokenVersion(DataError):
    pass


@dataclass(frozen=True, order=True)
class Fault:
    """One thing wrong in a file.  ``line`` counts from 1; 0 means the file as a whole."""

    file: str
    line: int
    field: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        field = f" {self.field}:" if self.field else ""
        return f"{where}:{field} {self.problem}. {self.remedy}"


class InvalidRecords(DataError):
    SHOWN = 20

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = sorted(faults)
        shown = [str(fault) for fault in self.faults[: self.SHOWN]]
        if len(self.faults) > self.SHOWN:
            shown.append(f"… and {len(self.faults) - self.SHOWN} more: run `personas validate` to see all")
        super().__init__("\n".join([f"{counted(len(self.faults), 'fault')} in the data", *shown]))
