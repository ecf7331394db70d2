"""The judge of `make run` finds what is wrong, whoever says that all is well."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from deploy.local.sample.command_line import Answer
from deploy.local.sample.evidence import Evidence, LogLine, Outcomes, Step, StoredItem
from deploy.local.sample.expectation import Expectation, ExpectedItem
from deploy.local.sample.judgement import judge
from deploy.local.sample.story import Played
from deploy.local.sandboxes.client import Erp
from deploy.local.sandboxes.ledger import LedgerLine

START = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
WAY = "held while off → posted"
SENTENCE = "The Xledger connector for hlf is disabled (since … by user-9: a test). Nothing was synced."
ANSWER = "The Xledger connector for hlf is disabled (since 2026-11-20 by user-9: a test). Nothing was synced."
PLAYED = Played(3, {"hlf": Answer(1, "", ANSWER)}, Answer(0, "hlf: the log is whole.", ""))


def at(minutes: float) -> datetime:
    """The connector is configured at 0, on from 10 to 20, and on again from 30."""
    return START + timedelta(minutes=minutes)


def item(name: str, number: int) -> StoredItem:
    """Approved and received in the order of `number`, posted in it too."""
    return StoredItem(
        key=("hlf", name),
        state="synced",
        total=Decimal("250.00"),
        currency="NOK",
        approved_at=at(number / 10),
        received_at=at(1 + number / 10),
        connector="xledger",
        reference=f"{name}-X",
        document=str(1000 + number),
        steps=(Step("accepted", None, at(11)), Step("posted", None, at(12))),
    )


def document(name: str, number: int, when: float = 12) -> LedgerLine:
    return LedgerLine(
        at=at(when),
        arrived_at=at(when),
        number=number,
        tenant="hlf",
        credentials="hlf",
        request="process_import",
        reference=f"{name}-X",
        applied=True,
        final=True,
        document=str(1000 + number),
        total=Decimal("250.00"),
        currency="NOK",
        vendor="10023",
        posting_date=None,
        lines=(),
        note=None,
    )


def entry(minutes: float, change: str, new_state: str) -> LogLine:
    return LogLine(at(minutes), "user-9", "hlf", "xledger", change, new_state, "a test")


LOG = (
    entry(0, "connector_configured", "off"),
    entry(10, "connector_enabled", "on"),
    entry(20, "connector_disabled", "off"),
    entry(30, "connector_enabled", "on"),
)
GOOD = Evidence(
    items=[item("R-1", 1), item("R-2", 2)],
    ledgers={"xledger": [document("R-1", 1), document("R-2", 2)], "business_central": []},
    log=LOG,
    duplicates=1,
    dead_letters={"invalid_json": 1},
    told_dead_letters={"invalid_json": 1},
    outcomes=Outcomes({("hlf", "R-1"): "1001", ("hlf", "R-2"): "1002"}, {"connector.changed.v1": 3}),
)
EXPECTED = Expectation(
    items=tuple(
        ExpectedItem(
            organization="hlf", reimbursement=name, amount="250.00 NOK", state="synced", erp="xledger", way=WAY
        )
        for name in ("R-1", "R-2")
    ),
    duplicates=1,
    dead_letters={"invalid_json": 1},
    log={"hlf": tuple(line.short for line in LOG)},
    refusals={"hlf": SENTENCE},
)


def differences(evidence: Evidence = GOOD, played: Played = PLAYED, expected: Expectation = EXPECTED) -> Sequence[str]:
    return judge(evidence, played, expected).differences


def with_ledgers(xledger: Sequence[LedgerLine], central: Sequence[LedgerLine] = ()) -> Evidence:
    ledgers: Mapping[Erp, Sequence[LedgerLine]] = {"xledger": xledger, "business_central": central}
    return replace(GOOD, ledgers=ledgers)


def test_what_is_right_has_no_differences() -> None:
    assert differences() == []


FIRST, SECOND = document("R-1", 1), document("R-2", 2)
DISAGREES = "hlf R-1: PostgreSQL says synced, the ERP's ledger"


@pytest.mark.parametrize(
    ("xledger", "said"),
    [
        ([SECOND], f"{DISAGREES} has nothing."),
        ([FIRST, SECOND, document("R-1", 3)], f"{DISAGREES} xledger 1001, xledger 1003."),
        ([FIRST.model_copy(update={"total": Decimal("250.01")}), SECOND], f"{DISAGREES} xledger 1001."),
        ([FIRST.model_copy(update={"currency": "EUR"}), SECOND], f"{DISAGREES} xledger 1001."),
        ([FIRST.model_copy(update={"document": "7"}), SECOND], f"{DISAGREES} xledger 7."),
        (
            [FIRST, SECOND, document("R-9", 9)],
            "xledger document 1009: nobody asked for it (reference R-9-X).",
        ),
        ([SECOND, FIRST], "hlf: not posted oldest first, but R-2, R-1."),
        (
            [FIRST, SECOND.model_copy(update={"at": at(25)})],
            "xledger: process_import for R-2-X arrived while hlf's connector was off.",
        ),
    ],
)
def test_the_ledger_of_the_erp_is_believed(xledger: list[LedgerLine], said: str) -> None:
    assert said in differences(with_ledgers(xledger))


def test_a_document_at_the_wrong_erp_is_found() -> None:
    found = differences(with_ledgers([SECOND], [FIRST]))
    assert "hlf R-1: its document 1001 is at business_central, where it does not belong." in found


def test_a_refused_request_that_arrived_while_off_is_found() -> None:
    refused = FIRST.model_copy(update={"applied": False, "final": False, "at": at(5)})
    found = differences(with_ledgers([refused, FIRST, SECOND]))
    assert found == ["xledger: process_import for R-1-X arrived while hlf's connector was off."]


def test_an_item_that_is_missing_and_one_that_nobody_expects_are_found() -> None:
    found = differences(replace(GOOD, items=[item("R-1", 1), item("R-3", 2)]))
    assert "hlf R-2: expected synced, but it was never stored." in found
    assert "hlf R-3: stored, but not expected." in found


def test_a_document_of_an_item_that_is_pending_is_found() -> None:
    pending = replace(item("R-1", 1), state="pending", document=None)
    found = differences(replace(GOOD, items=[pending, item("R-2", 2)]))
    assert "hlf R-1: PostgreSQL says pending, the ERP's ledger xledger 1001." in found
    assert "hlf R-1: expected the state “synced”, found “pending”." in found


def test_what_waits_longer_than_one_enable_is_ordered_with_its_own_kind() -> None:
    """R-1 came second into the second window, so nothing was overtaken."""
    late = replace(item("R-1", 1), received_at=at(25))
    found = differences(
        replace(with_ledgers([SECOND, FIRST.model_copy(update={"at": at(31)})]), items=[late, item("R-2", 2)])
    )
    assert found == []


def test_outcomes_that_were_not_told_are_found() -> None:
    found = differences(replace(GOOD, outcomes=Outcomes({("hlf", "R-1"): "1001"}, {"connector.changed.v1": 2})))
    assert found == [
        "hlf R-2: the outcomes topic tells of None, PostgreSQL of 1002.",
        "Outcomes topic, connector.changed.v1: expected 3, found 2.",
    ]


def test_dead_letters_are_counted_in_both_places() -> None:
    found = differences(replace(GOOD, told_dead_letters={}, duplicates=0))
    assert found == [
        "Duplicates: expected 1, found 0.",
        "Dead letters on the topic, invalid_json: expected 1, found 0.",
    ]


def test_a_log_that_lacks_an_entry_or_is_broken_is_found() -> None:
    broken = replace(PLAYED, log_check=Answer(1, "hlf: entry 3 was changed.", ""))
    found = differences(replace(GOOD, log=[*LOG[:2], *LOG[3:]]), broken)
    assert "Sync log of hlf: “user-9: connector_disabled xledger off” is missing." in found
    assert "The sync log does not verify: hlf: entry 3 was changed." in found


def test_the_log_counts_entries_that_are_alike() -> None:
    found = differences(replace(GOOD, log=LOG[:3]))
    assert "Sync log of hlf: “user-9: connector_enabled xledger on” is missing." in found


@pytest.mark.parametrize("answer", [Answer(0, "", ""), Answer(1, "", "No."), Answer(0, "", ANSWER)])
def test_a_manual_sync_that_was_not_refused_with_its_sentence_is_found(answer: Answer) -> None:
    found = differences(played=replace(PLAYED, refusals={"hlf": answer}))
    assert len(found) == 1
    assert found[0].startswith("sync run hlf: expected exit 1 and")
