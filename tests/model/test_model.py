"""The protocol's model, explored exhaustively: the shipped one holds, and each mechanism taken away is missed."""

import asyncio
import os
from collections.abc import Sequence

import pytest
import pytest_asyncio

from deploy.local.machine import probe
from deploy.local.processes import ServiceError
from deploy.local.run_folder import RunFolder
from tests.model.tlc import Check, MissingTlcError, Tlc, find_tlc, run
from tests.model.variants import BREAK, HOLD, VARIANTS, tells


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tlc() -> Tlc:
    machine = await asyncio.to_thread(probe, os.environ)
    try:
        async with RunFolder.open() as folder:
            return await find_tlc(machine, folder)
    except (MissingTlcError, ServiceError) as missing:
        pytest.skip(str(missing).splitlines()[0])


def check(tlc: Tlc, *names: str) -> None:
    for name in names:
        variant = VARIANTS[name]
        answer = run(tlc, variant.constants, variant.checks)
        assert answer.broken is variant.breaks, f"{name}: {answer.broken}\n{answer.trace}"
        assert tells(answer.actions, variant.story), f"{name} is another story: {' → '.join(answer.actions)}"


def test_the_shipped_protocol_loses_doubles_and_strands_nothing(tlc: Tlc) -> None:
    check(tlc, "xledger", "business-central", "two-items")


def test_every_run_of_the_shipped_protocol_ends_with_everything_final(tlc: Tlc) -> None:
    check(tlc, "xledger-ends", "business-central-ends")


def test_without_the_flag_re_read_a_claim_sends_after_off(tlc: Tlc) -> None:
    check(tlc, "no-flag-reread")


def test_without_the_two_phase_off_what_is_claimed_leaves_after_off(tlc: Tlc) -> None:
    check(tlc, "no-two-phase-off")


def test_without_the_quarantine_a_late_apply_doubles(tlc: Tlc) -> None:
    check(tlc, "no-quarantine")


def test_without_the_look_up_what_was_applied_is_sent_again(tlc: Tlc) -> None:
    check(tlc, "no-look-up")


def test_without_reading_the_document_a_resend_never_learns_that_it_exists(tlc: Tlc) -> None:
    check(tlc, "no-look-up-bc")


def test_without_the_second_look_up_a_document_not_visible_yet_is_doubled(tlc: Tlc) -> None:
    check(tlc, "no-second-look-up")


def test_without_the_permit_a_zombie_sends_after_off_and_doubles(tlc: Tlc) -> None:
    check(tlc, "no-permit-late", "no-permit-double")


def test_without_the_lease_in_the_claim_nobody_resolves_what_a_zombie_claimed(tlc: Tlc) -> None:
    check(tlc, "no-lease-in-the-claim")


def test_without_the_fence_a_zombie_frees_what_another_is_sending(tlc: Tlc) -> None:
    check(tlc, "no-fence-double", "no-fence-foreign")


def test_without_counting_an_absence_once_one_look_up_counts_as_two(tlc: Tlc) -> None:
    check(tlc, "no-counted-absence")


def test_without_the_same_request_again_a_changed_mapping_doubles(tlc: Tlc) -> None:
    check(tlc, "no-same-request-again")


def test_without_keeping_the_doubt_a_resend_that_did_not_leave_doubles_hides_and_strands(tlc: Tlc) -> None:
    check(tlc, "no-kept-doubt-double", "no-kept-doubt-hidden", "no-kept-doubt-stranded")


def test_every_mechanism_of_the_model_is_taken_away_somewhere() -> None:
    mechanisms = {name for name, value in VARIANTS["xledger"].constants.items() if value is True} - {"LookUpsLag"}
    missed = {name for variant in BREAK for name in variant.changes}
    assert mechanisms | {"LookUps"} <= missed
    assert {variant.breaks for variant in BREAK} >= {Check.DOUBLE, Check.LATE, Check.STRANDED}
    assert not [variant.name for variant in HOLD if variant.breaks]


@pytest.mark.parametrize(
    ("actions", "is_told"),
    [(["Claim", "Send", "Apply"], True), (["Send", "Apply", "Claim"], False), (["Claim"], False)],
)
def test_a_story_is_told_in_its_order_alone(actions: Sequence[str], is_told: bool) -> None:
    assert tells(actions, ["Claim", "Apply"]) is is_told
