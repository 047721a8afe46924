"""Who made a text, how, under which licence and with whose consent."""

import re
from collections.abc import Iterable
from datetime import date
from functools import cache
from typing import Annotated, Any, Literal

from license_expression import ExpressionError, get_spdx_licensing
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Method = Literal["human-written", "model-written", "licensed", "crowdsourced", "imported"]


OWN_TERMS = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")


@cache
def _spdx() -> Any:
    return get_spdx_licensing()


def spdx_expression(text: str) -> str:
    """``text`` in its canonical spelling, if it is a valid SPDX licence expression.

    Source: https://spdx.github.io/spdx-spec/v3.0.1/annexes/spdx-license-expressions/, of which ``LicenseRef-…`` names
    terms of one's own.
    """
    try:
        parsed = _spdx().parse(text, strict=True)
    except ExpressionError as error:
        raise ValueError(f"{text!r} is not an SPDX licence: {error}") from error
    if parsed is None:
        raise ValueError("an empty text is not an SPDX licence")
    unknown = [key for key in _spdx().unknown_license_keys(parsed) if not OWN_TERMS.fullmatch(key)]
    if unknown:
        raise ValueError(f"{text!r} is not an SPDX licence: Unknown license key(s): {', '.join(unknown)}")
    return str(parsed)


License = Annotated[str, AfterValidator(cache(spdx_expression)), Field(description="SPDX licence expression.")]


class Consent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    basis: str = Field(min_length=1, description="Why the text may be used; for invented people: none needed.")
    reference: str | None = Field(None, description="Where the consent is kept on file.")


class Provenance(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    author: str = Field(min_length=1)
    method: Method
    license: License
    consent: Consent
    source: str = Field(min_length=1, description="'original', or where the text was taken from.")
    created: date
    reviewed_by: str | None = None


UNKNOWN_PROVENANCE = {
    "author": "unknown", "method": "imported", "license": "CC0-1.0", "consent": {"basis": "unknown"},
    "source": "unknown", "created": "1970-01-01",
}  # fmt: skip
SHARE_ALIKE = ("CC-BY-SA", "CC-BY-NC-SA", "GPL", "AGPL", "LGPL", "ODbL", "CDLA-Sharing", "GFDL", "EUPL")


def _binding(expression: str) -> list[str]:
    """The licences of an SPDX expression; of alternatives, those that restrict least."""
    alternatives = [expression] if "(" in expression else expression.split(" OR ")
    keys = [_spdx().license_keys(alternative) for alternative in alternatives]
    return min(keys, key=lambda names: sum(_restricts(name) for name in names))


def _restricts(name: str) -> bool:
    return name.startswith(SHARE_ALIKE) or "-NC" in name or "-ND" in name


def mixing_fault(licenses: Iterable[str]) -> str | None:
    """Why texts under these licences may not go out together in one adapted work; None where they may.

    No-derivatives texts may not be adapted at all; a share-alike licence claims the whole work, so it goes neither with
    another nor with a non-commercial one.
    """
    names = sorted({name for expression in licenses for name in _binding(expression)})
    if fixed := [name for name in names if "-ND" in name]:
        return f"{fixed[0]} allows no adaptation"
    own = [name for name in names if OWN_TERMS.fullmatch(name)]
    if own and len(names) > 1:
        return f"nobody here can weigh the terms of {own[0]} against others"
    alike = [name for name in names if name.startswith(SHARE_ALIKE)]
    if len(alike) > 1:
        return f"{alike[0]} and {alike[1]} each claim the whole"
    restricted = [name for name in names if "-NC" in name and name not in alike]
    if alike and restricted and "-NC" not in alike[0]:
        return f"{alike[0]} claims the whole, which {restricted[0]} restricts"
    return None
