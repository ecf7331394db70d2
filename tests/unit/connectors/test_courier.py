"""Which vouchers travel together, and what becomes of each."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

import pytest

from connectors.contract import (
    Accepted,
    Document,
    NotSent,
    Permit,
    Posting,
    PostOutcome,
    Rejected,
    Unavailable,
    Unknown,
)
from connectors.http import Uncertain
from connectors.pacing import Pace
from connectors.xledger.answers import Refusal, Reply
from connectors.xledger.courier import Courier, Inputs, Parcel, load
from connectors.xledger.documents import Books, Node, registration_numbers, voucher
from tests.unit.connectors.samples import posting

BOOKS = Books("AP", "NOK", {"AVD": "glObject1"})
WRONG = "R-wrong"


class Leave:
    def __init__(self, *, is_valid: bool = True) -> None:
        self.valid = is_valid

    def is_valid(self) -> bool:
        return self.valid


class Xledger:
    """Takes a mutation whole or refuses it whole, as Xledger does; each answer waits until it is let go."""

    def __init__(self) -> None:
        self.requests: list[int] = []
        self.came = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()
        self.spoilt: Reply | NotSent | Unavailable | Uncertain | None = None
        self.code = "INVALID_VALUE"

    async def send(self, inputs: Inputs, permit: Permit) -> Reply | NotSent | Unavailable | Uncertain:
        if not permit.is_valid():
            return NotSent("The permit ended.")
        self.requests.append(len({str(each["clientId"]).partition(".")[0] for each in inputs}))
        self.came.set()
        await self.answers.wait()
        if self.spoilt is not None:
            return self.spoilt
        if any(WRONG in str(each["node"]) for each in inputs):
            return Reply({}, [Refusal(self.code, "The account is unknown.", "")])
        edges = [{"clientId": each["clientId"], "node": {"dbId": place}} for place, each in enumerate(inputs)]
        return Reply({"addGLImportItems": {"edges": edges}}, [])


def courier(xledger: Xledger, most_requests: int = 1) -> Courier:
    pace = Pace(requests=1_000_000, seconds=5, concurrency=most_requests)
    return Courier(pace, xledger.send, taken, lambda: datetime.now(UTC), most_requests)


def taken(what: Posting, ids: Sequence[str]) -> Accepted:
    return Accepted(Document(what.reference, ",".join(ids)), timedelta())


def nodes(what: Posting) -> list[Node]:
    made = voucher(what, date(2026, 11, 20), BOOKS, registration_numbers(what)[0])
    assert isinstance(made, list)
    return made


async def send_all(by: Courier, postings: Sequence[Posting], leave: Leave | None = None) -> list[PostOutcome]:
    return list(await asyncio.gather(*(by.add(one, nodes(one), leave or Leave()) for one in postings)))


async def test_what_is_ready_at_once_travels_in_one_request() -> None:
    xledger = Xledger()
    outcomes = await send_all(courier(xledger), [posting(f"R-{number}") for number in range(40)])
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert xledger.requests == [40]


async def test_what_comes_while_a_request_is_under_way_leaves_with_the_next() -> None:
    xledger = Xledger()
    by = courier(xledger)
    xledger.answers.clear()
    first = asyncio.create_task(send_all(by, [posting("R-0")]))
    await xledger.came.wait()
    others = asyncio.create_task(send_all(by, [posting(f"R-{number}") for number in range(1, 8)]))
    await asyncio.sleep(0)
    xledger.answers.set()
    await asyncio.gather(first, others)
    assert xledger.requests == [1, 7]


async def test_what_comes_in_the_turn_of_the_loop_in_which_a_round_ends_is_carried_too() -> None:
    xledger = Xledger()
    by = courier(xledger)
    xledger.answers.clear()
    first = asyncio.create_task(send_all(by, [posting("R-0")]))
    await xledger.came.wait()
    xledger.answers.set()  # the round goes on in the next turn, and ends in it
    second = asyncio.create_task(by.add(posting("R-1"), nodes(posting("R-1")), Leave()))
    async with asyncio.timeout(5):
        await asyncio.gather(first, second)
    assert xledger.requests == [1, 1]


async def test_no_mutation_has_more_than_500_rows_and_no_voucher_is_spread_over_two() -> None:
    xledger = Xledger()
    await send_all(courier(xledger), [posting(f"R-{number}") for number in range(200)])
    assert xledger.requests == [166, 34], "three rows each"


async def test_no_more_travel_together_than_the_configuration_says() -> None:
    xledger = Xledger()
    pace = Pace(requests=1_000_000, seconds=5, concurrency=1)
    by = Courier(pace, xledger.send, taken, lambda: datetime.now(UTC), 1, most_vouchers=2)
    await send_all(by, [posting(f"R-{number}") for number in range(5)])
    assert xledger.requests == [2, 2, 1]


async def test_one_that_is_refused_costs_the_others_nothing_but_a_request_of_their_own() -> None:
    xledger = Xledger()
    outcomes = await send_all(courier(xledger), [posting("R-0"), posting(WRONG), posting("R-2")])
    assert [type(outcome) for outcome in outcomes] == [Accepted, Rejected, Accepted]
    assert xledger.requests == [3, 1, 1, 1]


async def test_what_shared_a_mutation_of_which_nobody_knows_travels_alone_from_then_on() -> None:
    """One of them may be the reason, and would keep the others out of the books for ever."""
    xledger = Xledger()
    xledger.code = "SUBLEDGER_LOCKED"
    by, names = courier(xledger), ["R-0", WRONG, "R-2"]
    first = await send_all(by, [posting(name) for name in names])
    assert {type(outcome) for outcome in first} == {Unknown}
    second = await send_all(by, [posting(name, attempt=2) for name in names])
    assert [type(outcome) for outcome in second] == [Accepted, Unknown, Accepted]
    third = await send_all(by, [posting(WRONG, attempt=3), posting("R-3"), posting("R-4")])
    assert [type(outcome) for outcome in third] == [Unknown, Accepted, Accepted]
    assert xledger.requests == [3, 1, 1, 1, 1, 2]


@pytest.mark.parametrize(
    ("spoilt", "outcome"),
    [
        (Uncertain("the answer timed out"), Unknown),
        (NotSent("Xledger was not reached."), NotSent),
        (Unavailable("Xledger refused the API token."), Unavailable),
        (Reply({"addGLImportItems": {"edges": []}}, []), Unknown),
        (Reply({"addGLImportItems": {"edges": []}}, [Refusal("INVALID_VALUE", "?", "")]), Unknown),
    ],
)
async def test_what_became_of_the_request_became_of_each_voucher_in_it(
    spoilt: Reply | NotSent | Unavailable | Uncertain, outcome: type[PostOutcome]
) -> None:
    xledger = Xledger()
    xledger.spoilt = spoilt
    outcomes = await send_all(courier(xledger), [posting(f"R-{number}") for number in range(5)])
    assert {type(one) for one in outcomes} == {outcome}
    assert xledger.requests == [5]


async def test_a_voucher_whose_rows_were_all_added_is_in_whatever_became_of_its_neighbours() -> None:
    xledger = Xledger()
    rows = [{"clientId": f"0.{row}", "node": {"dbId": row}} for row in range(3)]
    half: Mapping[str, object] = {"addGLImportItems": {"edges": [*rows, {"clientId": "1.0", "node": {"dbId": 3}}]}}
    xledger.spoilt = Reply(half, [Refusal("INVALID_VALUE", "?", "")])
    outcomes = await send_all(courier(xledger), [posting("R-0"), posting("R-1")])
    assert [type(outcome) for outcome in outcomes] == [Accepted, Unknown]


@pytest.mark.promise("P3")
async def test_one_permit_that_ended_keeps_the_whole_request_back() -> None:
    xledger = Xledger()
    by = courier(xledger)
    valid, ended = posting("R-0"), posting("R-1")
    outcomes = await asyncio.gather(
        by.add(valid, nodes(valid), Leave()), by.add(ended, nodes(ended), Leave(is_valid=False))
    )
    assert {type(outcome) for outcome in outcomes} == {NotSent}
    assert xledger.requests == []


async def test_what_is_given_up_while_it_waits_never_leaves() -> None:
    xledger = Xledger()
    by = courier(xledger)
    xledger.answers.clear()
    first = asyncio.create_task(send_all(by, [posting("R-0")]))
    await xledger.came.wait()
    given_up = asyncio.create_task(send_all(by, [posting("R-1")]))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    xledger.answers.set()
    await first
    await by.close()
    assert xledger.requests == [1]


async def test_two_vouchers_with_one_registration_number_do_not_travel_together() -> None:
    one, same = posting("R-0"), posting("R-1")
    rows = nodes(same)
    for row in rows:
        row["trRegNumber"] = nodes(one)[0]["trRegNumber"]
    loop = asyncio.get_running_loop()
    waiting = deque(
        [Parcel(one, nodes(one), Leave(), loop.create_future()), Parcel(same, rows, Leave(), loop.create_future())]
    )
    assert [parcel.posting for parcel in load(waiting)] == [one]
    assert [parcel.posting for parcel in load(waiting)] == [same]


async def test_a_bug_on_the_way_is_raised_in_each_voucher_and_none_waits_for_ever() -> None:
    async def break_down(_inputs: Inputs, _permit: Permit) -> Reply:
        raise LookupError

    by = Courier(Pace(requests=1_000_000, seconds=5, concurrency=1), break_down, taken, lambda: datetime.now(UTC), 1)
    sent = (by.add(one, nodes(one), Leave()) for one in (posting("R-0"), posting("R-1")))
    assert {type(error) for error in await asyncio.gather(*sent, return_exceptions=True)} == {LookupError}
