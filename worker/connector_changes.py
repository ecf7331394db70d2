"""The event that tells the outside of a connector's new phase."""

from datetime import datetime

from schemas.outcome import ChangedBy, ConnectorChanged
from worker.domain.switching import Actor, Phase
from worker.store import outbox
from worker.store.database import Connection


async def tell_of_change(
    connection: Connection,
    organization_id: str,
    kind: str,
    phase: Phase,
    actor: Actor,
    reason: str,
    at: datetime,
) -> None:
    """Queued in the caller's transaction, with the change itself."""
    event = ConnectorChanged(
        organization_id=organization_id,
        connector=kind,
        enabled=phase in (Phase.ON, Phase.SUSPENDED),
        phase=phase.value,
        actor=ChangedBy(id=actor.id, role=actor.role.value),
        reason=reason,
        changed_at=at,
    )
    await outbox.write(connection, event)
