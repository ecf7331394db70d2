"""A new key for the credentials: each connector's are decrypted with the key they have and encrypted with today's."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from worker.domain.switching import Actor
from worker.store import connectors, sync_log
from worker.store.database import Pool, acquire, transaction
from worker.store.sync_log import Change
from worker.vault import Vault, VaultError

_A_PAGE = 100


@dataclass(frozen=True, slots=True)
class Rekeyed:
    """`problem`: why these credentials stay as they are, in a sentence; None: they are under today's key."""

    organization_id: str
    kind: str
    problem: str | None


async def rekey(pool: Pool, vault: Vault, actor: Actor, source: str) -> AsyncIterator[Rekeyed]:
    """One connector a transaction, told of as it goes: what was done stays done, and running it again does the rest.

    Workers go on meanwhile: they read with either key, and no configuration changes.
    """
    after = ("", "")
    while page := await _next_page(pool, vault, after):
        for organization_id, kind in page:
            change = Change(actor.id, actor.role, source, "credentials_rekeyed", kind)
            yield await _rekey_one(pool, vault, organization_id, kind, change)
        after = page[-1]


async def _next_page(pool: Pool, vault: Vault, after: tuple[str, str]) -> list[tuple[str, str]]:
    async with acquire(pool) as connection:
        return await connectors.under_other_keys(connection, vault.key_id, after, _A_PAGE)


async def _rekey_one(pool: Pool, vault: Vault, organization_id: str, kind: str, change: Change) -> Rekeyed:
    async with transaction(pool) as connection:
        held = await connectors.lock_secrets(connection, organization_id, kind)
        try:
            secrets = vault.relock(organization_id, kind, held)
        except VaultError as error:
            return Rekeyed(organization_id, kind, str(error))
        await connectors.save_secrets(connection, organization_id, kind, secrets)
        await sync_log.append(connection, organization_id, change)
    return Rekeyed(organization_id, kind, None)
