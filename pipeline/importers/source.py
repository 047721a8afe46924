"""A file to import.  What is read of it is counted, so that progress shows in bytes."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO

Tell = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Source:
    path: Path
    name: str  # the file's, below the folder that is imported; it goes into provenance and, as a slug, into ids
    tell: Tell = lambda _: None

    @property
    def stem(self) -> str:
        return str(PurePath(self.name).with_suffix(""))

    def open(self) -> BinaryIO:
        return io.BufferedReader(_Counted(self.path, self.tell))


class _Counted(io.RawIOBase):
    def __init__(self, path: Path, tell: Tell) -> None:
        self._file, self._tell = path.open("rb", buffering=0), tell

    def readable(self) -> bool:
        return True

    def readinto(self, buffer, /):  # type: ignore[no-untyped-def]  # the buffer protocol has no name before 3.12
        read = self._file.readinto(buffer)
        self._tell(read or 0)
        return read

    def close(self) -> None:
        self._file.close()
        super().close()
