"""Who made a text, how, under which licence and with whose consent."""

from datetime import date
from functools import cache
from typing import Annotated, Literal

from license_expression import ExpressionError, get_spdx_licensing
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Method = Literal["human-written", "model-written", "licensed", "crowdsourced", "imported"]


@cache
def _spdx() -> object:
    return get_spdx_licensing()


def spdx_expression(text: str) -> str:
    """``text`` if it is a valid SPDX licence expression (https://spdx.github.io/spdx-spec/v3.0.1/annexes/spdx-license-expressions/)."""
    try:
        result = _spdx().validate(text)  # type: ignore[attr-defined]
    except ExpressionError as error:
        raise ValueError(f"{text!r} is not an SPDX licence: {error}") from error
    if result.errors:
        raise ValueError(f"{text!r} is not an SPDX licence: {'; '.join(result.errors)}")
    return text


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
