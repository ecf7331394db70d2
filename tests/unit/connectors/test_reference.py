import re

from hypothesis import given
from hypothesis import strategies as st

from connectors.reference import LONGEST_REFERENCE, reference_of

identifiers = st.text(alphabet="ABCabc019._:-", min_size=1, max_size=64)


def test_a_bookkeeper_reads_the_reimbursement_first() -> None:
    assert re.fullmatch(r"R-2026-000417-[0-9A-HJKMNP-TV-Z]{13}", reference_of("hlf", "R-2026-000417"))


def test_the_reference_never_changes() -> None:
    assert reference_of("hlf", "R-2026-000417") == "R-2026-000417-N441482HGW86N"


@given(identifiers, identifiers)
def test_it_fits_business_central_and_begins_with_the_id(organization_id: str, reimbursement_id: str) -> None:
    reference = reference_of(organization_id, reimbursement_id)
    assert len(reference) <= LONGEST_REFERENCE
    assert reference.startswith(reimbursement_id[:21])


@given(st.tuples(identifiers, identifiers), st.tuples(identifiers, identifiers))
def test_different_items_have_different_references_even_in_capitals(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    assert (reference_of(*one).upper() == reference_of(*other).upper()) == (one == other)


def test_the_border_between_the_two_ids_counts() -> None:
    assert reference_of("a", "b:c") != reference_of("a:b", "c")
