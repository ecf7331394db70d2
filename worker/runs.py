"""Sync runs: started by an enable, a schedule or a person; finished by the lane that drained them."""

from dataclasses import dataclass
from datetime import datetime

from schemas.outcome import RunCounts, SyncRunFinished
from worker.connector_changes import tell_of_change
from worker.domain.release import marks_at_run
from worker.domain.sentences import Sentence, say
from worker.domain.switching import Actor, ConnectorFlag, Phase, Role
from worker.store import connectors, intake, outbox, sync_log
from worker.store import runs as run_store
from worker.store.connectors import LockedConnector
from worker.store.database import Connection
from worker.store.runs import Run, RunKind, RunResult
from worker.store.sync_log import Change

WORKER = Actor("accounting-sync", Role.SYSTEM)
"""The actor of what the worker does by itself."""


@dataclass(frozen=True, slots=True)
class RunRefused:
    """Nothing was started; the sentence says why and what to do."""

    sentence: Sentence


async def start_run(
    connection: Connection,
    organization_id: str,
    flag: ConnectorFlag,
    kind: RunKind,
    actor: Actor,
    source: str,
) -> Run:
    """Opens a run over everything that has arrived, or widens the one under way. Must hold the connector's row."""
    mark = await connectors.last_seq(connection)
    widened = await run_store.widen(connection, organization_id, mark)
    run = widened or await run_store.start(
        connection, organization_id=organization_id, kind=kind, connector=flag.kind, requested_by=actor.id, mark=mark
    )
    await run_store.release(connection, run, marks_at_run(flag.marks, run.mark))
    await _log_start(connection, run, actor, source, joined=widened is not None)
    await intake.wake_lanes(connection, [organization_id])
    return run


async def request_run(connection: Connection, organization_id: str, actor: Actor, source: str) -> Run | RunRefused:
    """A person asks for a run. While the connector is off this is refused, logged, and sends nothing."""
    refusal, locked = await _locked_enabled(connection, organization_id, actor)
    if refusal or not locked:
        sentence = refusal or say(
            "No connector is configured for {organization}. Nothing was synced. Configure one first.",
            organization=organization_id,
        )
        await _log_refusal(connection, organization_id, locked, actor, source, sentence)
        return RunRefused(sentence)
    if locked.flag.suspended:
        await resume(connection, organization_id, actor, source, "A manual run was asked for.")
    return await start_run(connection, organization_id, locked.flag, RunKind.MANUAL, actor, source)


async def resume(connection: Connection, organization_id: str, actor: Actor, source: str, reason: str) -> None:
    """Ends the worker's own pause of the enabled connector, where there is one."""
    kind = await connectors.resume(connection, organization_id, by_a_person=actor is not WORKER)
    if kind is None:
        return
    change = Change(actor.id, actor.role, source, "connector_resumed", kind, Phase.ON, reason)
    entry = await sync_log.append(connection, organization_id, change)
    await tell_of_change(connection, organization_id, kind, Phase.ON, actor, reason, entry.at)
    await intake.wake_lanes(connection, [organization_id])


async def finish_if_done(connection: Connection, organization_id: str) -> Run | None:
    """Ends the run under way once nothing of it is left."""
    run = await run_store.open_run(connection, organization_id)
    if run is None or not await run_store.is_done(connection, run):
        return None
    return await _finish(connection, run, RunResult.FINISHED, left=0)


async def has_open_run(connection: Connection, organization_id: str) -> bool:
    """Asked for by every lane that falls idle, so it takes no transaction of its own."""
    return await run_store.open_run(connection, organization_id) is not None


async def stop_run(connection: Connection, organization_id: str, kind: str | None = None) -> Run | None:
    """Ends the run under way with what it has not reached still waiting.

    `kind` leaves another connector's run alone: one may be on already while the last has yet to fall silent.
    """
    run = await run_store.open_run(connection, organization_id)
    if run is None or kind not in {None, run.connector}:
        return None
    return await _finish(connection, run, RunResult.STOPPED, left=await run_store.remaining(connection, run))


async def _locked_enabled(
    connection: Connection, organization_id: str, actor: Actor
) -> tuple[Sentence | None, LockedConnector | None]:
    """The connector a run would use, and why it may not."""
    locked = await connectors.lock(connection, organization_id)
    enabled = next((one for one in locked if one.flag.enabled), None)
    if not actor.may_switch(organization_id):
        return _not_theirs(actor, organization_id), enabled
    if enabled:
        return None, enabled
    views = await connectors.views(connection, organization_id)
    last_used = next((one for one in locked if views and one.flag.kind == views[0].kind), None)
    return (views[0].disabled_sentence if views else None), last_used


def _not_theirs(actor: Actor, organization_id: str) -> Sentence:
    return say(
        "{actor} may not sync {organization}: it is not their organisation.",
        actor=actor.id,
        organization=organization_id,
    )


async def _finish(connection: Connection, run: Run, result: RunResult, left: int) -> Run | None:
    ended = await run_store.finish(connection, run, result, left)
    if ended is None or ended.finished_at is None:
        return None
    detail = {
        "run_id": str(ended.run_id),
        "kind": str(ended.kind),
        "synced": ended.synced,
        "rejected": ended.rejected,
        "unknown": ended.unknown,
        "remaining": left,
    }
    change = Change(WORKER.id, WORKER.role, "worker", f"sync_run_{result}", run.connector, detail=detail)
    await sync_log.append(connection, run.organization_id, change)
    await outbox.write(connection, _finished_event(ended, result, ended.finished_at, left))
    return ended


def _finished_event(run: Run, result: RunResult, finished_at: datetime, left: int) -> SyncRunFinished:
    return SyncRunFinished(
        organization_id=run.organization_id,
        run_id=str(run.run_id),
        kind=run.kind.value,
        connector=run.connector,
        started_at=run.started_at,
        finished_at=finished_at,
        result=result.value,
        counts=RunCounts(synced=run.synced, rejected=run.rejected, unknown=run.unknown, remaining=left),
    )


async def _log_start(connection: Connection, run: Run, actor: Actor, source: str, *, joined: bool) -> None:
    change = Change(
        actor.id,
        actor.role,
        source,
        "sync_run_widened" if joined else "sync_run_started",
        run.connector,
        Phase.ON,
        detail={"run_id": str(run.run_id), "kind": str(run.kind)},
    )
    await sync_log.append(connection, run.organization_id, change)


async def _log_refusal(
    connection: Connection,
    organization_id: str,
    locked: LockedConnector | None,
    actor: Actor,
    source: str,
    sentence: str,
) -> None:
    kind = locked.flag.kind if locked else None
    phase = locked.flag.phase if locked else None
    change = Change(actor.id, actor.role, source, "sync_run_refused", kind, phase, sentence)
    await sync_log.append(connection, organization_id, change)
