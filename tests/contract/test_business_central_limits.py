"""A drain under Business Central's limits, scaled: 5 at once stays, 6,000 in 5 minutes becomes 100 a second."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
import pytest_asyncio

from connectors.business_central.connector import BusinessCentralConnector
from connectors.business_central.settings import read_settings
from connectors.contract import Environment, NotSent, Posted, PostingLine
from connectors.pacing import Pace
from tests.contract.bench import Permit, SandboxBench, business_central_bench
from tests.unit.connectors.samples import mapping

ITEMS, REQUESTS, SECONDS, AT_ONCE = 300, 100, 1.0, 5


@pytest_asyncio.fixture
async def limited(tmp_path: Path) -> AsyncIterator[SandboxBench]:
    async with business_central_bench(tmp_path) as bench:
        await bench.sandbox.set_limits(at_once=AT_ONCE, queued=0, per_window=REQUESTS, window_seconds=SECONDS)
        yield bench
        await bench.close_connectors()


def connect(bench: SandboxBench, pace: Pace) -> BusinessCentralConnector:
    account = bench.accounts[0]
    environment = Environment(frozenset({bench.sandbox.url.removeprefix("http://")}))
    settings, hosts = read_settings({**account.settings, "concurrency": AT_ONCE}, environment)
    connector = BusinessCentralConnector(settings, account.credentials, mapping(), hosts, pace)
    bench.opened.append(connector)
    return connector


async def test_a_drain_never_exceeds_the_limits(limited: SandboxBench) -> None:
    connector = connect(limited, Pace(requests=REQUESTS, seconds=SECONDS, concurrency=AT_ONCE))
    line = PostingLine("7140", Decimal("1250.50"), "Train")
    postings = [limited.posting(lines=(line,)) for _ in range(ITEMS)]
    outcomes = await asyncio.gather(*(connector.post(posting, Permit()) for posting in postings))
    assert all(isinstance(outcome, Posted) for outcome in outcomes)
    requests = await limited.sandbox.requests()
    assert "over_limit" not in requests
    assert requests["companyInformation"] == requests["token"] == 1
    assert [requests[kind] for kind in ("create_invoice", "post_invoice", "get_invoice")] == [ITEMS] * 3
    assert sum(line.final for line in await limited.sandbox.ledger()) == ITEMS


@pytest.mark.parametrize(("at_once", "window"), [(AT_ONCE * 2, None), (AT_ONCE, 20)], ids=["at once", "in the window"])
async def test_the_sandbox_tells_of_a_pace_above_them(limited: SandboxBench, at_once: int, window: int | None) -> None:
    """Whoever is inside stays there until one is turned away, and the window does not move on: however slow all are."""
    await limited.sandbox.set_limits(per_window=window, window_seconds=3600)
    if window is None:
        await limited.sandbox.hold(["create_invoice"])
    connector = connect(limited, Pace(requests=REQUESTS * 100, seconds=SECONDS, concurrency=at_once))
    posting = asyncio.gather(*(connector.post(limited.posting(), Permit()) for _ in range(50)))
    assert await limited.sandbox.wait_requests("over_limit", 1) > 0
    await limited.sandbox.release()
    assert any(isinstance(outcome, NotSent) for outcome in await posting)
