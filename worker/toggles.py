"""Switching connectors on and off: one way in for Kafka, HTTP, screens and the command line."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import assert_never

from worker.connector_changes import tell_of_change
from worker.domain.release import ReleasePolicy, marks_at_enable
from worker.domain.schedule import next_run_after
from worker.domain.switching import Decision, Phase, Toggle, Verdict, decide
from worker.runs import WORKER, start_run, stop_run
from worker.store import connectors, intake, sync_log
from worker.store.connectors import LockedConnector
from worker.store.database import Connection
from worker.store.runs import RunKind
from worker.store.sync_log import Change

NOTHING_IN_FLIGHT = "Nothing is in flight any more."


@dataclass(frozen=True, slots=True)
class Toggled:
    """What came of a toggle: the decision with its sentence, and the connector's phase now (None: there is none)."""

    decision: Decision
    phase: Phase | None


async def apply_toggle(
    connection: Connection, toggle: Toggle, source: str, detail: Mapping[str, object] = MappingProxyType({})
) -> Toggled:
    """Checks the right, locks, applies, logs and queues the event, all in the caller's transaction.

    `detail` goes into the log with a switch that is made.
    """
    locked = await connectors.lock(connection, toggle.organization_id)
    decision = decide(toggle, [one.flag for one in locked])
    own = next((one for one in locked if one.flag.kind == toggle.connector), None)
    match decision.verdict:
        case Verdict.APPLIED if own is not None:
            phase: Phase | None = await _apply(connection, toggle, own, source, detail)
        case Verdict.UNCHANGED:
            await connectors.note_revision(connection, toggle)
            phase = own.flag.phase if own else None
            await _log_without_effect(connection, toggle, decision, phase, source)
        case Verdict.APPLIED | Verdict.SUPERSEDED | Verdict.REFUSED:
            phase = own.flag.phase if own else None
            await _log_without_effect(connection, toggle, decision, phase, source)
        case _:
            assert_never(decision.verdict)
    return Toggled(decision, phase)


async def finish_switching_off(connection: Connection, organization_id: str, kind: str) -> bool:
    """Says that a connector is off, once nothing is in flight any more. Answers whether that is so since now."""
    title = await connectors.quiesce(connection, organization_id, kind)
    if title is None:
        return False
    await stop_run(connection, organization_id, kind)
    unknown = await connectors.outcome_unknown(connection, organization_id, kind)
    reason = " ".join([NOTHING_IN_FLIGHT, *_said_of(unknown)])
    change = Change(
        WORKER.id,
        WORKER.role,
        "worker",
        "connector_quiesced",
        kind,
        Phase.OFF,
        reason,
        _counted(outcome_unknown=unknown),
    )
    entry = await sync_log.append(connection, organization_id, change)
    await tell_of_change(connection, organization_id, kind, Phase.OFF, WORKER, reason, entry.at)
    return True


async def _apply(
    connection: Connection, toggle: Toggle, own: LockedConnector, source: str, detail: Mapping[str, object]
) -> Phase:
    now: datetime = await sync_log.clock(connection)
    if toggle.enabled:
        return await _switch_on(connection, toggle, own, now, source, detail)
    return await _switch_off(connection, toggle, own, now, source, detail)


async def _switch_on(
    connection: Connection,
    toggle: Toggle,
    own: LockedConnector,
    now: datetime,
    source: str,
    detail: Mapping[str, object],
) -> Phase:
    marks = own.flag.marks
    if not own.flag.enabled:  # else it was suspended: what came meanwhile is released, and an open run goes on
        await stop_run(connection, toggle.organization_id)
        marks = marks_at_enable(own.flag.policy, marks, await connectors.last_seq(connection))
    next_run = next_run_after(own.schedule, own.time_zone, now) if own.schedule else None
    await connectors.switch_on(connection, toggle, now, marks, next_run)
    await _record(connection, toggle, "connector_enabled", Phase.ON, source, detail)
    if own.flag.policy is ReleasePolicy.ON_ENABLE:
        await start_run(connection, toggle.organization_id, own.flag, RunKind.CONNECTOR_ENABLED, toggle.actor, source)
    await intake.wake_lanes(connection, [toggle.organization_id])
    return Phase.ON


async def _switch_off(
    connection: Connection,
    toggle: Toggle,
    own: LockedConnector,
    now: datetime,
    source: str,
    detail: Mapping[str, object],
) -> Phase:
    """The lock on the connector's row came first, so that every claim before this is seen and none can follow."""
    in_flight = await connectors.in_flight(connection, toggle.organization_id, own.flag.kind)
    unknown = await connectors.outcome_unknown(connection, toggle.organization_id, own.flag.kind)
    await connectors.switch_off(connection, toggle, now, in_flight=in_flight > 0)
    phase = Phase.SWITCHING_OFF if in_flight else Phase.OFF
    if not in_flight:
        await stop_run(connection, toggle.organization_id, toggle.connector)
    counts = _counted(in_flight=in_flight, outcome_unknown=unknown)
    await _record(connection, toggle, "connector_disabled", phase, source, {**detail, **counts})
    await intake.wake_lanes(connection, [toggle.organization_id])
    return phase


async def _record(
    connection: Connection,
    toggle: Toggle,
    change: str,
    phase: Phase,
    source: str,
    detail: Mapping[str, object],
) -> None:
    revision = {} if toggle.revision is None else {"revision": toggle.revision}
    entry = await sync_log.append(
        connection,
        toggle.organization_id,
        _change(toggle, change, phase, source, toggle.reason, {**detail, **revision}),
    )
    await tell_of_change(
        connection, toggle.organization_id, toggle.connector, phase, toggle.actor, toggle.reason, entry.at
    )


def _said_of(unknown: int) -> list[str]:
    """An attempt that ended without an answer may still be carried out by the ERP: whoever switches off has to know."""
    if not unknown:
        return []
    noun = "outcome is" if unknown == 1 else "outcomes are"
    return [f"{unknown} {noun} unknown: looked up once the connector is on again."]


def _counted(**counts: int) -> dict[str, object]:
    return {name: count for name, count in counts.items() if count}


async def _log_without_effect(
    connection: Connection, toggle: Toggle, decision: Decision, phase: Phase | None, source: str
) -> None:
    detail: dict[str, object] = {"wanted": "on" if toggle.enabled else "off", "answer": decision.sentence}
    change = _change(toggle, f"toggle_{decision.verdict}", phase, source, toggle.reason, detail)
    await sync_log.append(connection, toggle.organization_id, change)


def _change(
    toggle: Toggle, change: str, phase: Phase | None, source: str, reason: str, detail: dict[str, object]
) -> Change:
    return Change(
        actor=toggle.actor.id,
        actor_role=toggle.actor.role,
        source=source,
        change=change,
        connector=toggle.connector,
        new_state=phase,
        reason=reason,
        detail=detail,
    )
