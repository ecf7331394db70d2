"""Whether a toggle is applied: who may switch what, and what switching means for the connector."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from worker.domain.release import Marks, ReleasePolicy


class Role(StrEnum):
    GLOBAL_ADMIN = "global_admin"
    ORGANIZATION_ADMIN = "organization_admin"
    SYSTEM = "system"


class Phase(StrEnum):
    """What a person sees of a connector."""

    ON = "on"
    SWITCHING_OFF = "switching_off"
    OFF = "off"
    SUSPENDED = "suspended"


def phase_of(*, enabled: bool, suspended: bool, quiesced_at: datetime | None) -> Phase:
    if enabled:
        return Phase.SUSPENDED if suspended else Phase.ON
    return Phase.OFF if quiesced_at else Phase.SWITCHING_OFF


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks. `organizations` are the actor's own; a global administrator needs none."""

    id: str
    role: Role
    organizations: frozenset[str] = frozenset()

    def may_switch(self, organization_id: str) -> bool:
        return self.role is Role.GLOBAL_ADMIN or organization_id in self.organizations


@dataclass(frozen=True, slots=True)
class Toggle:
    """A wish to switch one organisation's connector on or off. `revision` orders the wishes of one publisher."""

    organization_id: str
    connector: str
    enabled: bool
    reason: str
    actor: Actor
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class ConnectorFlag:
    """What the decision needs to know of one connector of the organisation."""

    kind: str
    title: str
    enabled: bool
    revision: int | None
    suspended: bool
    quiesced_at: datetime | None
    policy: ReleasePolicy
    marks: Marks

    @property
    def phase(self) -> Phase:
        return phase_of(enabled=self.enabled, suspended=self.suspended, quiesced_at=self.quiesced_at)


class Verdict(StrEnum):
    APPLIED = "applied"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Decision:
    verdict: Verdict
    sentence: str


def decide(toggle: Toggle, flags: list[ConnectorFlag]) -> Decision:
    """`flags` are all connectors of the organisation, read under lock."""
    refusal = _refusal(toggle, flags)
    if refusal:
        return Decision(Verdict.REFUSED, refusal)
    own = next(flag for flag in flags if flag.kind == toggle.connector)
    if _is_superseded(toggle, own):
        return Decision(
            Verdict.SUPERSEDED,
            f"Revision {toggle.revision} is not newer than revision {own.revision}; nothing was changed.",
        )
    if own.enabled == toggle.enabled and not own.suspended:
        return Decision(Verdict.UNCHANGED, f"The {own.title} connector was {_word(toggle.enabled)} already.")
    return Decision(
        Verdict.APPLIED, f"The {own.title} connector for {toggle.organization_id} is {_word(toggle.enabled)}."
    )


def _refusal(toggle: Toggle, flags: list[ConnectorFlag]) -> str | None:
    if not toggle.actor.may_switch(toggle.organization_id):
        return f"{toggle.actor.id} may not switch connectors of {toggle.organization_id}: it is not their organisation."
    if not toggle.reason.strip():
        return "A reason is required. Say why the connector is switched, and try again."
    own = next((flag for flag in flags if flag.kind == toggle.connector), None)
    if own is None:
        return f"No {toggle.connector} connector is configured for {toggle.organization_id}. Configure it first."
    other = next((flag for flag in flags if flag.enabled and flag.kind != toggle.connector), None)
    if toggle.enabled and other:
        return (
            f"The {other.title} connector is enabled for {toggle.organization_id}, and only one may be. "
            f"Disable it before enabling {own.title}."
        )
    return None


def _is_superseded(toggle: Toggle, flag: ConnectorFlag) -> bool:
    return toggle.revision is not None and flag.revision is not None and toggle.revision <= flag.revision


def _word(enabled: bool) -> str:
    return "enabled" if enabled else "disabled"


def disabled_sentence(
    title: str, organization_id: str, since: datetime | None, by: str | None, reason: str | None
) -> str:
    """What a person reads who asks for a sync while the connector is off."""
    if since is None:
        circumstances = "it was never enabled"
    else:
        circumstances = f"since {since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC by {by}: {reason}"
    return (
        f"The {title} connector for {organization_id} is disabled ({circumstances}). "
        "Nothing was synced. Enable it first."
    )
