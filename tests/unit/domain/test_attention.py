"""Which organisation comes first, and in which words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from worker.domain.attention import LONG, RANKS, Standing, Trouble, sentence_of, trouble_of
from worker.domain.switching import Phase

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WELL = Standing(
    title="Xledger",
    phase=Phase.ON,
    suspended_reason=None,
    changed_at=NOW - LONG,
    waiting=0,
    oldest=None,
    rejected=0,
    for_a_person=0,
    overdue=0,
)
OFF = replace(WELL, phase=Phase.OFF, waiting=2, oldest=NOW - LONG)


def test_who_is_well_is_no_problem() -> None:
    assert trouble_of(WELL, NOW) is None
    assert trouble_of(replace(WELL, waiting=3, oldest=NOW - LONG + timedelta(microseconds=1)), NOW) is None


@pytest.mark.parametrize(
    ("standing", "trouble", "words"),
    [
        (
            replace(WELL, phase=Phase.SUSPENDED, suspended_reason="The token expired."),
            Trouble.SUSPENDED,
            "The Xledger connector is suspended: The token expired.",
        ),
        (
            replace(WELL, for_a_person=1),
            Trouble.FOR_A_PERSON,
            "1 outcome is unknown, and a person has to compare it with the ERP.",
        ),
        (
            replace(WELL, for_a_person=2),
            Trouble.FOR_A_PERSON,
            "2 outcomes are unknown, and a person has to compare them with the ERP.",
        ),
        (
            replace(WELL, overdue=1),
            Trouble.OVERDUE,
            "1 reimbursement is in doubt for longer than it should be.",
        ),
        (
            replace(WELL, overdue=2),
            Trouble.OVERDUE,
            "2 reimbursements are in doubt for longer than they should be.",
        ),
        (replace(WELL, rejected=1), Trouble.REJECTED, "1 reimbursement was rejected and waits for a person."),
        (replace(WELL, rejected=9), Trouble.REJECTED, "9 reimbursements were rejected and wait for a person."),
        (
            OFF,
            Trouble.WAITING_LONG,
            "2 reimbursements wait while the connector is off, the oldest approved 2026-11-13 12:00:00 UTC.",
        ),
        (
            replace(OFF, waiting=1),
            Trouble.WAITING_LONG,
            "1 reimbursement waits while the connector is off, approved 2026-11-13 12:00:00 UTC.",
        ),
        (
            replace(OFF, phase=Phase.ON),
            Trouble.WAITING_LONG,
            "2 reimbursements wait though the connector is on, the oldest approved 2026-11-13 12:00:00 UTC.",
        ),
        (
            replace(OFF, phase=Phase.ON, waiting=1),
            Trouble.WAITING_LONG,
            "1 reimbursement waits though the connector is on, approved 2026-11-13 12:00:00 UTC.",
        ),
        (
            replace(OFF, phase=None, title=None, changed_at=None),
            Trouble.NO_CONNECTOR,
            "2 reimbursements wait, and no connector is configured.",
        ),
        (
            replace(OFF, phase=None, title=None, changed_at=None, waiting=1),
            Trouble.NO_CONNECTOR,
            "1 reimbursement waits, and no connector is configured.",
        ),
    ],
)
def test_what_is_wrong_is_said(standing: Standing, trouble: Trouble, words: str) -> None:
    assert trouble_of(standing, NOW) is trouble
    assert sentence_of(trouble, standing) == words


def test_waiting_while_off_is_no_problem_at_once() -> None:
    assert trouble_of(replace(OFF, changed_at=NOW - LONG + timedelta(seconds=1)), NOW) is None
    assert trouble_of(replace(OFF, oldest=NOW - LONG + timedelta(seconds=1)), NOW) is None


def test_what_was_never_switched_waits_since_its_oldest_approval() -> None:
    assert trouble_of(replace(OFF, changed_at=None), NOW) is Trouble.WAITING_LONG


def test_an_organisation_without_a_connector_where_nothing_waits_is_no_problem() -> None:
    assert trouble_of(replace(WELL, phase=None), NOW) is None


def test_of_several_troubles_the_gravest_counts() -> None:
    everything = replace(OFF, phase=Phase.SUSPENDED, suspended_reason="Gone.", rejected=1, for_a_person=1, overdue=1)
    seen = []
    for change in ({"phase": Phase.OFF}, {"for_a_person": 0}, {"overdue": 0}, {"rejected": 0}, {"phase": None}):
        seen.append(trouble_of(everything, NOW))
        everything = replace(everything, **change)
    assert [*seen, trouble_of(everything, NOW)] == list(Trouble)
    assert [RANKS[trouble] for trouble in Trouble] == list(range(6))
