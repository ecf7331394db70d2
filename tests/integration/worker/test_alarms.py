"""What is in doubt for too long, or waits for a person, is told to operators."""

import asyncio
from datetime import timedelta

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from tests.events import approval
from tests.integration.worker.rows import bring_to, set_up, take_in
from worker.alarms import Alarms
from worker.store import reading
from worker.store.database import Pool, acquire

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def overdue(pool: Pool) -> dict[tuple[str, str], int]:
    async with acquire(pool) as connection:
        return {(one.organization_id, one.state): one.count for one in await reading.doubts(connection)}


async def make(pool: Pool, state: str, change: str) -> None:
    await set_up(pool)
    await take_in(pool, approval("R-1"))
    await bring_to(pool, state, "R-1")
    async with acquire(pool) as connection:
        await connection.execute(f"update item set {change}")


@pytest.mark.promise("P7")
@pytest.mark.parametrize(
    ("state", "change", "is_overdue"),
    [
        ("unknown", "due_at = 'infinity'", True),
        ("unknown", "claimed_at = clock_timestamp() - interval '54 minutes'", False),
        ("unknown", "claimed_at = clock_timestamp() - interval '56 minutes'", True),
        ("unknown", "claimed_at = clock_timestamp() - interval '14 minutes', request_life = '1 minute'", True),
        ("unknown", "doubt_since = clock_timestamp() - interval '54 minutes'", False),
        ("unknown", "doubt_since = clock_timestamp() - interval '56 minutes'", True),
        ("confirming", "claimed_at = clock_timestamp() - interval '2 days'", False),
        ("confirming", "reason_code = 'import_overdue'", True),
        ("sending", "claimed_at = clock_timestamp()", True),
    ],
)
async def test_nothing_is_in_doubt_beyond_its_limit_without_an_alarm(
    pool: Pool, state: str, change: str, is_overdue: bool
) -> None:
    """`sending` in a lane that nobody holds: its lease ended long ago."""
    await make(pool, state, change)
    assert await overdue(pool) == ({("hlf", state): 1} if is_overdue else {})


async def test_what_is_sent_under_a_lease_is_no_alarm(pool: Pool) -> None:
    await make(pool, "sending", "claimed_at = clock_timestamp()")
    async with acquire(pool) as connection:
        await connection.execute("update lane set leased_until = clock_timestamp()")
    assert await overdue(pool) == {}


async def test_an_alarm_is_logged_when_it_begins_and_measured_as_long_as_it_lasts(pool: Pool) -> None:
    await make(pool, "unknown", "due_at = 'infinity'")
    stop, turns = asyncio.Event(), 0

    def count(rests: float = 0.0, *, in_vain: bool | None = None) -> None:
        nonlocal turns
        assert (rests, in_vain) == (0.01, None)
        turns += 1
        if turns == 3:
            stop.set()

    with capture_logs() as logs:
        await Alarms(pool, timedelta(seconds=0.01), count).run(stop)
    assert [entry for entry in logs if entry["event"] == "items_overdue"] == [
        {"event": "items_overdue", "log_level": "error", "organization_id": "hlf", "state": "unknown", "count": 1}
    ]
    assert REGISTRY.get_sample_value("accounting_sync_overdue_items", {"state": "unknown"}) == 1
