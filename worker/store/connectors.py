"""Organisations and their connectors: the flag, the marks, the configuration and its secrets."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from worker.domain.release import Marks, ReleasePolicy
from worker.domain.sentences import Sentence
from worker.domain.switching import ConnectorFlag, LastSwitch, Phase, Toggle, disabled_sentence, phase_of
from worker.store.database import Connection, fetch_one
from worker.store.queries import load

_SQL = load("connectors")


@dataclass(frozen=True, slots=True)
class LockedConnector:
    """A connector whose row this transaction holds."""

    flag: ConnectorFlag
    schedule: str | None
    time_zone: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """What an adapter is made from; `version` grows with every change."""

    kind: str
    title: str
    settings: Mapping[str, object]
    mapping: Mapping[str, object]
    time_zone: str
    version: int


@dataclass(frozen=True, slots=True)
class NewConfiguration:
    organization_id: str
    kind: str
    title: str
    release_policy: ReleasePolicy
    schedule: str | None
    time_zone: str
    settings: Mapping[str, object]
    mapping: Mapping[str, object]
    next_run_at: datetime | None


@dataclass(frozen=True, slots=True)
class Secret:
    """One encrypted credential field."""

    field: str
    key_id: str
    nonce: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class OrganizationRow:
    """With the connector that is or was last in use; `connector` and `phase` are None where none is configured."""

    organization_id: str
    name: str
    connector: str | None
    enabled: bool
    phase: Phase | None

    @classmethod
    def from_row(cls, row: asyncpg.Record) -> "OrganizationRow":
        enabled: bool = row["enabled"]
        phase = phase_of(enabled=enabled, suspended=row["suspended"], quiesced_at=row["quiesced_at"])
        return cls(row["organization_id"], row["name"], row["kind"], enabled, phase if row["kind"] else None)


@dataclass(frozen=True, slots=True)
class DueSchedule:
    """A connector whose scheduled run is due, its row held. `now` is PostgreSQL's clock."""

    organization_id: str
    kind: str
    schedule: str
    time_zone: str
    now: datetime


@dataclass(frozen=True, slots=True)
class ConnectorView:
    """A connector as people see it."""

    organization_id: str
    kind: str
    title: str
    enabled: bool
    changed_by: str | None
    changed_at: datetime | None
    reason: str | None
    revision: int | None
    quiesced_at: datetime | None
    suspended_at: datetime | None
    suspended_reason: str | None
    release_policy: ReleasePolicy
    schedule: str | None
    time_zone: str
    next_run_at: datetime | None
    probe_at: datetime | None
    enabled_mark: int
    released_through: int
    version: int
    settings: Mapping[str, object]
    mapping: Mapping[str, object]
    in_flight: int
    outcome_unknown: int

    @property
    def phase(self) -> Phase:
        return phase_of(enabled=self.enabled, suspended=self.suspended_at is not None, quiesced_at=self.quiesced_at)

    @property
    def marks(self) -> Marks:
        return Marks(self.enabled_mark, self.released_through)

    @property
    def disabled_sentence(self) -> Sentence:
        return disabled_sentence(self.title, self.organization_id, self.changed_at, self.changed_by, self.reason)


async def add_organization(connection: Connection, organization_id: str, name: str) -> bool:
    """False where the organisation is known already."""
    added = await connection.fetchval(_SQL["add_organization"], organization_id, name)
    return added is not None


async def organizations(
    connection: Connection, own: frozenset[str] | None = None, after: str = "", limit: int | None = None
) -> list[OrganizationRow]:
    """In the order of their ids. `own`: only these; None: all. `limit` None: to the last."""
    wanted = None if own is None else sorted(own)
    return [OrganizationRow.from_row(row) for row in await connection.fetch(_SQL["overview"], wanted, after, limit)]


async def organization_exists(connection: Connection, organization_id: str) -> bool:
    found: bool = await connection.fetchval(_SQL["organization_exists"], organization_id)
    return found


async def organization_name(connection: Connection, organization_id: str) -> str | None:
    """None where it is not set up."""
    name: str | None = await connection.fetchval(_SQL["organization_name"], organization_id)
    return name


