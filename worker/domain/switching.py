"""Whether a toggle is applied: who may switch what, and what switching means for the connector."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from worker.domain.release import Marks, ReleasePolicy
from worker.domain.sentences import Sentence, say

NEVER = datetime.min.replace(tzinfo=UTC)
"""When a connector was last switched that never was."""


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
    """A wish to switch one organisation's connector on or off. `revision` orders the wishes of one publisher.

    `seen_change`: when the connector was last switched as far as the asker saw (`NEVER`: not yet; None: they did not
    look). `only_while_off`: what waited was dealt with on the condition that nothing of it is sent meanwhile.
    """

    organization_id: str
    connector: str
    enabled: bool
    reason: str
    actor: Actor
    revision: int | None = None
    seen_change: datetime | None = None
    only_while_off: bool = False


@dataclass(frozen=True, slots=True)
class LastSwitch:
    """Who switched a connector last, when, and why."""

    at: datetime
    by: str
    reason: str


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
    last_switch: LastSwitch | None = None

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
    sentence: Sentence


def decide(toggle: Toggle, flags: list[ConnectorFlag]) -> Decision:
    """`flags` are all connectors of the organisation, read under lock."""
    refusal = _refusal(toggle, flags)
    if refusal:
        return Decision(Verdict.REFUSED, refusal)
    own = next(flag for flag in flags if flag.kind == toggle.connector)
    if _is_superseded(toggle, own):
        return Decision(
            Verdict.SUPERSEDED,
            say(
                "Revision {revision} is not newer than revision {last}; nothing was changed.",
                revision=toggle.revision,
                last=own.revision,
            ),
        )
    if own.enabled == toggle.enabled and not own.suspended:
        return Decision(Verdict.UNCHANGED, _unchanged(own))
    return Decision(Verdict.APPLIED, _applied(toggle, own))


def _refusal(toggle: Toggle, flags: list[ConnectorFlag]) -> Sentence | None:
    if not toggle.actor.may_switch(toggle.organization_id):
        return say(
            "{actor} may not switch connectors of {organization}: it is not their organisation.",
            actor=toggle.actor.id,
            organization=toggle.organization_id,
        )
    if not toggle.reason.strip():
        return say("A reason is required. Say why the connector is switched, and try again.")
    own = next((flag for flag in flags if flag.kind == toggle.connector), None)
    if own is None:
        return say(
            "No {connector} connector is configured for {organization}. Configure it first.",
            connector=toggle.connector,
            organization=toggle.organization_id,
        )
    return _outdated(toggle, own) or _in_the_way(toggle, own, flags)


def _outdated(toggle: Toggle, own: ConnectorFlag) -> Sentence | None:
    """Somebody else was first: whoever asks decided on what they saw, and has to see this before they decide again."""
    last = own.last_switch
    if last is None or toggle.seen_change in {None, last.at}:
        return None
    if own.enabled:
        return say(
            "The {title} connector for {organization} was enabled meanwhile, at {at} by {by}: {reason}. "
            "Nothing was changed. Look again before you decide.",
            **_told(toggle, own, last),
        )
    return say(
        "The {title} connector for {organization} was disabled meanwhile, at {at} by {by}: {reason}. "
        "Nothing was changed. Look again before you decide.",
        **_told(toggle, own, last),
    )


def _told(toggle: Toggle, own: ConnectorFlag, last: LastSwitch) -> dict[str, object]:
    return {
        "title": own.title,
        "organization": toggle.organization_id,
        "at": last.at,
        "by": last.by,
        "reason": last.reason,
    }


def _in_the_way(toggle: Toggle, own: ConnectorFlag, flags: list[ConnectorFlag]) -> Sentence | None:
    if toggle.only_while_off and own.enabled:
        return say(
            "The {title} connector for {organization} is enabled already, so what waited may have been sent. "
            "Disable it before choosing what becomes of what waits.",
            title=own.title,
            organization=toggle.organization_id,
        )
    other = next((flag for flag in flags if flag.enabled and flag.kind != toggle.connector), None)
    if toggle.enabled and other:
        return say(
            "The {other} connector is enabled for {organization}, and only one may be. "
            "Disable it before enabling {title}.",
            other=other.title,
            organization=toggle.organization_id,
            title=own.title,
        )
    return None


def _is_superseded(toggle: Toggle, flag: ConnectorFlag) -> bool:
    return toggle.revision is not None and flag.revision is not None and toggle.revision <= flag.revision


def _unchanged(flag: ConnectorFlag) -> Sentence:
    if flag.enabled:
        return say("The {title} connector was enabled already.", title=flag.title)
    return say("The {title} connector was disabled already.", title=flag.title)


def _applied(toggle: Toggle, flag: ConnectorFlag) -> Sentence:
    if toggle.enabled:
        return say(
            "The {title} connector for {organization} is enabled.",
            title=flag.title,
            organization=toggle.organization_id,
        )
    return say(
        "The {title} connector for {organization} is disabled.",
        title=flag.title,
        organization=toggle.organization_id,
    )


def disabled_sentence(
    title: str, organization_id: str, since: datetime | None, by: str | None, reason: str | None
) -> Sentence:
    """What a person reads who asks for a sync while the connector is off."""
    return say(
        "The {title} connector for {organization} is disabled ({circumstances}). Nothing was synced. Enable it first.",
        title=title,
        organization=organization_id,
        circumstances=say("it was never enabled")
        if since is None
        else say("since {since} by {by}: {reason}", since=since, by=by, reason=reason),
    )
