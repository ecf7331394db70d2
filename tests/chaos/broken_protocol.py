"""What the variants of a worker without one of the protocol's mechanisms do instead."""

import importlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

from connectors.contract import Absent, Limits, NotSent, Unknown
from tests.chaos.wrapping import Function, wrap


def without_quarantine() -> None:
    for judge in ("worker.domain.states:judge_outcome", "worker.domain.look_up:judge_doubt"):
        wrap(judge, _without_patience)


def without_look_ups() -> None:
    """Neither when the quarantine is over nor before a further attempt."""
    wrap("connectors.xledger.connector:XledgerConnector.look_up", lambda _: _all_absent)


def without_second_look() -> None:
    importlib.import_module("worker.domain.look_up").ENOUGH_ABSENCES = 1  # type: ignore[attr-defined]


def unknown_as_not_sent() -> None:
    wrap("connectors.xledger.connector:XledgerConnector.post", _optimistic)


def without_comparison() -> None:
    wrap(
        "worker.domain.look_up:judge_document", lambda judge: lambda found, approved: judge(found, _as(found, approved))
    )


def without_the_flag() -> None:
    """In the claim; that no lane is leased while the connector is off stays."""
    statements = importlib.import_module("worker.store.items")._SQL
    asks = "c.enabled and c.suspended_at is null\n"
    assert asks in statements["lock_open_connectors"], "The claim asks for the flag in other words."
    statements["lock_open_connectors"] = statements["lock_open_connectors"].replace(asks, "true\n")


def _without_patience(judge: Function) -> Function:
    def judge_at_once(*arguments: Any, **named: Any) -> Any:
        hurried = {name: _at_once(one) for name, one in named.items()}
        return judge(*(_at_once(one) for one in arguments), **hurried)

    return judge_at_once


def _at_once(argument: Any) -> Any:
    return replace(argument, longest_request_life=timedelta()) if isinstance(argument, Limits) else argument


async def _all_absent(_connector: object, references: list[str]) -> dict[str, Absent]:
    return dict.fromkeys(references, Absent())


def _optimistic(post: Function) -> Function:
    async def post_optimistically(*arguments: Any) -> Any:
        outcome = await post(*arguments)
        return NotSent(outcome.evidence) if isinstance(outcome, Unknown) else outcome

    return post_optimistically


def _as(found: Any, approved: Any) -> Any:
    return replace(approved, total=found.total, currency=found.currency)
