"""Run an importer: records to one file, rejected ones with their reasons to another; counts add up.

Records pass through one at a time.  What stays in memory is an id, about a hundred bytes, for each that was imported.
"""

import os
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from tqdm import tqdm

from pipeline.documents import MAX_LINE_BYTES, REJECTS, canonical_json, find_files
from pipeline.errors import UsageError
from pipeline.importers.formats import IMPORTERS, Format
from pipeline.importers.settings import Imported, ImportSettings, Rejected
from pipeline.importers.source import Source


class ImportResult(BaseModel):
    """``read`` = ``imported`` + the sum of ``rejected``."""

    model_config = ConfigDict(frozen=True)

    read: int
    imported: int
    rejected: dict[str, int]
    records_file: str
    rejects_file: str


def run_import(name: str, source: Path, target: Path, settings: ImportSettings, progress: bool = False) -> ImportResult:
    """Stream ``source``, a file or a folder of files, to ``target`` and ``target``.rejects.jsonl.

    Both are replaced when all has been read; an import that is interrupted leaves them as they were.
    """
    rejects = target.with_name(f"{target.name}{REJECTS}")
    files = _files(IMPORTERS[name], source, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    reasons: Counter[str] = Counter()
    imported = 0
    partial, partial_rejects = target.with_name(f".{target.name}.tmp"), rejects.with_name(f".{rejects.name}.tmp")
    try:
        with partial.open("w", encoding="utf-8") as records, partial_rejects.open("w", encoding="utf-8") as left_out:
            for file, answer in _answers(name, source, files, settings, progress):
                if isinstance(answer, Rejected):
                    left_out.write(canonical_json({"file": file, **answer._asdict()}) + "\n")
                    reasons[answer.reason] += 1
                else:
                    records.write(answer)
                    imported += 1
        partial.replace(target)
        partial_rejects.replace(rejects)
    finally:
        partial.unlink(missing_ok=True)
        partial_rejects.unlink(missing_ok=True)
    return ImportResult(
        read=imported + reasons.total(),
        imported=imported,
        rejected=dict(sorted(reasons.items())),
        records_file=str(target),
        rejects_file=str(rejects),
    )


def _files(format: Format, source: Path, target: Path) -> list[Path]:
    """The source, or the files of its format below it, without what the import itself writes."""
    if not source.exists():
        raise UsageError(f"{source}: no such file; name the file to import")
    if source.is_dir():
        return [file for file in find_files([source], format.suffixes) if file.resolve() != target.resolve()]
    if source.resolve() == target.resolve():
        raise UsageError(f"{target}: is the source itself; name another file to write")
    return [source]


def _answers(
    name: str, root: Path, files: list[Path], settings: ImportSettings, progress: bool
) -> Iterator[tuple[str, str | Rejected]]:
    """For each record of each file where it is from, and the line to write or why there is none."""
    taken: set[str] = set()
    sizes = [file.stat().st_size for file in files]
    with tqdm(total=sum(sizes), unit="B", unit_scale=True, disable=not progress) as bar:
        for file, end in zip(files, accumulate(sizes), strict=True):
            source = Source(file, _printable(file.relative_to(root) if file != root else file.name), bar.update)
            for answer in IMPORTERS[name].read(source, settings):
                yield _printable(file), _line(answer, taken)
            bar.update(end - bar.n)  # a file may be left before its end


def _line(answer: Imported | Rejected, taken: set[str]) -> str | Rejected:
    if isinstance(answer, Rejected):
        return answer
    record = answer.record
    if record.id in taken:
        return Rejected(answer.line, "id_taken", record.id)
    line = canonical_json(record.model_dump(mode="json", by_alias=True, exclude_unset=True)) + "\n"
    if len(line.encode()) > MAX_LINE_BYTES:  # what is written must be a line that can be read
        return Rejected(answer.line, "record_too_long", f"longer than {MAX_LINE_BYTES:,} bytes")
    taken.add(record.id)
    return line


def _printable(path: Path | str) -> str:
    """A file's name may be no text, and is then not what can be written."""
    return os.fsencode(path).decode("utf-8", "replace")
