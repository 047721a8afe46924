"""Files and folders that a reader sees whole or not at all."""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.errors import UsageError

HASH_CHUNK = 1 << 20


@contextmanager
def exclusive(out: Path, part: str = "matrix") -> Iterator[None]:
    """Nobody else writes versions, or packs, under ``out`` meanwhile; the system frees the lock of a process that dies.

    Raises UsageError where somebody does.
    """
    (out / part).mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / part / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        problem = f"{out / part}: another build is at work here; wait for it, or give another --out"
        raise UsageError(problem) from None
    try:
        yield
    finally:
        lock.release()


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then give it its name in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        _sync(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def write_text(path: Path, text: str) -> None:
    write_whole(path, lambda temporary: temporary.write_text(text, "utf-8", newline="\n"))


def file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(HASH_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def replace_folder(new: Path, folder: Path) -> None:
    """Give ``new`` the name ``folder``; what stands there goes as a whole.

    Between two renames a reader finds no folder, never half of one.
    """
    old = folder.with_name(f".{folder.name}.old")
    discard(old)  # of a run that was killed here
    if folder.is_dir():
        folder.replace(old)
    new.replace(folder)
    discard(old)


def discard(folder: Path) -> None:
    if not folder.is_dir():
        return
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
