"""Named points of the worker's code where a process kills or stops itself: a fault is injected, nothing is mocked."""

import asyncio
import functools
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import Connection
from typing import Any

from tests.chaos.wrapping import Function, wrap

UNDER_WAY_SECONDS = 0.004


class Moment(StrEnum):
    """BEFORE the function runs, AFTER it returned, or a few milliseconds after it BEGAN."""

    BEFORE = "before"
    AFTER = "after"
    BEGAN = "began"


class Deed(StrEnum):
    """What the process does to itself; the one thing it says first is that it came there."""

    KILL = "kill"
    STOP = "stop"

    @property
    def signal(self) -> signal.Signals:
        return signal.SIGKILL if self is Deed.KILL else signal.SIGSTOP


@dataclass(frozen=True, slots=True)
class Point:
    """`target` is the function (`module:name`), `moment` where around it.

    `is_intake`: only the Kafka side and the outbox pass it. `only`: which calls count as passages.
    """

    name: str
    target: str
    moment: Moment
    is_intake: bool = False
    only: Callable[..., bool] | None = None


def _carries_a_reimbursement(*arguments: object, **named: object) -> bool:
    """Of an HTTP request: those and only those come with a permit."""
    return any(hasattr(one, "is_valid") for one in (*arguments, *named.values()))


_SEND = "connectors.http:HttpClient.send"
POINTS = {
    point.name: point
    for point in (
        Point("batch_fetched", "worker.batch:store_batch", Moment.BEFORE, is_intake=True),
        Point("amid_the_batch", "worker.store.intake:accept", Moment.AFTER, is_intake=True),
        Point("batch_stored", "worker.batch:store_batch", Moment.AFTER, is_intake=True),
        Point("offsets_committed", "worker.intake:_commit", Moment.AFTER, is_intake=True),
        Point("amid_switching_on", "worker.store.connectors:switch_on", Moment.AFTER, is_intake=True),
        Point("amid_switching_off", "worker.store.connectors:switch_off", Moment.AFTER, is_intake=True),
        Point("toggle_logged", "worker.toggles:apply_toggle", Moment.AFTER, is_intake=True),
        Point("outbox_published", "worker.outbox:_publish", Moment.AFTER, is_intake=True),
        Point("outbox_deleted", "worker.store.outbox:forget", Moment.AFTER, is_intake=True),
        Point("lane_leased", "worker.store.lanes:lease", Moment.AFTER),
        Point("amid_abandoning", "worker.store.lanes:abandon_sending", Moment.AFTER),
        Point("lease_renewed", "worker.store.lanes:renew", Moment.AFTER),
        Point("lane_given_back", "worker.store.lanes:release", Moment.BEFORE),
        Point("amid_the_claim", "worker.store.items:claim", Moment.AFTER),
        Point("claim_committed", "worker.claiming:claim_together", Moment.AFTER),
        Point("about_to_leave", _SEND, Moment.BEFORE, only=_carries_a_reimbursement),
        Point("under_way", _SEND, Moment.BEGAN, only=_carries_a_reimbursement),
        Point("answer_arrived", _SEND, Moment.AFTER, only=_carries_a_reimbursement),
        Point("outcome_known", "worker.settler:Settler.settle", Moment.BEFORE),
        Point("settled", "worker.store.items:settle", Moment.AFTER),
        Point("amid_quiescing", "worker.store.connectors:quiesce", Moment.AFTER),
        Point("about_to_look_up", "worker.reconcile:look_up_due", Moment.BEFORE),
        Point("looked_up", "worker.reconcile:_look_again", Moment.BEFORE),
        Point("amid_finishing_a_run", "worker.runs:finish_if_done", Moment.AFTER),
    )
}


@dataclass(frozen=True, slots=True)
class Blow:
    """Strikes when the process comes to the point for the `passage`-th time (from 1)."""

    point: str
    deed: Deed
    passage: int = 1


def lay(blow: Blow, bell: Connection) -> None:
    """For this process alone, before the worker starts."""
    point = POINTS[blow.point]
    left = blow.passage

    def strike() -> None:
        bell.send_bytes(blow.point.encode())
        os.kill(os.getpid(), blow.deed.signal)

    def comes_due(*arguments: object, **named: object) -> bool:
        nonlocal left
        if point.only is not None and not point.only(*arguments, **named):
            return False
        left -= 1
        return left == 0

    wrap(point.target, lambda original: _around(original, point.moment, comes_due, strike))


def _around(original: Function, moment: Moment, comes_due: Callable[..., bool], strike: Callable[[], None]) -> Function:
    @functools.wraps(original)
    async def wrapper(*arguments: Any, **named: Any) -> Any:  # the product's own signature, whatever it is
        due = comes_due(*arguments, **named)
        if due and moment is Moment.BEFORE:
            strike()
        if due and moment is Moment.BEGAN:
            asyncio.get_running_loop().call_later(UNDER_WAY_SECONDS, strike)
        answer = await original(*arguments, **named)
        if due and moment is Moment.AFTER:
            strike()
        return answer

    return wrapper