async def lock(connection: Connection, organization_id: str) -> list[LockedConnector]:
    """Holds the organisation's connectors against claims and other switches until the transaction ends."""
    return [_locked(row) for row in await connection.fetch(_SQL["lock_flags"], organization_id)]


async def last_seq(connection: Connection) -> int:
    seq: int = await connection.fetchval(_SQL["last_seq"])
    return seq


async def switch_on(
    connection: Connection, toggle: Toggle, at: datetime, marks: Marks, next_run_at: datetime | None
) -> None:
    await connection.execute(
        _SQL["switch_on"],
        toggle.organization_id,
        toggle.connector,
        toggle.actor.id,
        at,
        toggle.reason,
        toggle.revision,
        marks.enabled_mark,
        marks.released_through,
        next_run_at,
    )


async def switch_off(connection: Connection, toggle: Toggle, at: datetime, *, in_flight: bool) -> None:
    await connection.execute(
        _SQL["switch_off"],
        toggle.organization_id,
        toggle.connector,
        toggle.actor.id,
        at,
        toggle.reason,
        toggle.revision,
        in_flight,
    )


async def note_revision(connection: Connection, toggle: Toggle) -> None:
    """Remembers the revision of a toggle that changed nothing, so that an older one is superseded."""
    if toggle.revision is not None:
        await connection.execute(_SQL["note_revision"], toggle.organization_id, toggle.connector, toggle.revision)


async def in_flight(connection: Connection, organization_id: str, kind: str) -> int:
    count: int = await connection.fetchval(_SQL["in_flight"], organization_id, kind)
    return count


async def idle_switching_off(connection: Connection) -> list[tuple[str, str]]:
    """(organization_id, kind) of connectors that were switched off and have nothing in flight any more."""
    return [(row["organization_id"], row["kind"]) for row in await connection.fetch(_SQL["switching_off"])]


async def quiesce(connection: Connection, organization_id: str, kind: str) -> str | None:
    """The connector's title where it became off just now."""
    title: str | None = await connection.fetchval(_SQL["quiesce"], organization_id, kind)
    return title


async def outcome_unknown(connection: Connection, organization_id: str, kind: str) -> int:
    """How many attempts at this connector ended without an answer and are not resolved yet."""
    count: int = await connection.fetchval(_SQL["outcome_unknown"], organization_id, kind)
    return count


async def unresolved(connection: Connection, organization_id: str, kind: str) -> int:
    """How many items are on their way to this connector's ledger, or may be there."""
    count: int = await connection.fetchval(_SQL["unresolved"], organization_id, kind)
    return count


async def suspend(
    connection: Connection, organization_id: str, kind: str, reason: str, version: int | None = None
) -> int | None:
    """How many refusals there have been in a row, where the connector was suspended just now.

    `version`: of the configuration that was refused; where another one has replaced it, nothing is suspended.
    """
    refusals: int | None = await connection.fetchval(_SQL["suspend"], organization_id, kind, reason, version)
    return refusals


async def note_refusal(connection: Connection, organization_id: str, kind: str, reason: str) -> int | None:
    """As `suspend`, for a connector that is suspended already."""
    refusals: int | None = await connection.fetchval(_SQL["note_refusal"], organization_id, kind, reason)
    return refusals


async def due_probe(connection: Connection, organization_id: str) -> str | None:
    """The kind of the suspended connector that is to be tried now."""
    kind: str | None = await connection.fetchval(_SQL["due_probe"], organization_id)
    return kind


async def probe_in(connection: Connection, organization_id: str, kind: str, delay: timedelta) -> None:
    await connection.execute(_SQL["probe_in"], organization_id, kind, delay)


async def forget_refusals(connection: Connection, organization_id: str, kind: str) -> None:
    await connection.execute(_SQL["forget_refusals"], organization_id, kind)


async def resume(connection: Connection, organization_id: str, *, by_a_person: bool) -> str | None:
    """The connector's kind where its suspension ended just now."""
    kind: str | None = await connection.fetchval(_SQL["resume"], organization_id, by_a_person)
    return kind


