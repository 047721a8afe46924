"""Conversations that are our own record already (schemas/sample.schema.json): held against it and kept as they are.

Provenance that is missing altogether, or lacks nothing but its licence, may be filled by the user.  Whether scenario,
state, tone and seed exist is for `personas validate` to say, which knows the seeds.
"""

import json
from collections.abc import Iterator
from functools import partial

from pydantic import ValidationError

from pipeline.conversations import Sample
from pipeline.importers.dialogue import chosen_domain, first_fault
from pipeline.importers.json_source import lines
from pipeline.importers.origin import provenance
from pipeline.importers.settings import Imported, ImportSettings, Read, Rejected, Unfit, converted, excerpt
from pipeline.importers.source import Source


def read_samples_jsonl(source: Source, settings: ImportSettings) -> Iterator[Imported | Rejected]:
    return converted(lines(source), partial(_sample, source, settings))


def _sample(source: Source, settings: ImportSettings, read: Read) -> Sample:
    record = read.document
    if not isinstance(record, dict):
        raise Unfit("not_an_object", excerpt(record))
    domain = chosen_domain(settings, record)
    if record.get("scenario") is not None and domain != record.get("domain"):
        detail = f"the scenario {excerpt(record['scenario'])} is of {excerpt(record.get('domain'))}"
        raise Unfit("domain_unknown" if domain is None else "domain_differs", detail)
    given = record.get("provenance")
    if given is None:
        given = provenance({}, source, settings)
    elif isinstance(given, dict) and "license" not in given:
        given = {**given, "license": provenance({}, source, settings)["license"]}
    told = record if domain == record.get("domain") else {**record, "domain": domain}
    try:
        sample = Sample.model_validate_json(json.dumps({**told, "provenance": given}, allow_nan=False))
    except ValidationError as error:
        raise Unfit("not_a_sample", first_fault(error)) from error
    except (ValueError, RecursionError) as error:
        raise Unfit("not_a_sample", "a number that is none, or nested too deeply") from error
    if all(turn.role != "user" for turn in sample.turns):
        raise Unfit("no_user_turn", f"{len(sample.turns)} turns, none of them the user's")
    return sample
