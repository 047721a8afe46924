from datetime import date
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.provenance import Provenance, mixing_fault, spdx_expression

RECORD = {
    "author": "us",
    "method": "human-written",
    "license": "CC-BY-4.0",
    "consent": {"basis": "signed release", "reference": "folder 7"},
    "source": "original",
    "created": date(2026, 1, 31),
}


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("CC-BY-4.0", "CC-BY-4.0"),
        ("cc-by-4.0", "CC-BY-4.0"),
        (" MIT\n", "MIT"),
        ("mit or Apache-2.0", "MIT OR Apache-2.0"),
        ("MIT AND (ISC OR 0BSD)", "MIT AND (ISC OR 0BSD)"),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"),
    ],
)
def test_a_licence_has_one_spelling(text: str, canonical: str) -> None:
    assert spdx_expression(text) == canonical
    assert spdx_expression(canonical) == canonical


@pytest.mark.parametrize(
    "text",
    ["", "  ", "CC BY 4.0", "proprietary", "MIT AND", "AND", "(MIT", "MIT)", "MIT ISC", "MIT/ISC", "MIT WITH ISC"],
)  # fmt: skip
def test_what_is_no_spdx_expression_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an SPDX licence"):
        spdx_expression(text)


@given(text=st.text(alphabet="MIT0BSDancorwith ()+-./:,\n\x00é") | st.text())
def test_any_text_is_a_licence_with_one_spelling_or_refused(text: str) -> None:
    try:
        canonical = spdx_expression(text)
    except ValueError as error:
        assert "is not an SPDX licence" in str(error)  # noqa: PT017
    else:
        assert spdx_expression(canonical) == canonical


@pytest.mark.parametrize("lacking", sorted(RECORD))
def test_who_made_it_how_and_by_what_right_must_all_be_told(lacking: str) -> None:
    with pytest.raises(ValidationError, match="Field required"):
        Provenance.model_validate({name: value for name, value in RECORD.items() if name != lacking})


@pytest.mark.parametrize(
    "changes",
    [
        {"author": ""},
        {"source": ""},
        {"method": "scraped"},
        {"license": "all rights reserved"},
        {"consent": {"basis": ""}},
        {"consent": {}},
        {"consent": {"basis": "asked", "by": "me"}},
        {"owner": "us"},
        {"created": "yesterday"},
    ],
)
def test_a_provenance_with_a_faulty_field_is_refused(changes: dict[str, Any]) -> None:
    assert Provenance.model_validate(RECORD).reviewed_by is None
    with pytest.raises(ValidationError) as caught:
        Provenance.model_validate(RECORD | changes)
    assert caught.value.errors()[0]["loc"][0] == next(iter(changes))


def test_a_provenance_keeps_its_licence_in_the_one_spelling() -> None:
    assert Provenance.model_validate(RECORD | {"license": "cc0-1.0"}).license == "CC0-1.0"


@pytest.mark.parametrize(
    ("licenses", "fault"),
    [
        ([], None),
        (["CC-BY-4.0", "CC0-1.0", "MIT"], None),
        (["CC-BY-4.0", "CC-BY-NC-4.0"], None),
        (["CC-BY-SA-4.0"], None),
        (["CC-BY-SA-4.0", "CC-BY-4.0"], None),
        (["CC-BY-ND-4.0"], "CC-BY-ND-4.0 allows no adaptation"),
        (["CC-BY-NC-ND-4.0", "MIT"], "CC-BY-NC-ND-4.0 allows no adaptation"),
        (["CC-BY-SA-4.0", "CC-BY-SA-4.0"], None),
        (["CC-BY-SA-4.0", "GPL-3.0-only"], "CC-BY-SA-4.0 and GPL-3.0-only each claim the whole"),
        (["CC-BY-NC-SA-4.0", "CC-BY-NC-4.0"], None),
        (["LicenseRef-studio"], None),
        (["LicenseRef-studio", "MIT"], "nobody here can weigh the terms of LicenseRef-studio against others"),
        (["CC-BY-SA-4.0", "CC-BY-NC-SA-4.0"], "CC-BY-NC-SA-4.0 and CC-BY-SA-4.0 each claim the whole"),
        (["CC-BY-SA-4.0", "CC-BY-NC-4.0", "MIT"], "CC-BY-SA-4.0 claims the whole, which CC-BY-NC-4.0 restricts"),
    ],
)
def test_licences_that_may_not_be_mixed_are_named_in_any_order(licenses: list[str], fault: str | None) -> None:
    for order in permutations(licenses):
        assert mixing_fault(order) == fault


@pytest.mark.parametrize(
    ("licenses", "fault"),
    [
        (["MIT AND CC-BY-SA-4.0", "GPL-3.0-only"], "CC-BY-SA-4.0 and GPL-3.0-only each claim the whole"),
        (["MIT AND CC-BY-SA-4.0", "CC-BY-NC-4.0"], "CC-BY-SA-4.0 claims the whole, which CC-BY-NC-4.0 restricts"),
        (["MIT AND CC-BY-ND-4.0"], "CC-BY-ND-4.0 allows no adaptation"),
        (["MIT OR CC-BY-ND-4.0"], None),
        (["GPL-3.0-only OR MIT", "CC-BY-SA-4.0"], None),
    ],
)
def test_all_licences_of_an_expression_count_and_of_alternatives_one(licenses: list[str], fault: str | None) -> None:
    assert mixing_fault(licenses) == fault
