"""The oracle is held to each harm: one that can't see it would call every battery a success."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from deploy.local.sandboxes.ledger import LedgerLine
from tests.chaos.oracle import Approved, Evidence, Harm, StoredItem, Switched, judge

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ONE = Approved("hlf", "R-1", Decimal("250.00"), tenant="x1")
SYNCED = StoredItem("synced", "1001", None)


def minute(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


def line(arrived: float = 0, *, request: str = "process_import", final: bool = True) -> LedgerLine:
    return LedgerLine(
        at=minute(arrived + 30),
        arrived_at=minute(arrived),
        number=1,
        tenant="x1",
        credentials="x1/token",
        request=request,
        reference=ONE.reference,
        applied=True,
        final=final,
        document="1001",
        total=Decimal("250.0"),
        currency="NOK",
        vendor="10023",
        posting_date=None,
        lines=(),
        note=None,
    )


def sent(arrived: float) -> LedgerLine:
    return line(arrived, request="addGLImportItems", final=False)


def phase(at: float, name: str) -> Switched:
    return Switched("hlf", minute(at), name)


GOOD = Evidence(
    approved=[ONE],
    items={ONE.key: SYNCED},
    buried=frozenset(),
    switched=[phase(-1, "on")],
    ledger=[sent(0), line()],
    told=frozenset({ONE.key}),
)


def harm_of(evidence: Evidence) -> set[Harm]:
    return {harm for harm, sentences in judge(evidence).items() if sentences}


def test_one_document_for_one_synced_item_is_no_harm() -> None:
    assert harm_of(GOOD) == set()


def test_what_is_neither_an_item_nor_a_dead_letter_is_lost() -> None:
    lost = replace(GOOD, items={}, ledger=[])
    assert harm_of(lost) == {Harm.LOST}
    assert harm_of(replace(lost, buried=frozenset({ONE.key}))) == set()


def test_a_synced_item_without_a_document_at_the_erp_is_lost() -> None:
    assert harm_of(replace(GOOD, ledger=[sent(0)])) == {Harm.LOST}


def test_two_documents_of_one_reference_are_doubled() -> None:
    assert harm_of(replace(GOOD, ledger=[line(), line()])) == {Harm.DOUBLED}


@pytest.mark.parametrize(
    ("phases", "is_late"),
    [
        ([phase(-1, "on")], False),
        ([phase(-2, "off"), phase(-1, "on")], False),
        ([phase(-2, "on"), phase(-1, "switching_off"), phase(1, "off")], False),
        ([phase(-2, "on"), phase(-1, "off"), phase(1, "on")], True),
        ([phase(-2, "off")], True),
        ([phase(-2, "off"), phase(-1, "off"), phase(1, "suspended")], True),
    ],
)
def test_a_request_that_arrives_while_off_is_late(phases: Sequence[Switched], is_late: bool) -> None:
    assert (Harm.LATE in harm_of(replace(GOOD, switched=phases))) == is_late


@pytest.mark.parametrize(("lag", "is_late"), [(59, True), (61, False)])
def test_what_may_have_stood_at_the_door_of_a_busy_sandbox_before_the_off_is_not_late(
    lag: float, is_late: bool
) -> None:
    """It was seen a minute after the off."""
    evidence = replace(GOOD, switched=[phase(-5, "on"), phase(-1, "off")], ledger=[replaced_lag(sent(0), lag), line()])
    assert (Harm.LATE in harm_of(evidence)) == is_late


def replaced_lag(sent_line: LedgerLine, lag: float) -> LedgerLine:
    return sent_line.model_copy(update={"lag": lag})


def test_what_the_erp_s_import_does_by_itself_is_not_late() -> None:
    off = [phase(-2, "on"), phase(1, "off")]
    assert harm_of(replace(GOOD, switched=off, ledger=[sent(0), line(2)])) == set()


@pytest.mark.parametrize("state", ["pending", "sending", "confirming", "unknown", "rejected"])
def test_what_is_not_final_at_the_end_is_unresolved(state: str) -> None:
    assert Harm.UNRESOLVED in harm_of(replace(GOOD, items={ONE.key: StoredItem(state, None, None)}, ledger=[]))


def test_a_refusal_is_final_only_where_the_erp_may_refuse() -> None:
    refused = replace(GOOD, items={ONE.key: StoredItem("rejected", None, "no account")}, ledger=[])
    assert harm_of(replace(refused, approved=[replace(ONE, is_refusable=True)])) == set()


@pytest.mark.parametrize(
    "change", [{"total": Decimal("250.01")}, {"currency": "EUR"}, {"tenant": "x2"}, {"document": "1002"}]
)
def test_a_document_that_differs_from_what_was_approved_or_stored_is_told(change: dict[str, object]) -> None:
    assert harm_of(replace(GOOD, ledger=[sent(0), line().model_copy(update=change)])) == {Harm.DIFFERENT}


def test_a_document_of_an_item_that_is_called_rejected_is_told() -> None:
    evidence = replace(GOOD, items={ONE.key: StoredItem("rejected", None, "no account")})
    assert Harm.DIFFERENT in harm_of(evidence)


def test_a_synced_item_that_nobody_was_told_of_is_told() -> None:
    assert harm_of(replace(GOOD, told=frozenset())) == {Harm.DIFFERENT}


DISPUTED = replace(ONE, disputed=Decimal("251.00"))
BOTH = "Xledger holds transaction 7 over 251.0 NOK under this reference, but 250.00 NOK was approved. Compare the two."


def waits(reason: str = BOTH) -> Evidence:
    waiting = StoredItem("unknown", "7", reason, "different_document")
    return replace(GOOD, approved=[DISPUTED], items={ONE.key: waiting}, told=frozenset())


def test_what_is_disputed_waits_for_a_person_who_is_told_both_values() -> None:
    assert harm_of(waits()) == set()
    assert harm_of(waits("Something differs.")) == {Harm.UNRESOLVED}
    assert harm_of(waits(BOTH.replace("251", "252"))) == {Harm.UNRESOLVED}


def test_what_is_disputed_and_called_synced_is_unresolved() -> None:
    assert harm_of(replace(GOOD, approved=[DISPUTED])) == {Harm.UNRESOLVED}


def test_what_nobody_disputes_may_not_wait_for_a_person() -> None:
    assert harm_of(replace(waits(), approved=[ONE])) == {Harm.UNRESOLVED}
