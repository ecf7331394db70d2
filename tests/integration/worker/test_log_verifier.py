"""Whether a log is whole: verified once, gone on with, and never believed further than it was read."""

from collections.abc import Iterator

import pytest

from tests.integration.worker.rows import add_organization, set_up, switch
from worker import log_verifier
from worker.domain.sentences import Sentence
from worker.log_verifier import LogVerifier
from worker.store import sync_log
from worker.store.database import Connection, Pool, acquire, transaction
from worker.store.sync_log import Change
from worker.views import LogVerification

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _ask(pool: Pool, verifier: LogVerifier, organization_id: str = "hlf") -> LogVerification:
    async with acquire(pool) as connection:
        return await verifier.verified(connection, organization_id)


async def _tamper(pool: Pool, statement: str) -> None:
    """As somebody with the database would."""
    async with transaction(pool) as connection:
        await connection.execute("alter table sync_log disable trigger sync_log_is_written_once")
        await connection.execute(statement)


async def _note(pool: Pool, number: int) -> None:
    async with transaction(pool) as connection:
        for _ in range(number):
            await sync_log.append(connection, "hlf", Change("a", "system", "worker", "noted"))


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(first, last) of the entries that were read."""
    parts: list[tuple[int, int]] = []
    chain_part = sync_log.chain_part

    async def recorded(connection: Connection, organization_id: str, after: int, through: int, limit: int) -> object:
        found = await chain_part(connection, organization_id, after, through, limit)
        parts.append((found[0].entry.entry_no, found[-1].entry.entry_no) if found else (0, 0))
        return found

    monkeypatch.setattr("worker.store.sync_log.chain_part", recorded)
    return parts


async def test_a_whole_log_is_whole_through_its_last_entry(pool: Pool) -> None:
    await set_up(pool)
    assert await _ask(pool, LogVerifier()) == LogVerification(
        state="whole", verified_through=2, entries=2, problem=None
    )


async def test_asked_again_only_what_is_new_is_read(pool: Pool, read: list[tuple[int, int]]) -> None:
    await set_up(pool)
    verifier = LogVerifier()
    await _ask(pool, verifier)
    await switch(pool, True)
    assert (await _ask(pool, verifier)).verified_through == 4
    assert (await _ask(pool, verifier)).state == "whole"
    assert read == [(1, 2), (3, 4)]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("update sync_log set reason = 'x' where entry_no = 3", "Entry 3 was changed after it was written."),
        ("delete from sync_log where entry_no = 3", "Entry 3 is missing."),
        ("delete from sync_log where entry_no = 4", "The log ends at entry 3, but 4 entries were written."),
        ("update sync_log_head set entry_no = 3", "The log ends at entry 3, but 3 entries were written."),
    ],
)
async def test_what_was_tampered_with_since_is_found(pool: Pool, statement: str, words: str) -> None:
    await set_up(pool)
    verifier = LogVerifier()
    await _ask(pool, verifier)
    await switch(pool, True)
    await _tamper(pool, statement)
    for _ in range(2):
        found = await _ask(pool, verifier)
        assert (found.state, found.problem) == ("broken", words)
        assert isinstance(found.problem, Sentence)


async def test_a_log_written_anew_as_a_whole_is_verified_from_its_beginning(pool: Pool) -> None:
    """The remembered place is not in it any more."""
    await set_up(pool)
    verifier = LogVerifier()
    await _ask(pool, verifier)
    await _tamper(pool, "update sync_log set actor = 'x', hash = sha256(hash)")
    found = await _ask(pool, verifier)
    assert (found.state, found.problem) == ("broken", "Entry 1 was changed after it was written.")


async def test_after_a_day_it_begins_anew(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    await set_up(pool)
    verifier = LogVerifier()
    await _ask(pool, verifier)
    await _tamper(pool, "update sync_log set reason = 'x' where entry_no = 1")
    assert (await _ask(pool, verifier)).state == "whole"
    monkeypatch.setattr(log_verifier, "A_DAY", -1.0)
    assert (await _ask(pool, verifier)).problem == "Entry 1 was changed after it was written."


@pytest.fixture
def little_at_once() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(log_verifier, "AT_ONCE", 10)
        patch.setattr(log_verifier, "A_SLICE", 4)
        yield


@pytest.mark.usefixtures("little_at_once")
async def test_a_long_log_is_verified_by_several_questions(pool: Pool) -> None:
    await add_organization(pool)
    await _note(pool, 24)
    verifier = LogVerifier()
    found = [await _ask(pool, verifier) for _ in range(4)]
    assert [(one.state, one.verified_through, one.entries) for one in found] == [
        ("checking", 10, 25),
        ("checking", 20, 25),
        ("whole", 25, 25),
        ("whole", 25, 25),
    ]


@pytest.mark.usefixtures("little_at_once")
@pytest.mark.parametrize("kept", [4, 8, 9, 10, 11])
async def test_an_end_that_was_cut_off_is_found_wherever_it_was(pool: Pool, kept: int) -> None:
    await add_organization(pool)
    await _note(pool, 24)
    await _tamper(pool, f"delete from sync_log where entry_no > {kept}")
    verifier = LogVerifier()
    states = [await _ask(pool, verifier) for _ in range(2)]
    assert states[-1].problem == f"The log ends at entry {kept}, but 25 entries were written."


async def test_it_remembers_no_more_logs_than_it_should(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_verifier, "REMEMBERED", 2)
    for name in ("a", "b", "c"):
        await add_organization(pool, name)
    verifier = LogVerifier()
    for name in ("a", "b", "a", "c"):
        await _ask(pool, verifier, name)
    assert list(verifier._known) == ["a", "c"]


async def test_an_organisation_without_a_log_is_said_to_have_none(pool: Pool) -> None:
    found = await _ask(pool, LogVerifier())
    assert (found.state, found.problem) == ("broken", "There is no log of this organisation.")
