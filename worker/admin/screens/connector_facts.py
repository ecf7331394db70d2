"""What the settings page knows of an organisation: its connectors, the one that is looked at, and what waits."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from connectors.contract import ConfigurationError
from worker import insights
from worker.admin.context import AdminContext
from worker.store.database import transaction
from worker.views import ConnectorObject, CredentialsView, WaitingView

DIGEST_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class ConnectorFacts:
    """`connector` is None where none is configured. `others` are configured too, and not looked at."""

    connector: ConnectorObject | None
    others: Sequence[ConnectorObject]
    waiting: Sequence[WaitingView]

    @property
    def waiting_count(self) -> int:
        return sum(one.count for one in self.waiting)

    @property
    def in_the_way(self) -> ConnectorObject | None:
        """Another that is on: only one may be."""
        return next((one for one in self.others if one.enabled), None)

    @property
    def digest(self) -> str:
        """Changes when anything does that the page shows."""
        content = sha256()
        for one in [self.connector, *self.others, *self.waiting]:
            content.update(one.model_dump_json().encode() if one else b"none")
        return content.hexdigest()[:DIGEST_CHARACTERS]


async def connector_facts(context: AdminContext, organization_id: str, kind: str | None) -> ConnectorFacts:
    """Looks at the connector `kind`, or at the one that is or was last in use. Where much waits, it is not counted anew
    for everybody who looks."""
    async with transaction(context.pool) as connection:
        found = await insights.connector_objects(connection, organization_id, context.overview)
        waiting = found[0].waiting if found else await insights.waiting_of(connection, organization_id)
    looked_at = next((one for one in found if one.connector == kind), found[0] if found else None)
    return ConnectorFacts(looked_at, [one for one in found if one is not looked_at], waiting)


async def credentials_of(context: AdminContext, connector: ConnectorObject) -> CredentialsView | None:
    """Which there are and who gave them last; None for a kind that is not installed any more."""
    try:
        async with transaction(context.pool) as connection:
            return await insights.credentials(
                connection, context.adapters, connector.organization_id, connector.connector
            )
    except ConfigurationError:
        return None
