"""Whether a connector could post, asked of the ERP itself: on its own, before the first enable, and in the preview.

The ERP is asked while no transaction is open and no connection is held. Whoever toggles by Kafka can't be answered, so
those toggles are applied without it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from connectors.contract import ConfigurationError, NotSent, Problem, Unavailable
from worker import insights
from worker.adapters import Adapters
from worker.domain.sentences import Sentence, say_number
from worker.domain.switching import Phase, Toggle
from worker.store import connectors, sync_log
from worker.store.connectors import ConnectorView
from worker.store.database import Pool, acquire, transaction
from worker.store.sync_log import Change
from worker.toggles import Toggled, apply_toggle
from worker.vault import VaultError
from worker.views import ProblemView, ReleasePreview


@dataclass(frozen=True, slots=True)
class NotReady:
    """The first enable was refused, since the check found problems. Nothing was switched."""

    sentence: Sentence
    problems: Sequence[Problem]


async def problems_of(pool: Pool, adapters: Adapters, organization_id: str, kind: str) -> list[Problem]:
    """Empty: it is ready. Raises ConfigurationError or VaultError where no adapter can be made."""
    async with acquire(pool) as connection:
        adapter = await adapters.make(connection, organization_id, kind)
    try:
        found = await adapter.connector.test()
    finally:
        await adapter.connector.close()
    return [Problem("connection", found.reason)] if isinstance(found, NotSent | Unavailable) else list(found)


async def switch(
    pool: Pool, adapters: Adapters, toggle: Toggle, source: str, *, unchecked: bool = False
) -> Toggled | NotReady:
    """Applies the toggle; the first enable of a connector only where the check finds nothing wrong, or `unchecked`."""
    checked = await check(pool, adapters, toggle, source, unchecked=unchecked)
    if isinstance(checked, NotReady):
        return checked
    async with transaction(pool) as connection:
        return await apply_toggle(connection, toggle, source, checked)


async def check(
    pool: Pool, adapters: Adapters, toggle: Toggle, source: str, *, unchecked: bool
) -> Mapping[str, object] | NotReady:
    """What the log is to say of the check beside the switch: nothing, where it is not the first enable."""
    if not await _is_first_enable(pool, toggle):
        return {}
    if not unchecked:
        problems = await problems_told(pool, adapters, toggle.organization_id, toggle.connector)
        if problems:
            return await _refuse(pool, toggle, source, problems)
    return {"checked": not unchecked}


async def problems_told(pool: Pool, adapters: Adapters, organization_id: str, kind: str) -> list[Problem]:
    """As `problems_of`; where no adapter can be made, why that is so is the problem."""
    try:
        return await problems_of(pool, adapters, organization_id, kind)
    except ConfigurationError as error:
        return [Problem("configuration", sentence) for sentence in error.problems]
    except VaultError as error:
        return [Problem("credentials", str(error))]


async def preview(
    pool: Pool, adapters: Adapters, organization_id: str, kind: str | None = None
) -> ReleasePreview | None:
    """As `insights.release_preview`, with what the check finds. None where no connector is configured."""
    async with transaction(pool) as connection:
        found = await insights.release_preview(connection, organization_id, kind)
    if found is None:
        return None
    problems = await problems_told(pool, adapters, organization_id, found.connector)
    return found.model_copy(update={"problems": [ProblemView(subject=p.subject, message=p.message) for p in problems]})


async def _is_first_enable(pool: Pool, toggle: Toggle) -> bool:
    """Not for a toggle that is refused anyway: who may not switch has nothing asked at the ERP."""
    if not toggle.enabled or not toggle.reason.strip() or not toggle.actor.may_switch(toggle.organization_id):
        return False
    async with acquire(pool) as connection:
        views = await connectors.views(connection, toggle.organization_id)
    return any(_was_never_enabled(view) for view in views if view.kind == toggle.connector)


def _was_never_enabled(view: ConnectorView) -> bool:
    return view.changed_at is None


async def _refuse(pool: Pool, toggle: Toggle, source: str, problems: Sequence[Problem]) -> NotReady:
    """Into the sync log, as every refused toggle."""
    sentence = say_number(
        "The check before the first enable found 1 problem. Nothing was switched. Mend it and try again.",
        "The check before the first enable found {count} problems. Nothing was switched. Mend them and try again.",
        count=len(problems),
    )
    detail: dict[str, object] = {"wanted": "on", "answer": sentence}
    change = Change(
        actor=toggle.actor.id,
        actor_role=toggle.actor.role,
        source=source,
        change="toggle_refused",
        connector=toggle.connector,
        new_state=Phase.OFF,
        reason=toggle.reason,
        detail=detail,
    )
    async with transaction(pool) as connection:
        await sync_log.append(connection, toggle.organization_id, change)
    return NotReady(sentence, problems)
