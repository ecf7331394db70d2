"""What is Xledger's own: a staged import, and errors inside HTTP 200."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from connectors.contract import Accepted, Found, ImportRefused, NotSent, Posted, PostingLine, Rejected, Staged
from connectors.xledger import documents
from deploy.local.sandboxes.faults import Action, FaultRule
from tests.contract.bench import Permit, SandboxBench
from tests.contract.test_every_connector import INJECTIONS
from tests.unit.connectors.samples import mapping

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_voucher_is_staged_until_the_import_takes_it(xledger: SandboxBench) -> None:
    posting, connector = xledger.posting(), xledger.connect(check_after_seconds=3)
    outcome = await connector.post(posting, Permit())
    assert isinstance(outcome, Accepted)
    assert outcome.document.number == posting.reference
    assert len(outcome.document.erp_id.split(",")) == len(posting.lines) + 1
    assert outcome.check_after == timedelta(seconds=3)
    assert await xledger.find(connector, posting) == Staged(outcome.document)


async def test_a_voucher_that_waits_is_not_added_again(xledger: SandboxBench) -> None:
    posting, connector = xledger.posting(), xledger.connect()
    await connector.post(posting, Permit())
    assert isinstance(await connector.post(replace(posting, attempt=2), Permit()), Accepted)
    assert len(await xledger.documents(posting)) == 1


async def test_a_refused_voucher_does_not_hide_the_mended_one(xledger: SandboxBench) -> None:
    """One line of the first is right: without an error of its own it must not pass for a voucher that waits."""
    lines = (
        PostingLine("7140", xledger.posting().total - 1, "Train"),
        PostingLine("9999", xledger.posting().total, "?"),
    )
    posting = xledger.posting(lines=lines, total=lines[0].amount + lines[1].amount)
    connector = xledger.connect()
    await connector.post(posting, Permit())
    await xledger.settle()
    refused = await xledger.find(connector, posting)
    assert isinstance(refused, ImportRefused)
    assert "9999" in refused.message
    mended = replace(posting, lines=(lines[0], replace(lines[1], account="7150")), attempt=2)
    assert isinstance(await connector.post(mended, Permit()), Accepted)
    assert isinstance(await xledger.find(connector, mended), Staged)
    assert len(await xledger.documents(mended)) == 1


@pytest.mark.promise("P2")
async def test_what_was_refused_earlier_is_not_taken_for_the_mended_try_that_look_ups_do_not_see_yet(
    xledger: SandboxBench,
) -> None:
    wrong = xledger.posting(lines=(PostingLine("9999", Decimal("1250.50"), "Train"),))
    connector = xledger.connect()
    await connector.post(wrong, Permit())
    await xledger.settle()
    await xledger.sandbox.set_faults(FaultRule(action=Action.LAG, seconds=2, reference=wrong.reference))
    await xledger.until_found(connector, wrong, ImportRefused)
    mended = replace(wrong, lines=(PostingLine("7140", Decimal("1250.50"), "Train"),), attempt=2)
    assert isinstance(await connector.post(mended, Permit()), Accepted)
    assert not isinstance(await xledger.find(connector, mended), ImportRefused)
    assert len(await xledger.documents(mended)) == 1
    await xledger.until_found(connector, mended, Found)
    assert isinstance(await connector.post(replace(mended, attempt=3), Permit()), Posted)
    assert len(await xledger.documents(mended)) == 1


async def test_two_vouchers_in_the_import_are_never_one_to_xledger(
    xledger: SandboxBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each leaves in a mutation of its own; so few numbers make sure that they would meet."""
    monkeypatch.setattr(documents, "LARGEST_REGISTRATION", 2)
    connector, first = xledger.connect(), xledger.posting()
    candidates = (xledger.posting() for _ in range(1000))
    numbers = documents.registration_numbers(first)
    second = next(
        one
        for one in candidates
        if (its := documents.registration_numbers(one))[0] == numbers[0] and len(set(its)) == 2
    )
    for posting in (first, second):
        assert isinstance(await connector.post(posting, Permit()), Accepted)
    for posting in (first, second):
        assert len(await xledger.documents(posting)) == 1
        assert isinstance(await xledger.find(connector, posting), Found)


@pytest.mark.parametrize("text", INJECTIONS)
async def test_codes_travel_as_values_whatever_they_look_like(xledger: SandboxBench, text: str) -> None:
    """The import refuses them by name; nothing of them was ever part of the query."""
    line = PostingLine(text, Decimal("1250.50"), "Train", text, {"AVD": text})
    posting, connector = xledger.posting(claimant=text, lines=(line,)), xledger.connect()
    assert isinstance(await connector.post(posting, Permit()), Accepted)
    await xledger.settle()
    refused = await xledger.find(connector, posting)
    assert isinstance(refused, ImportRefused)
    told = " ".join(refused.message.split())
    assert f"Account {' '.join(text.split())} does not exist." in told


async def test_limits_say_how_long_to_wait(xledger: SandboxBench) -> None:
    posting, connector = xledger.posting(), xledger.connect()
    for limits, pause in (({"per_window": 0}, timedelta(seconds=5)), ({"at_once": 0}, timedelta(seconds=1))):
        await xledger.sandbox.set_limits(**limits)
        outcome = await connector.post(posting, Permit())
        await xledger.sandbox.set_limits(per_window=None, at_once=None)
        assert isinstance(outcome, NotSent)
        assert outcome.retry_after == pause


async def test_a_used_up_quota_waits_until_it_is_filled_again(xledger: SandboxBench) -> None:
    await xledger.sandbox.set_limits(credits=0, credits_reset_seconds=600)
    outcome = await xledger.connect().post(xledger.posting(), Permit())
    await xledger.sandbox.set_limits(credits=None)
    assert isinstance(outcome, NotSent)
    assert outcome.retry_after is not None
    assert timedelta(seconds=590) < outcome.retry_after <= timedelta(seconds=600)


@pytest.mark.parametrize("code", ["ARGUMENTS_OF_CORRECT_TYPE", "INVALID_VALUE"])
async def test_a_value_that_xledger_refuses_is_rejected(xledger: SandboxBench, code: str) -> None:
    rule = FaultRule(action=Action.REFUSE_BEFORE, status=200, code=code, message="No such code.")
    await xledger.sandbox.set_faults(rule)
    assert await xledger.connect().post(xledger.posting(), Permit()) == Rejected(code, "No such code.")


async def test_a_mapping_without_a_counter_account_is_told_in_the_test_and_rejected(xledger: SandboxBench) -> None:
    (problem,) = await xledger.connect(mapping=mapping(counter_account=None)).test()  # type: ignore[misc]
    assert problem.subject == "counter_account"
    outcome = await xledger.connect().post(xledger.posting(counter_account=None), Permit())
    assert isinstance(outcome, Rejected)
    assert outcome.code == "unmapped_counter_account"
