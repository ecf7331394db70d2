"""Whatever is done to a chain afterwards is found (P10)."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from worker.domain.log_chain import START, ChainEnd, LinkedEntry, LogEntry, entry_hash, first_break

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
MAYBE = st.none() | TEXT
DETAILS = st.dictionaries(TEXT, st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT, max_size=3)
FIRST = datetime(2020, 1, 1, tzinfo=UTC)
MOMENTS = st.timedeltas(timedelta(), timedelta(days=20_000)).map(lambda later: FIRST + later)
OTHER = {
    "organization_id": st.just("another"),
    "at": MOMENTS,
    "actor": TEXT,
    "actor_role": TEXT,
    "source": TEXT,
    "connector": MAYBE,
    "change": TEXT,
    "new_state": MAYBE,
    "reason": MAYBE,
    "detail": DETAILS,
}


@st.composite
def contents(draw: st.DrawFn) -> LogEntry:
    fields: dict[str, Any] = {name: draw(values) for name, values in OTHER.items() if name != "organization_id"}
    return LogEntry(organization_id="hlf", entry_no=1, **fields)


def chained(entries: list[LogEntry]) -> tuple[list[LinkedEntry], ChainEnd]:
    last, chain = START, []
    for number, content in enumerate(entries, 1):
        entry = replace(content, entry_no=number)
        chain.append(LinkedEntry(entry, last, entry_hash(entry, last)))
        last = chain[-1].hash
    return chain, ChainEnd(len(chain), last)


CHAINS = st.lists(contents(), min_size=1, max_size=6).map(chained)


@given(st.lists(contents(), max_size=6).map(chained))
def test_a_chain_that_nobody_touched_verifies(made: tuple[list[LinkedEntry], ChainEnd]) -> None:
    assert first_break(*made) is None


@given(CHAINS, st.data())
def test_a_changed_field_of_any_entry_is_found_where_it_stands(
    made: tuple[list[LinkedEntry], ChainEnd], data: st.DataObject
) -> None:
    chain, end = made
    place = data.draw(st.integers(0, len(chain) - 1))
    field = data.draw(st.sampled_from(sorted(OTHER)))
    value = data.draw(OTHER[field])
    assume(value != getattr(chain[place].entry, field))
    changes: dict[str, Any] = {field: value}
    chain[place] = replace(chain[place], entry=replace(chain[place].entry, **changes))
    assert first_break(chain, end) == f"Entry {place + 1} was changed after it was written."


@given(CHAINS, st.data())
def test_a_change_with_its_own_hash_mended_is_found_at_the_next_entry_or_at_the_end(
    made: tuple[list[LinkedEntry], ChainEnd], data: st.DataObject
) -> None:
    chain, end = made
    place = data.draw(st.integers(0, len(chain) - 1))
    forged = replace(chain[place].entry, actor=chain[place].entry.actor + "!")
    chain[place] = LinkedEntry(forged, chain[place].previous_hash, entry_hash(forged, chain[place].previous_hash))
    assert first_break(chain, end) is not None


@given(CHAINS, st.data())
def test_a_removed_entry_is_found(made: tuple[list[LinkedEntry], ChainEnd], data: st.DataObject) -> None:
    chain, end = made
    del chain[data.draw(st.integers(0, len(chain) - 1))]
    assert first_break(chain, end) is not None


@given(CHAINS, st.data())
def test_entries_in_another_order_are_found(made: tuple[list[LinkedEntry], ChainEnd], data: st.DataObject) -> None:
    chain, end = made
    shuffled = data.draw(st.permutations(chain))
    assume([one.entry.entry_no for one in shuffled] != [one.entry.entry_no for one in chain])
    assert first_break(shuffled, end) is not None


@given(CHAINS, st.data())
def test_swapped_contents_under_the_old_numbers_are_found(
    made: tuple[list[LinkedEntry], ChainEnd], data: st.DataObject
) -> None:
    chain, end = made
    one, other = data.draw(st.integers(0, len(chain) - 1)), data.draw(st.integers(0, len(chain) - 1))
    first, second = chain[one].entry, chain[other].entry
    assume(replace(first, entry_no=0) != replace(second, entry_no=0))
    chain[one] = replace(chain[one], entry=replace(second, entry_no=one + 1))
    chain[other] = replace(chain[other], entry=replace(first, entry_no=other + 1))
    assert first_break(chain, end) is not None


@given(CHAINS, st.data())
def test_a_chain_cut_off_at_its_end_is_found_by_the_number_of_entries(
    made: tuple[list[LinkedEntry], ChainEnd], data: st.DataObject
) -> None:
    chain, end = made
    kept = data.draw(st.integers(0, len(chain) - 1))
    assert first_break(chain[:kept], end) == f"The log ends at entry {kept}, but {len(chain)} entries were written."


@given(CHAINS)
def test_an_entry_added_behind_the_recorded_end_is_found(made: tuple[list[LinkedEntry], ChainEnd]) -> None:
    chain, end = made
    added = replace(chain[-1].entry, entry_no=len(chain) + 1)
    longer = [*chain, LinkedEntry(added, end.hash, entry_hash(added, end.hash))]
    assert first_break(longer, end) is not None


@given(contents(), st.integers(-12, 14))
def test_the_hash_does_not_depend_on_the_time_zone_a_driver_reads_in(entry: LogEntry, hours: int) -> None:
    elsewhere = replace(entry, at=entry.at.astimezone(timezone(timedelta(hours=hours))))
    assert entry_hash(elsewhere, START) == entry_hash(entry, START)


@given(contents())
def test_the_hash_does_not_depend_on_the_order_of_details(entry: LogEntry) -> None:
    turned = replace(entry, detail=dict(reversed(list(entry.detail.items()))))
    assert entry_hash(turned, START) == entry_hash(entry, START)


@given(contents())
def test_a_missing_field_is_not_an_empty_one(entry: LogEntry) -> None:
    assert entry_hash(replace(entry, reason=None), START) != entry_hash(replace(entry, reason=""), START)


def test_an_entry_is_hashed_in_the_form_that_is_on_record_for_ever() -> None:
    """Compact JSON in UTF-8, keys in order, UTC to the microsecond: another form would break every log there is."""
    at = datetime(2026, 11, 22, 10, 30, tzinfo=timezone(timedelta(hours=1)))
    detail = {"to": "på", "from": None, "count": 2}
    entry = LogEntry("hlf", 7, at, "user-9", "organization_admin", "http", "xledger", "enabled", "on", "Året", detail)
    form = (
        '["hlf",7,"2026-11-22T09:30:00.000000+00:00","user-9","organization_admin","http","xledger","enabled","on",'
        '"Året",{"count":2,"from":null,"to":"på"}]'
    )
    assert entry_hash(entry, START) == hashlib.sha256(bytes(32) + form.encode("utf-8")).digest()


@pytest.mark.usefixtures("machine_in_kathmandu")
def test_the_hash_does_not_depend_on_the_time_zone_of_the_machine() -> None:
    at = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    entry = LogEntry("hlf", 1, at, "root-1", "global_admin", "cli", None, "configured", None, None)
    text = '["hlf",1,"2026-11-22T09:30:00.000000+00:00","root-1","global_admin","cli",null,"configured",null,null,{}]'
    assert entry_hash(entry, START) == hashlib.sha256(bytes(32) + text.encode()).digest()
