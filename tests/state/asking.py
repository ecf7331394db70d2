"""Look-ups, as the worker makes them: asked now, their findings written later, with anything in between."""

import asyncio
from copy import copy
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from connectors.contract import Finding, Limits
from tests.state.model import House, Item
from tests.state.promises import sure
from tests.state.quiet_time import HOUR
from tests.state.workers import Desk, Hand, Look
from tests.state.world import World
from worker.domain.look_up import Approved, Later, judge_doubt, judge_import
from worker.domain.states import ItemState, Verdict
from worker.reconcile import look_up_due

LONG_AGO = timedelta(days=1)


async def ask(world: World, hand: Hand, house: House) -> None:
    """A look-up that waits with its findings, where there is anything to ask."""
    adapter = world.adapter(hand, house)
    if adapter is None:
        return
    desk = Desk(world.books[house.kind])
    asking = replace(adapter, connector=desk)
    task = asyncio.create_task(look_up_due(world.bench.pool, hand.settler, house.organization_id, asking))
    seeing = asyncio.create_task(desk.has_looked.wait())
    await asyncio.wait({task, seeing}, return_when=asyncio.FIRST_COMPLETED)
    seeing.cancel()
    may = house.is_open and adapter.version == house.version
    asked = house.questions() if may else []
    hand.looks.append(Look(house, [copy(item) for item in asked], desk, task))
    _compare(house, desk, asked)
    if not asked:
        await finish(world, hand, hand.looks[-1])


def _compare(house: House, desk: Desk, asked: list[Item]) -> None:
    expected = {item.reference for item in asked}
    found = set(desk.findings or {})
    sure("P3", house.is_open or not found, f"{house.kind} is asked while it is {house.phase}")
    sure("P7", found == expected, f"{sorted(found)} are looked up, not {sorted(expected)}")


async def finish(_world: World, hand: Hand, look: Look) -> None:
    """The findings are written, as far as they still concern anybody."""
    look.desk.goes_on.set()
    await look.task
    hand.looks.remove(look)
    for then in look.asked:
        finding = (look.desk.findings or {})[then.reference]
        _learn(look.house.items[then.name], then, finding, look.desk.limits)


def _learn(item: Item, then: Item, finding: Finding, limits: Limits) -> None:
    judged = _judge(then, finding, limits)
    if isinstance(judged, Verdict):
        item.settle(then.attempt, then.state, judged)
    elif (item.state, item.attempt) == (ItemState.CONFIRMING, then.attempt):
        item.is_due = False


def _judge(then: Item, finding: Finding, limits: Limits) -> Verdict | Later:
    approved = Approved(Decimal(then.amount), "NOK")
    if then.state is ItemState.UNKNOWN:
        return judge_doubt(finding, approved, then.absences, limits)
    return judge_import(finding, approved, LONG_AGO if then.is_old else timedelta(), limits, HOUR)
