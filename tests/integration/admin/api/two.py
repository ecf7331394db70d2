"""HLF, whose administrator asks, and another organisation with the same of everything."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

from tests.admin import Admin, token
from tests.events import approval
from tests.integration.worker.rows import bring_to, take_in
from tests.scene import Scene
from worker.store import sync_log
from worker.store.database import acquire

OWN, OTHER, UNKNOWN = "hlf", "blindeforbundet", "nowhere"
OF_EACH = 12
API = "/api/v1"
_CALLERS = count(100)


@dataclass(frozen=True)
class TwoOrganizations:
    """`runs` by organisation; `admin` serves them over HTTP."""

    admin: Admin
    runs: Mapping[str, str]
    _numbers: dict[tuple[str, str], "count[int]"] = field(default_factory=lambda: defaultdict(count))

    @property
    def scene(self) -> Scene:
        return self.admin.scene

    def fresh(self, state: str, organization_id: str) -> str:
        """An item in that state which no call has touched yet; of an organisation without items, one's name."""
        return f"R-{state}-{next(self._numbers[state, organization_id])}"


async def furnish(admin: Admin) -> TwoOrganizations:
    for one in (OWN, OTHER):
        await admin.scene.organization(one)
        for state in ("rejected", "pending"):
            names = [f"R-{state}-{number}" for number in range(OF_EACH)]
            await take_in(admin.scene.pool, *[approval(name, one) for name in names])
            if state == "rejected":
                await bring_to(admin.scene.pool, state, *names, organization_id=one)
        await admin.scene.switch(True, one)
    rows = await admin.scene.fetch("select organization_id, run_id from sync_run")
    return TwoOrganizations(admin, {row["organization_id"]: str(row["run_id"]) for row in rows})


def another_admin_of(*organizations: str) -> str:
    """One who has changed nothing yet, for tests that try more than one may in a short time."""
    return token(f"user-{next(_CALLERS)}", organizations=organizations)


async def is_whole(scene: Scene, organization_id: str = OWN) -> bool:
    async with acquire(scene.pool) as connection:
        return await sync_log.verify(connection, organization_id) is None
