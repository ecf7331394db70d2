"""Whether a toggle is applied, and in which words it is not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from worker.domain.release import Marks, ReleasePolicy
from worker.domain.sentences import say
from worker.domain.switching import (
    NEVER,
    Actor,
    ConnectorFlag,
    Decision,
    LastSwitch,
    Phase,
    Role,
    Toggle,
    Verdict,
    decide,
    disabled_sentence,
    phase_of,
)

QUIET = datetime(2026, 11, 20, 10, tzinfo=UTC)
GLOBAL = Actor("root-1", Role.GLOBAL_ADMIN)
OWN = Actor("user-9", Role.ORGANIZATION_ADMIN, frozenset({"hlf"}))
OFF = ConnectorFlag(
    kind="xledger",
    title="Xledger",
    enabled=False,
    revision=None,
    suspended=False,
    quiesced_at=QUIET,
    policy=ReleasePolicy.ON_ENABLE,
    marks=Marks(0, 0),
)
ON = replace(OFF, enabled=True, quiesced_at=None)
CENTRAL_ON = replace(ON, kind="business_central", title="Business Central")
ENABLE = Toggle("hlf", "xledger", True, "Onboarding done", OWN)
DISABLE = replace(ENABLE, enabled=False, reason="Maintenance")


def test_an_organisations_own_admin_may_enable() -> None:
    assert decide(ENABLE, [OFF]) == Decision(Verdict.APPLIED, say("The Xledger connector for hlf is enabled."))


def test_a_global_admin_may_disable_any_organisations() -> None:
    toggle = replace(DISABLE, actor=GLOBAL)
    assert decide(toggle, [ON]) == Decision(Verdict.APPLIED, say("The Xledger connector for hlf is disabled."))


@pytest.mark.parametrize(
    "actor",
    [
        Actor("user-9", Role.ORGANIZATION_ADMIN, frozenset({"other"})),
        Actor("user-9", Role.ORGANIZATION_ADMIN),
        Actor("user-9", Role.SYSTEM),
    ],
    ids=["of another organisation", "without an organisation", "the system"],
)
@pytest.mark.parametrize("flags", [[OFF], []], ids=["configured", "not configured"])
def test_anybody_else_is_refused_whether_there_is_a_connector_or_not(actor: Actor, flags: list[ConnectorFlag]) -> None:
    sentence = "user-9 may not switch connectors of hlf: it is not their organisation."
    assert decide(replace(ENABLE, actor=actor), flags) == Decision(Verdict.REFUSED, say(sentence))


@pytest.mark.parametrize("reason", ["", " ", "\n\t"])
def test_a_blank_reason_is_refused(reason: str) -> None:
    sentence = "A reason is required. Say why the connector is switched, and try again."
    assert decide(replace(ENABLE, reason=reason), [OFF]) == Decision(Verdict.REFUSED, say(sentence))


def test_a_connector_that_is_not_configured_is_refused() -> None:
    sentence = "No xledger connector is configured for hlf. Configure it first."
    assert decide(ENABLE, [CENTRAL_ON]) == Decision(Verdict.REFUSED, say(sentence))


def test_a_second_connector_is_refused_with_what_to_do_first() -> None:
    sentence = (
        "The Business Central connector is enabled for hlf, and only one may be. Disable it before enabling Xledger."
    )
    assert decide(ENABLE, [CENTRAL_ON, OFF]) == Decision(Verdict.REFUSED, say(sentence))


def test_a_connector_that_is_off_may_be_switched_off_again_beside_another_that_is_on() -> None:
    assert decide(DISABLE, [CENTRAL_ON, OFF]).verdict is Verdict.UNCHANGED


@pytest.mark.parametrize("revision", [6, 7])
def test_a_revision_at_or_below_the_last_applied_is_superseded(revision: int) -> None:
    sentence = f"Revision {revision} is not newer than revision 7; nothing was changed."
    decision = decide(replace(ENABLE, revision=revision), [replace(OFF, revision=7)])
    assert decision == Decision(Verdict.SUPERSEDED, say(sentence))


@pytest.mark.parametrize(("wish", "last"), [(8, 7), (None, 7), (0, None), (None, None)])
def test_a_newer_revision_or_none_is_applied(wish: int | None, last: int | None) -> None:
    assert decide(replace(ENABLE, revision=wish), [replace(OFF, revision=last)]).verdict is Verdict.APPLIED


def test_a_superseded_toggle_without_a_right_is_refused_first() -> None:
    toggle = replace(ENABLE, revision=1, actor=Actor("user-9", Role.ORGANIZATION_ADMIN))
    assert decide(toggle, [replace(OFF, revision=7)]).verdict is Verdict.REFUSED


@pytest.mark.parametrize(("toggle", "flag", "word"), [(ENABLE, ON, "enabled"), (DISABLE, OFF, "disabled")])
def test_what_is_so_already_is_left_as_it_is(toggle: Toggle, flag: ConnectorFlag, word: str) -> None:
    assert decide(toggle, [flag]) == Decision(Verdict.UNCHANGED, say(f"The Xledger connector was {word} already."))


@pytest.mark.parametrize("toggle", [ENABLE, DISABLE])
def test_a_suspended_connector_may_be_enabled_anew_and_disabled(toggle: Toggle) -> None:
    assert decide(toggle, [replace(ON, suspended=True)]).verdict is Verdict.APPLIED


@pytest.mark.parametrize(
    ("enabled", "suspended", "quiesced_at", "phase"),
    [
        (True, False, None, Phase.ON),
        (True, True, None, Phase.SUSPENDED),
        (False, False, None, Phase.SWITCHING_OFF),
        (False, False, QUIET, Phase.OFF),
    ],
)
def test_the_phase_says_what_holds(enabled: bool, suspended: bool, quiesced_at: datetime | None, phase: Phase) -> None:
    assert phase_of(enabled=enabled, suspended=suspended, quiesced_at=quiesced_at) is phase


@pytest.mark.parametrize(
    ("flag", "phase"),
    [
        (ON, Phase.ON),
        (replace(ON, suspended=True), Phase.SUSPENDED),
        (replace(OFF, quiesced_at=None), Phase.SWITCHING_OFF),
        (OFF, Phase.OFF),
    ],
    ids=lambda value: value.value if isinstance(value, Phase) else "",
)
def test_a_connector_is_in_the_phase_that_its_own_row_says(flag: ConnectorFlag, phase: Phase) -> None:
    assert flag.phase is phase


def test_the_sentence_of_a_disabled_connector_is_the_interfaces() -> None:
    """What `sync run` says while a connector is off, word by word; the time is UTC wherever it was read."""
    since = QUIET.astimezone(timezone(timedelta(hours=1)))
    assert disabled_sentence("Xledger", "hlf", since, "user-9", "Maintenance") == (
        "The Xledger connector for hlf is disabled (since 2026-11-20 10:00:00 UTC by user-9: Maintenance). "
        "Nothing was synced. Enable it first."
    )


@pytest.mark.usefixtures("machine_in_kathmandu")
def test_the_sentence_of_a_disabled_connector_tells_utc_wherever_the_machine_stands() -> None:
    assert "(since 2026-11-20 10:00:00 UTC by" in disabled_sentence("Xledger", "hlf", QUIET, "user-9", "Maintenance")


def test_the_sentence_of_a_connector_that_was_never_enabled_says_so() -> None:
    assert disabled_sentence("Xledger", "hlf", None, None, None) == (
        "The Xledger connector for hlf is disabled (it was never enabled). Nothing was synced. Enable it first."
    )


SWITCHED = LastSwitch(datetime(2026, 11, 20, 9, 30, tzinfo=UTC), "user-8", "New token")


@pytest.mark.parametrize("seen", [NEVER, SWITCHED.at - timedelta(microseconds=1)], ids=["never switched", "earlier"])
@pytest.mark.parametrize(("flag", "word"), [(ON, "enabled"), (OFF, "disabled")])
def test_who_decided_on_an_older_state_is_told_who_was_first(flag: ConnectorFlag, word: str, seen: datetime) -> None:
    toggle = replace(DISABLE, seen_change=seen)
    assert decide(toggle, [replace(flag, last_switch=SWITCHED)]) == Decision(
        Verdict.REFUSED,
        say(
            f"The Xledger connector for hlf was {word} meanwhile, at 2026-11-20 09:30:00 UTC by user-8: New token. "
            "Nothing was changed. Look again before you decide."
        ),
    )


@pytest.mark.parametrize("seen", [None, SWITCHED.at], ids=["did not look", "saw the last switch"])
def test_who_saw_the_last_switch_or_did_not_look_may_switch(seen: datetime | None) -> None:
    toggle = replace(ENABLE, seen_change=seen)
    assert decide(toggle, [replace(OFF, last_switch=SWITCHED)]).verdict is Verdict.APPLIED


def test_a_connector_that_was_never_switched_is_as_whoever_looked_saw_it() -> None:
    assert decide(replace(ENABLE, seen_change=NEVER), [OFF]).verdict is Verdict.APPLIED


@pytest.mark.parametrize("flag", [ON, replace(ON, suspended=True)], ids=["on", "suspended"])
def test_what_becomes_of_what_waited_is_not_chosen_while_the_connector_is_on(flag: ConnectorFlag) -> None:
    decision = decide(replace(ENABLE, only_while_off=True), [flag])
    assert decision == Decision(
        Verdict.REFUSED,
        say(
            "The Xledger connector for hlf is enabled already, so what waited may have been sent. "
            "Disable it before choosing what becomes of what waits."
        ),
    )
    assert decide(replace(ENABLE, only_while_off=True), [OFF]).verdict is Verdict.APPLIED
