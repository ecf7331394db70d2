"""What must hold after every step: one query, and the promises by their numbers."""

from collections.abc import Iterable, Mapping, Sequence

import asyncpg

from tests.state.books import Books
from tests.state.model import House, Item
from worker.domain.states import ItemState as S

HOLDINGS = """
select c.organization_id, c.enabled, c.suspended_at is not null as suspended, c.quiesced_at is not null as quiesced,
       r.run_id is not null as has_run,
       i.reimbursement_id as name, i.state, i.attempt, i.absences, i.due_at <= clock_timestamp() as is_due,
       i.due_at = 'infinity' as for_person, coalesce(i.quarantined_until > clock_timestamp(), false) as is_quarantined,
       i.resend_resolves as resends, i.document_number is not null as has_document,
       array(select e.attempt || ' ' || e.kind || ' ' || e.outcome from attempt_entry e
             where (e.organization_id, e.reimbursement_id) = (i.organization_id, i.reimbursement_id)
             order by e.entry_id) as history
from connector c
left join sync_run r on r.organization_id = c.organization_id and r.finished_at is null
left join item i on i.organization_id = c.organization_id
where c.organization_id = any($1::text[])
"""
LEGAL = {
    S.PENDING: {S.SENDING, S.HANDLED_ELSEWHERE},
    S.SENDING: {S.SYNCED, S.CONFIRMING, S.REJECTED, S.UNKNOWN, S.PENDING},
    S.CONFIRMING: {S.SYNCED, S.REJECTED, S.UNKNOWN},
    S.UNKNOWN: {S.SYNCED, S.CONFIRMING, S.PENDING, S.HANDLED_ELSEWHERE, S.SENDING},
    S.REJECTED: {S.PENDING, S.HANDLED_ELSEWHERE},
    S.SYNCED: set[S](),
    S.HANDLED_ELSEWHERE: set[S](),
}
"""What one step may do to an item; a resend goes through `pending` inside its claim."""


def sure(promise: str, holds: bool, sentence: str) -> None:
    """Says which promise is broken, and how."""
    if not holds:
        raise AssertionError(f"{promise}: {sentence}")


def check(house: House, books: Books, rows: Sequence[asyncpg.Record], before: Mapping[str, S] | None) -> dict[str, S]:
    """Holds one organisation's rows against the promises and the model. Answers the states, for the next time.

    `before`: the states one step ago; None: many steps were made since.
    """
    stored = [row for row in rows if row["name"] is not None]
    states = {row["name"]: S(row["state"]) for row in stored}
    sure("P1", states.keys() == house.items.keys() and len(stored) == len(states), f"{sorted(states)} are stored")
    _off_is_off(rows[0], states)
    for row in stored:
        _one_document(house, books, row)
        if before is not None:
            _legal_step(row["name"], before.get(row["name"], S.PENDING), states[row["name"]])
        _one_settlement_each(row)
        _as_modelled(house.items[row["name"]], row)
    flags = ("enabled", "suspended", "quiesced")
    found = tuple(rows[0][name] for name in flags)
    sure("model", found == tuple(getattr(house, name) for name in flags), f"{house.kind} is {found}, not {house.phase}")
    sure("model", rows[0]["has_run"] == (house.run_mark is not None), f"a run is open: {rows[0]['has_run']}")
    return states


def _off_is_off(row: asyncpg.Record, states: Mapping[str, S]) -> None:
    is_silent = not row["quiesced"] or S.SENDING not in states.values()
    sure("P3", is_silent, f"{row['organization_id']} is off, and something is on the wire")


def _one_document(house: House, books: Books, row: asyncpg.Record) -> None:
    number = len(books.finals(house.items[row["name"]].reference))
    sure("P2", number <= 1, f"the ERP holds {number} documents for {row['name']}")
    sure("P2", row["state"] != S.SYNCED or number == 1, f"{row['name']} is synced, and the ERP has nothing")


def _legal_step(name: str, before: S, now: S) -> None:
    sure("P6", before is now or now in LEGAL[before], f"{name} went from {before} to {now}")


def _one_settlement_each(row: asyncpg.Record) -> None:
    entries = [entry.split() for entry in row["history"]]
    settled = [attempt for attempt, kind, _ in entries if kind == "settled"]
    sure("P6", len(settled) == len(set(settled)), f"{row['name']} was settled twice: {row['history']}")
    is_past = all(int(attempt) <= row["attempt"] for attempt, _, _ in entries)
    sure("P6", is_past, f"{row['name']} has a history beyond its attempt {row['attempt']}: {row['history']}")


_COMPARED = ("state", "attempt", "is_due", "for_person", "is_quarantined", "resends", "absences", "history")


def _as_modelled(item: Item, row: asyncpg.Record) -> None:
    stored: Iterable[tuple[str, object]] = ((name, row[name]) for name in _COMPARED)
    differing = [f"{name} {value}, not {getattr(item, name)}" for name, value in stored if value != getattr(item, name)]
    sure("model", not differing, f"{item.name} is {'; '.join(differing)}")