async def save(connection: Connection, new: NewConfiguration) -> bool:
    """Makes or changes the connector and the organisation's lane; answers whether the connector is enabled."""
    await connection.execute(_SQL["open_lane"], new.organization_id)
    row = await fetch_one(
        connection,
        _SQL["save_configuration"],
        new.organization_id,
        new.kind,
        new.title,
        new.release_policy,
        new.schedule,
        new.time_zone,
        json.dumps(new.settings),
        json.dumps(new.mapping),
        new.next_run_at,
    )
    enabled: bool = row["enabled"]
    return enabled


async def renew(connection: Connection, organization_id: str, kind: str) -> None:
    """Adapters are made anew, and a suspension ends."""
    await connection.execute(_SQL["renew"], organization_id, kind)


async def save_secrets(connection: Connection, organization_id: str, kind: str, secrets: Sequence[Secret]) -> None:
    await connection.executemany(
        _SQL["save_secret"],
        [(organization_id, kind, s.field, s.key_id, s.nonce, s.ciphertext) for s in secrets],
    )


async def read_secrets(connection: Connection, organization_id: str, kind: str) -> list[Secret]:
    return list(map(_secret, await connection.fetch(_SQL["read_secrets"], organization_id, kind)))


async def lock_secrets(connection: Connection, organization_id: str, kind: str) -> list[Secret]:
    """As `read_secrets`, held until the transaction ends."""
    return list(map(_secret, await connection.fetch(_SQL["lock_secrets"], organization_id, kind)))


async def secrets_by_key(connection: Connection) -> dict[str, int]:
    """Key id → how many connectors have credentials under it."""
    rows = await connection.fetch(_SQL["secrets_by_key"])
    return {row["key_id"]: row["connectors"] for row in rows}


async def under_other_keys(
    connection: Connection, key_id: str, after: tuple[str, str], limit: int
) -> list[tuple[str, str]]:
    """Organisation and kind of connectors with a credential that another key encrypted, in their order."""
    rows = await connection.fetch(_SQL["under_other_keys"], key_id, *after, limit)
    return [(row["organization_id"], row["kind"]) for row in rows]


async def read_configuration(connection: Connection, organization_id: str, kind: str) -> Configuration | None:
    row = await connection.fetchrow(_SQL["read_configuration"], organization_id, kind)
    if row is None:
        return None
    return Configuration(
        kind=row["kind"],
        title=row["title"],
        settings=json.loads(row["settings"]),
        mapping=json.loads(row["mapping"]),
        time_zone=row["time_zone"],
        version=row["version"],
    )


async def next_due_schedule(connection: Connection) -> DueSchedule | None:
    row = await connection.fetchrow(_SQL["due_schedules"])
    if row is None:
        return None
    return DueSchedule(row["organization_id"], row["kind"], row["schedule"], row["time_zone"], row["now"])


async def set_next_run(connection: Connection, organization_id: str, kind: str, at: datetime) -> None:
    await connection.execute(_SQL["set_next_run"], organization_id, kind, at)


async def views(connection: Connection, organization_id: str) -> list[ConnectorView]:
    """The organisation's connectors, the one that is or was last in use first."""
    return [_view(row) for row in await connection.fetch(_SQL["connector_views"], organization_id)]


def _view(row: asyncpg.Record) -> ConnectorView:
    fields = dict(row)
    fields["release_policy"] = ReleasePolicy(row["release_policy"])
    fields["settings"] = json.loads(row["settings"])
    fields["mapping"] = json.loads(row["mapping"])
    return ConnectorView(**fields)


def _locked(row: asyncpg.Record) -> LockedConnector:
    flag = ConnectorFlag(
        kind=row["kind"],
        title=row["title"],
        enabled=row["enabled"],
        revision=row["revision"],
        suspended=row["suspended"],
        quiesced_at=row["quiesced_at"],
        policy=ReleasePolicy(row["release_policy"]),
        marks=Marks(row["enabled_mark"], row["released_through"]),
        last_switch=LastSwitch(row["changed_at"], row["changed_by"], row["reason"]) if row["changed_at"] else None,
    )
    return LockedConnector(flag, row["schedule"], row["time_zone"])


def _secret(row: asyncpg.Record) -> Secret:
    return Secret(row["field"], row["key_id"], row["nonce"], row["ciphertext"])
