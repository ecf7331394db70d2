"""Setting an organisation up: its name, its connector's configuration and credentials. None of it switches anything."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connectors.contract import ConfigurationError
from connectors.mapping import validate_mapping
from worker.adapters import Adapters
from worker.domain.release import ReleasePolicy
from worker.domain.schedule import InvalidScheduleError, next_run_after
from worker.domain.sentences import Sentence, say
from worker.domain.switching import Actor, Phase
from worker.store import connectors, intake, sync_log
from worker.store.connectors import NewConfiguration
from worker.store.database import Connection
from worker.store.sync_log import Change
from worker.vault import Vault

_IDENTIFIER = re.compile(r"[A-Za-z0-9._:-]{1,64}")
REFERENCE_TIME = datetime(2026, 1, 1, tzinfo=UTC)
DEFAULT_ZONE = "Europe/Oslo"
OWN_FIELDS = frozenset({"release_policy", "schedule", "time_zone", "credentials", "mapping"})
"""What the worker itself reads of the configuration file; the rest is the adapter's."""


class _OwnSettings(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    release_policy: ReleasePolicy = ReleasePolicy.ON_ENABLE
    schedule: Annotated[str, Field(min_length=1)] | None = None
    time_zone: str = DEFAULT_ZONE
    credentials: dict[str, Annotated[str, Field(min_length=1)]]
    mapping: dict[str, object]


@dataclass(frozen=True, slots=True)
class _Checked:
    """A configuration file that can work, its parts told apart."""

    own: _OwnSettings
    settings: Mapping[str, object]
    title: str


def is_identifier(text: str) -> bool:
    """Whether it can name an organisation."""
    return _IDENTIFIER.fullmatch(text) is not None


async def add_organization(connection: Connection, organization_id: str, name: str, actor: Actor, source: str) -> bool:
    """False where it is known already; then nothing changes. Raises ConfigurationError for an unusable name or ID."""
    if not is_identifier(organization_id):
        raise ConfigurationError(
            ["An organisation's ID has 1 to 64 letters, digits, dots, underscores, colons or hyphens."]
        )
    if not name.strip():
        raise ConfigurationError(["The organisation's name is empty. Give the name that people know it by."])
    if not await connectors.add_organization(connection, organization_id, name):
        return False
    change = Change(actor.id, actor.role, source, "organization_added", detail={"name": name})
    await sync_log.append(connection, organization_id, change)
    return True


async def configure(
    connection: Connection,
    organization_id: str,
    kind: str,
    file: Mapping[str, object],
    *,
    adapters: Adapters,
    vault: Vault,
    actor: Actor,
    source: str,
) -> Phase:
    """Checks everything, then stores it; credentials are encrypted at once. The connector stays on or off as it was.

    Raises ConfigurationError with a sentence for each mistake, VaultError without a key.
    """
    if not await connectors.organization_exists(connection, organization_id):
        raise ConfigurationError([f"There is no organisation {organization_id}. Add it first: organization add."])
    checked = _check(kind, file, adapters)
    secrets = vault.lock(organization_id, kind, checked.own.credentials)
    now = await sync_log.clock(connection)
    locked = await connectors.lock(connection, organization_id)
    await _stay_with_the_ledger(connection, organization_id, kind, checked.settings, adapters)
    enabled = await connectors.save(
        connection,
        NewConfiguration(
            organization_id=organization_id,
            kind=kind,
            title=checked.title,
            release_policy=checked.own.release_policy,
            schedule=checked.own.schedule,
            time_zone=checked.own.time_zone,
            settings=checked.settings,
            mapping=checked.own.mapping,
            next_run_at=next_run_after(checked.own.schedule, checked.own.time_zone, now)
            if checked.own.schedule
            else None,
        ),
    )
    await connectors.save_secrets(connection, organization_id, kind, secrets)
    before = next((one.flag.phase for one in locked if one.flag.kind == kind), Phase.OFF)
    phase = Phase.ON if enabled else before
    change = Change(actor.id, actor.role, source, "connector_configured", kind, phase)
    await sync_log.append(connection, organization_id, change)
    await intake.wake_lanes(connection, [organization_id])
    return phase


async def replace_credentials(
    connection: Connection,
    organization_id: str,
    kind: str,
    credentials: Mapping[str, str],
    *,
    adapters: Adapters,
    vault: Vault,
    actor: Actor,
    source: str,
) -> Phase:
    """All credentials of the connector anew, encrypted at once, and nothing else. It stays on or off as it was; a
    suspension ends, and what is sent next is sent with them.

    Raises ConfigurationError with a sentence for each mistake, VaultError without a key.
    """
    _check_right(actor, organization_id)
    _check_credentials(credentials, adapters.factory(kind).secret_fields)
    locked = await connectors.lock(connection, organization_id)
    flag = next((one.flag for one in locked if one.flag.kind == kind), None)
    if flag is None:
        raise ConfigurationError([_not_configured(organization_id, kind)])
    await connectors.save_secrets(connection, organization_id, kind, vault.lock(organization_id, kind, credentials))
    await connectors.renew(connection, organization_id, kind)
    phase = Phase.ON if flag.enabled else flag.phase
    change = Change(actor.id, actor.role, source, "credentials_replaced", kind, phase)
    await sync_log.append(connection, organization_id, change)
    await intake.wake_lanes(connection, [organization_id])
    return phase


async def _stay_with_the_ledger(
    connection: Connection, organization_id: str, kind: str, settings: Mapping[str, object], adapters: Adapters
) -> None:
    """What may be in one ledger must not be looked for, and sent again, in another: no ERP refuses that double entry.

    Raises ConfigurationError.
    """
    before = await connectors.read_configuration(connection, organization_id, kind)
    names = sorted(adapters.factory(kind).ledger_fields)
    if before is None or all(settings.get(name) == before.settings.get(name) for name in names):
        return
    count = await connectors.unresolved(connection, organization_id, kind)
    if count:
        told = f"Reimbursements that may be in the ledger configured now, with no answer yet: {count}."
        when = (
            f"Once they are resolved, {', '.join(names)} can change; see item list {organization_id} --state unknown."
        )
        raise ConfigurationError([f"{told} {when}"])


def _check(kind: str, file: Mapping[str, object], adapters: Adapters) -> _Checked:
    factory = adapters.factory(kind)
    own = _own_settings(file)
    when = _problems(partial(_check_schedule, own))
    zone = DEFAULT_ZONE if when else own.time_zone  # a bad one is told once, by us
    settings = {name: value for name, value in file.items() if name not in OWN_FIELDS} | {"time_zone": zone}
    problems = [
        *when,
        *_problems(partial(_check_credentials, own.credentials, factory.secret_fields)),
        *_problems(partial(validate_mapping, own.mapping)),
        *_problems(partial(factory.validate, settings, adapters.environment)),
    ]
    if problems:
        raise ConfigurationError(problems)
    return _Checked(own, settings, factory.title)


def _problems(check: Callable[[], object]) -> tuple[str, ...]:
    """Whoever mends the file wants to know all that is wrong with it, not the first thing."""
    try:
        check()
    except ConfigurationError as error:
        return error.problems
    return ()


def _own_settings(file: Mapping[str, object]) -> _OwnSettings:
    try:
        return _OwnSettings.model_validate(file)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}."
            for problem in error.errors(include_input=False, include_url=False)
        ]
        raise ConfigurationError(problems) from None


def _check_schedule(own: _OwnSettings) -> None:
    try:
        next_run_after(own.schedule or "0 0 * * *", own.time_zone, REFERENCE_TIME)
    except InvalidScheduleError as error:
        raise ConfigurationError([str(error)]) from None


def _check_credentials(given: Mapping[str, str], wanted: frozenset[str]) -> None:
    problems = [say("credentials.{field} is missing.", field=name) for name in sorted(wanted - set(given))]
    problems += [say("credentials.{field} is empty.", field=name) for name in sorted(wanted) if given.get(name) == ""]
    strange = len(set(given) - wanted)
    if strange:
        problems.append(say("credentials holds {count} unknown fields.", count=strange))
    if problems:
        raise ConfigurationError(problems)


def _check_right(actor: Actor, organization_id: str) -> None:
    if not actor.may_switch(organization_id):
        refusal = say(
            "{actor} may not set {organization} up: it is not their organisation.",
            actor=actor.id,
            organization=organization_id,
        )
        raise ConfigurationError([refusal])


def _not_configured(organization_id: str, kind: str) -> Sentence:
    return say(
        "No {connector} connector is configured for {organization}. Configure it first.",
        connector=kind,
        organization=organization_id,
    )
