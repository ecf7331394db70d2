"""Organisations and items in a database, without a broker and without an ERP."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from connectors.contract import Environment
from tests.events import Message
from worker import setup
from worker.adapters import Adapters
from worker.batch import Channel, store_batch
from worker.bootstrap import installed_connectors
from worker.domain.switching import Actor, Phase, Role, Toggle
from worker.store.database import Connection, Pool, acquire, transaction
from worker.toggles import Toggled, apply_toggle
from worker.vault import Vault

KEY = bytes(range(32))
ADMIN = Actor("admin-1", Role.GLOBAL_ADMIN)
TOKEN = "t0ken-that-nobody-may-read"
MAPPING: Mapping[str, object] = {
    "expense_types": {"travel": {"account": "7140", "tax_code": "0"}},
    "claimants": {"from": "number"},
    "counter_account": "2930",
}
CHANNELS: Mapping[str, Channel] = {"approved": "approvals", "toggled": "toggles"}
_OFFSETS = count()


@dataclass
class Record:
    """A Kafka record as the consumer gives it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def xledger_file(**more: object) -> dict[str, object]:
    """A configuration file of an Xledger connector; `more` adds or replaces fields."""
    return {
        "base_url": "https://www.xledger.net/graphql",
        "credentials": {"token": TOKEN},
        "mapping": dict(MAPPING),
        **more,
    }


def central_file(**more: object) -> dict[str, object]:
    """A configuration file of a Business Central connector."""
    tenant = "7b1d2c6e-3f0a-4c55-9a51-2f6f0d9c4e01"
    return {
        "tenant_id": tenant,
        "environment": "production",
        "company_id": "c4a0c1de-58f7-4b6f-8c2e-91d3b7aa0102",
        "base_url": "https://api.businesscentral.dynamics.com/v2.0",
        "token_url": f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
        "credentials": {"client_id": "app-1", "client_secret": TOKEN},
        "mapping": dict(MAPPING),
        **more,
    }


async def add_organization(pool: Pool, organization_id: str = "hlf") -> None:
    async with transaction(pool) as connection:
        await setup.add_organization(connection, organization_id, organization_id.upper(), ADMIN, "cli")


async def configure(
    pool: Pool, organization_id: str = "hlf", kind: str = "xledger", file: Mapping[str, object] | None = None
) -> Phase:
    async with transaction(pool) as connection:
        return await setup.configure(
            connection,
            organization_id,
            kind,
            xledger_file() if file is None else file,
            adapters=adapters(),
            vault=Vault(KEY),
            actor=ADMIN,
            source="cli",
        )


def adapters(key: bytes | None = KEY) -> Adapters:
    return Adapters(installed_connectors(), Vault(key), Environment())


async def set_up(pool: Pool, organization_id: str = "hlf", **more: object) -> None:
    """An organisation with an Xledger connector that is off."""
    await add_organization(pool, organization_id)
    await configure(pool, organization_id, file=xledger_file(**more))


async def switch(
    pool: Pool, enabled: bool, organization_id: str = "hlf", kind: str = "xledger", actor: Actor = ADMIN
) -> Toggled:
    async with transaction(pool) as connection:
        return await apply_toggle(connection, Toggle(organization_id, kind, enabled, "a test", actor), "cli")


async def take_in(pool: Pool, *messages: Message) -> None:
    """As the intake does it with one fetch; approvals and toggles go where their type belongs."""
    records = [
        Record(_topic(message), 0, next(_OFFSETS), message.key, message.value, message.headers) for message in messages
    ]
    await store_batch(pool, records, CHANNELS)


async def bring(
    connection: Connection, state: str, reimbursement_id: str, organization_id: str = "hlf", **more: object
) -> None:
    """Puts an item into a state, by a legal step, in a shape that the table allows; `more` are further columns."""
    columns = {**SHAPES[state], **more}
    sets = ", ".join(f"{name} = {value}" for name, value in columns.items())
    await connection.execute(
        f"update item set state = '{state}', {sets} where (organization_id, reimbursement_id) = ($1, $2)",
        organization_id,
        reimbursement_id,
    )


async def bring_to(pool: Pool, state: str, *reimbursement_ids: str, organization_id: str = "hlf") -> None:
    """Through `sending`, where the state needs it."""
    async with transaction(pool) as connection:
        for one in reimbursement_ids:
            if state not in {"sending", "handled_elsewhere"}:
                await bring(connection, "sending", one, organization_id)
            await bring(connection, state, one, organization_id)


async def log_of(pool: Pool, organization_id: str = "hlf") -> list[dict[str, object]]:
    """The sync log, oldest first, each entry with its detail read."""
    async with acquire(pool) as connection:
        rows = await connection.fetch(
            "select * from sync_log where organization_id = $1 order by entry_no", organization_id
        )
    return [{**dict(row), "detail": json.loads(row["detail"])} for row in rows]


def _topic(message: Message) -> str:
    types = [value for name, value in message.headers if name == "ce_type"]
    return "toggled" if types == [b"connector.toggled.v1"] else "approved"


_TRIED: Mapping[str, str] = {
    "attempt": "greatest(attempt, 1)",
    "connector": "'xledger'",
    "reference": "'R'",
    "claimed_at": "now()",
}
_AT_REST: Mapping[str, str] = {**_TRIED, "fence": "null", "claimed_by": "null", "document_number": "null"}
SHAPES: Mapping[str, Mapping[str, str]] = {
    "pending": {**_AT_REST, "reason": "null", "reason_code": "null"},
    "sending": {**_TRIED, "fence": "1", "claimed_by": "gen_random_uuid()", "document_number": "null"},
    "confirming": {**_AT_REST, "document_id": "'I-1'"},
    "synced": {**_AT_REST, "document_number": "'20417'", "document_id": "'9001'"},
    "rejected": {**_AT_REST, "reason_code": "'closed_period'", "reason": "'2025 is closed.'"},
    "unknown": {**_AT_REST, "reason": "'No answer.'"},
    "handled_elsewhere": {**_AT_REST, "reason": "'Voucher 7.'"},
}
"""For each state, columns as the table demands them, in SQL."""
