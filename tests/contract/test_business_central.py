"""What is Business Central's own: drafts, the second document it refuses, tokens."""

import asyncio
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from connectors.business_central.documents import invoice_payload
from connectors.contract import Found, NotSent, Posted, Posting, PostingLine, Rejected, Unavailable, Unknown
from connectors.hosts import AllowedHosts
from connectors.http import HttpClient, Timeouts
from connectors.oauth2 import AccessToken, ClientCredentials, TokenSource
from deploy.local.sandboxes.faults import Action, FaultRule
from tests.contract.bench import Permit, SandboxBench
from tests.unit.connectors.samples import mapping

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def drafts_and_documents(bench: SandboxBench, reference: str) -> tuple[int, int]:
    """Made and deleted drafts are seen by what a new connector can still delete: here, by what the ledger says."""
    lines = [line for line in await bench.sandbox.ledger() if line.reference == reference and line.applied]
    return sum(line.request == "create_invoice" for line in lines), sum(line.final for line in lines)


async def test_a_draft_that_an_earlier_attempt_left_is_replaced_and_posted_once(business_central: SandboxBench) -> None:
    bench, posting = business_central, business_central.posting()
    connector = bench.connect()
    await bench.sandbox.set_faults(FaultRule(action=Action.TOO_MANY_REQUESTS, kind="post_invoice"))
    assert isinstance(await connector.post(posting, Permit()), NotSent)
    await bench.sandbox.set_faults()
    before = (await bench.sandbox.requests()).get("delete_invoice", 0)
    mended = replace(posting, lines=(PostingLine("7130", posting.total, "Train"),), attempt=2)
    assert isinstance(await connector.post(mended, Permit()), Posted)
    assert (await bench.sandbox.requests())["delete_invoice"] == before + 1
    (document,) = await bench.documents(posting)
    assert [line.account for line in document.lines] == ["7130"]


async def test_a_draft_that_cannot_be_deleted_stops_the_attempt(business_central: SandboxBench) -> None:
    bench, posting = business_central, business_central.posting()
    connector = bench.connect()
    await bench.sandbox.set_faults(FaultRule(action=Action.TOO_MANY_REQUESTS, kind="post_invoice"))
    await connector.post(posting, Permit())
    await bench.sandbox.set_faults(FaultRule(action=Action.REFUSE_BEFORE, kind="delete_invoice", status=500))
    assert isinstance(await connector.post(replace(posting, attempt=2), Permit()), NotSent)
    assert await drafts_and_documents(bench, posting.reference) == (1, 0)


@pytest.mark.parametrize("duplicates", ["refused_once_posted", "refused_at_posting"])
async def test_a_second_try_of_what_is_posted_answers_posted(business_central: SandboxBench, duplicates: str) -> None:
    bench, posting = business_central, business_central.posting()
    connector = bench.connect()
    await bench.sandbox.change_settings(duplicates=duplicates)
    first = await connector.post(posting, Permit())
    assert await connector.post(posting, Permit()) == first
    assert isinstance(first, Posted)
    assert len(await bench.documents(posting)) == 1


async def test_a_posted_invoice_with_another_total_is_never_taken_for_ours(business_central: SandboxBench) -> None:
    bench, posting = business_central, business_central.posting()
    connector = bench.connect()
    await connector.post(posting, Permit())
    line = PostingLine("7140", Decimal("1.00"), "Train")
    other = replace(posting, total=Decimal("1.00"), lines=(line,))
    assert isinstance(await connector.post(other, Permit()), Unknown)
    assert isinstance(await connector.post(replace(other, attempt=2), Permit()), Unknown)
    assert len(await bench.documents(posting)) == 1


async def test_p5_a_draft_with_another_total_is_deleted_and_never_posted(business_central: SandboxBench) -> None:
    bench, posting = business_central, business_central.posting()
    connector = bench.connect()
    wrong = Action.WRONG_AMOUNT
    await bench.sandbox.set_faults(
        FaultRule(action=wrong, kind="create_invoice"), FaultRule(action=wrong, kind="get_invoice")
    )
    outcome = await connector.post(posting, Permit())
    assert isinstance(outcome, Rejected)
    assert outcome.code == "total_differs"
    assert await drafts_and_documents(bench, posting.reference) == (1, 0)


async def test_a_total_that_only_the_first_answer_misstates_is_read_again(business_central: SandboxBench) -> None:
    bench, posting = business_central, business_central.posting()
    await bench.sandbox.set_faults(FaultRule(action=Action.WRONG_AMOUNT, kind="create_invoice"))
    assert isinstance(await bench.connect().post(posting, Permit()), Posted)


async def test_a_rejected_post_leaves_no_draft(business_central: SandboxBench) -> None:
    bench, posting = business_central, business_central.posting()
    before = (await bench.sandbox.requests()).get("delete_invoice", 0)
    refusal = "Posting Date is not within your range of allowed posting dates."
    await bench.sandbox.set_faults(
        FaultRule(action=Action.REFUSE_BEFORE, kind="post_invoice", status=400, message=refusal)
    )
    outcome = await bench.connect().post(posting, Permit())
    assert isinstance(outcome, Rejected)
    assert outcome.code == "closed_period"
    assert "CorrelationId" not in outcome.message
    assert (await bench.sandbox.requests())["delete_invoice"] == before + 1


async def test_a_closed_period_is_named_with_the_open_days_and_leaves_no_draft(business_central: SandboxBench) -> None:
    bench, posting = business_central, business_central.posting(posting_date=date(2025, 6, 1))
    before = (await bench.sandbox.requests()).get("delete_invoice", 0)
    outcome = await bench.connect().post(posting, Permit())
    assert isinstance(outcome, Rejected)
    assert outcome.code == "closed_period"
    assert "2025-06-01" in outcome.message
    assert "from 2026-01-01 to 2035-12-31" in outcome.message
    assert (await bench.sandbox.requests())["delete_invoice"] == before + 1
    assert await drafts_and_documents(bench, posting.reference) == (1, 0)


@pytest.mark.parametrize(("account", "told"), [("7800", "Blocked"), ("7900", "Direct Posting")])
async def test_an_account_that_takes_no_posting_rejects_the_item_and_leaves_no_draft(
    business_central: SandboxBench, account: str, told: str
) -> None:
    posting = posting_with_dimensions(business_central, {}, account=account)
    before = (await business_central.sandbox.requests()).get("delete_invoice", 0)
    outcome = await business_central.connect().post(posting, Permit())
    assert isinstance(outcome, Rejected)
    assert told in outcome.message
    assert (await business_central.sandbox.requests())["delete_invoice"] == before + 1


async def test_what_may_move_is_booked_on_the_first_open_day_with_the_approvals_date_in_the_text(
    business_central: SandboxBench,
) -> None:
    bench = business_central
    line = PostingLine("7140", Decimal("1250.50"), "å" * 120)
    posting = bench.posting(posting_date=date(2025, 12, 20), moves_to_open_period=True, lines=(line,))
    assert isinstance(await bench.connect().post(posting, Permit()), Posted)
    (document,) = await bench.documents(posting)
    assert document.posting_date == date(2026, 1, 1)
    assert document.lines[0].text == "å" * 80 + "… (orig. 2025-12-20)"


async def test_what_may_move_stays_on_an_open_day_and_the_open_days_are_asked_for_once(
    business_central: SandboxBench,
) -> None:
    bench, connector = business_central, business_central.connect()
    before = (await bench.sandbox.requests()).get("generalLedgerSetup", 0)
    postings = [bench.posting(moves_to_open_period=True) for _ in range(3)]
    outcomes = await asyncio.gather(*(connector.post(posting, Permit()) for posting in postings))
    assert all(isinstance(outcome, Posted) for outcome in outcomes)
    for posting in postings:
        (document,) = await bench.documents(posting)
        assert (document.posting_date, document.lines[0].text) == (date(2026, 11, 20), "Train")
    assert (await bench.sandbox.requests())["generalLedgerSetup"] == before + 1


async def test_a_period_that_closes_after_it_was_asked_for_is_asked_for_again_and_nothing_is_doubled(
    business_central: SandboxBench,
) -> None:
    bench, connector = business_central, business_central.connect()
    await connector.post(bench.posting(moves_to_open_period=True), Permit())
    posting = bench.posting(posting_date=date(2026, 11, 20), moves_to_open_period=True)
    await bench.sandbox.change_settings(open_from="2026-12-01")
    try:
        outcome = await connector.post(posting, Permit())
    finally:
        await bench.sandbox.change_settings(open_from=None)
    assert isinstance(outcome, Posted)
    (document,) = await bench.documents(posting)
    assert document.posting_date == date(2026, 12, 1)
    assert await drafts_and_documents(bench, posting.reference) == (2, 1)


async def test_days_that_are_closed_for_the_apps_user_alone_are_refused_once_and_named(
    business_central: SandboxBench,
) -> None:
    bench, posting = business_central, business_central.posting(moves_to_open_period=True)
    refusal = "Posting Date is not within your range of allowed posting dates."
    await bench.sandbox.set_faults(
        FaultRule(action=Action.REFUSE_BEFORE, kind="post_invoice", status=400, message=refusal)
    )
    outcome = await bench.connect().post(posting, Permit())
    assert isinstance(outcome, Rejected)
    assert "The period of 2026-11-20 is closed" in outcome.message
    assert await drafts_and_documents(bench, posting.reference) == (1, 0)


@pytest.mark.parametrize("status", [403, 404])
async def test_an_app_that_may_not_read_the_open_days_still_books(business_central: SandboxBench, status: int) -> None:
    bench, posting = business_central, business_central.posting(moves_to_open_period=True)
    rule = FaultRule(action=Action.REFUSE_BEFORE, kind="generalLedgerSetup", status=status)
    await bench.sandbox.set_faults(rule)
    assert isinstance(await bench.connect().post(posting, Permit()), Posted)


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("text", ["Tog 🚆" * 30, "👩\u200d👩\u200d👧" * 30])
async def test_a_text_is_cut_by_the_units_that_business_central_counts(
    business_central: SandboxBench, text: str, moved: bool
) -> None:
    line = PostingLine("7140", Decimal("1250.50"), text)
    day = date(2025, 12, 20) if moved else date(2026, 11, 20)
    posting = business_central.posting(text=text, lines=(line,), posting_date=day, moves_to_open_period=moved)
    assert isinstance(await business_central.connect().post(posting, Permit()), Posted)
    (document,) = await business_central.documents(posting)
    kept = document.lines[0].text or ""
    assert kept.endswith("… (orig. 2025-12-20)" if moved else "…")
    assert 88 <= len(kept.encode("utf-16-le")) // 2 <= 100


async def test_a_refusal_that_quotes_a_cut_text_does_not_show_it(business_central: SandboxBench) -> None:
    text = "Møte med Kari Nordmann 🚆 " * 10
    posting = business_central.posting(lines=(PostingLine("7140", Decimal("1250.50"), text),))
    sent = invoice_payload(posting, "NOK")["purchaseInvoiceLines"]
    assert isinstance(sent, list)
    refusal = f"The length of the string is 119. Value: {sent[0]['description']}"
    rule = FaultRule(action=Action.REFUSE_BEFORE, kind="create_invoice", status=400, message=refusal)
    await business_central.sandbox.set_faults(rule)
    outcome = await business_central.connect().post(posting, Permit())
    assert isinstance(outcome, Rejected)
    assert "Kari" not in outcome.message


FOUR = {"AVD": "10", "PROSJEKT": "P2", "FORMÅL": "A", "BÆRER": "1"}


async def arrived(bench: SandboxBench) -> int:
    """A batch counts once, whatever is inside."""
    by_kind = await bench.sandbox.requests()
    return sum(number for kind, number in by_kind.items() if kind not in {"add_dimension", "change_dimension"})


def posting_with_dimensions(bench: SandboxBench, *dimensions: dict[str, str], account: str = "7140") -> Posting:
    lines = tuple(PostingLine(account, Decimal("10.00"), "Train", None, each) for each in dimensions)
    return bench.posting(total=Decimal(10 * len(lines)), lines=lines)


async def test_every_dimension_of_every_line_arrives_in_four_requests(business_central: SandboxBench) -> None:
    bench, connector = business_central, business_central.connect()
    posting = posting_with_dimensions(bench, FOUR, {"AVD": "20"}, {})
    await connector.look_up([])
    before = await arrived(bench)
    assert isinstance(await connector.post(posting, Permit()), Posted)
    assert await arrived(bench) == before + 4
    (document,) = await bench.documents(posting)
    assert [dict(line.dimensions) for line in document.lines] == [FOUR, {"AVD": "20"}, {}]


async def test_default_dimensions_of_an_account_give_way_to_the_lines_own(business_central: SandboxBench) -> None:
    bench, connector = business_central, business_central.connect()
    posting = posting_with_dimensions(bench, FOUR, {"FORMÅL": "B"}, account="7160")
    await connector.look_up([])
    before = await arrived(bench)
    assert isinstance(await connector.post(posting, Permit()), Posted)
    assert await arrived(bench) == before + 6
    (document,) = await bench.documents(posting)
    kept = {"AVD": "30", "PROSJEKT": "P1"}
    assert [dict(line.dimensions) for line in document.lines] == [FOUR, {**kept, "FORMÅL": "B"}]


async def test_what_a_vendor_brings_along_gives_way_to_the_lines_own(business_central: SandboxBench) -> None:
    posting = replace(posting_with_dimensions(business_central, {"AVD": "10"}, {}), claimant="10026")
    assert isinstance(await business_central.connect().post(posting, Permit()), Posted)
    (document,) = await business_central.documents(posting)
    assert [dict(line.dimensions) for line in document.lines] == [{"AVD": "10"}, {"AVD": "30"}]


async def test_dimensions_that_a_deep_insert_leaves_out_are_added_a_hundred_calls_at_once(
    business_central: SandboxBench,
) -> None:
    bench, connector = business_central, business_central.connect()
    posting = posting_with_dimensions(bench, *([FOUR] * 30))
    await bench.sandbox.change_settings(leaves_out_dimensions=True)
    before = (await bench.sandbox.requests()).get("batch", 0)
    outcome = await connector.post(posting, Permit())
    await bench.sandbox.change_settings(leaves_out_dimensions=False)
    assert isinstance(outcome, Posted)
    assert (await bench.sandbox.requests())["batch"] == before + 2
    (document,) = await bench.documents(posting)
    assert [dict(line.dimensions) for line in document.lines] == [FOUR] * 30


async def test_a_refusal_inside_a_batch_rejects_the_item_and_leaves_no_draft(business_central: SandboxBench) -> None:
    bench, connector = business_central, business_central.connect()
    posting = posting_with_dimensions(bench, {"AVD": "10"}, {"AVD": "nowhere"})
    await bench.sandbox.change_settings(leaves_out_dimensions=True)
    before = (await bench.sandbox.requests()).get("delete_invoice", 0)
    outcome = await connector.post(posting, Permit())
    await bench.sandbox.change_settings(leaves_out_dimensions=False)
    assert isinstance(outcome, Rejected)
    assert "nowhere" in outcome.message
    assert (await bench.sandbox.requests())["delete_invoice"] == before + 1
    assert await drafts_and_documents(bench, posting.reference) == (1, 0)


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        ("create_invoice", Action.CUT_AFTER),
        ("batch", Action.CUT_BEFORE),
        ("batch", Action.CUT_AFTER),
        ("batch", Action.TRUNCATE),
        ("batch", Action.HTML),
        ("post_invoice", Action.CUT_BEFORE),
        ("post_invoice", Action.CUT_AFTER),
        ("get_invoice", Action.CUT_AFTER),
    ],
)
async def test_an_attempt_that_breaks_off_anywhere_is_finished_by_the_next_and_never_doubled(
    business_central: SandboxBench, kind: str, action: Action
) -> None:
    bench = business_central
    posting = posting_with_dimensions(bench, FOUR, account="7160")
    await bench.sandbox.set_faults(FaultRule(action=action, kind=kind))
    outcome = await bench.connect().post(posting, Permit())
    assert isinstance(outcome, NotSent | Unknown)
    await bench.sandbox.set_faults()
    # A new connector, as in the process that takes over.
    again = await bench.connect().post(replace(posting, attempt=2), Permit())
    assert isinstance(again, Posted)
    (document,) = await bench.documents(posting)
    assert [dict(line.dimensions) for line in document.lines] == [FOUR]
    assert isinstance(await bench.find(bench.connect(), posting), Found)


async def test_the_check_tells_everything_that_is_wrong_at_once_and_writes_nothing(
    business_central: SandboxBench,
) -> None:
    bench = business_central
    wrong = mapping(
        expense_types={
            "a": {"account": "9998", "tax_code": "77"},
            "b": {"account": "7800"},
            "c": {"account": "7900", "tax_code": "0"},
        },
        counter_account="2930",
        claimants={"table": {"peer-1": "10023", "peer-2": "10040", "peer-3": "77777"}},
        dimensions={"department": "AVD", "purpose": "NOWHERE", "empty": "TOM"},
    )
    await bench.sandbox.change_settings(open_from="2027-01-01", page_size=1)
    try:
        problems = await bench.connect(mapping=wrong).test()
    finally:
        await bench.sandbox.change_settings(open_from=None, page_size=20_000)
    assert not isinstance(problems, NotSent | Unavailable)
    told = {problem.subject: problem.message for problem in problems}
    assert set(told) == {
        *("account 9998", "account 7800", "account 7900", "vendor 10040", "vendor 77777"),
        *("tax code 77", "dimension NOWHERE", "dimension TOM", "posting dates"),
    }
    assert "blocked" in told["account 7800"]
    assert "no direct posting" in told["account 7900"]
    assert "from 2027-01-01" in told["posting dates"]


async def test_the_check_of_ten_thousand_claimants_asks_in_short_addresses(business_central: SandboxBench) -> None:
    bench = business_central
    table = {f"peer-{number}": f"V{number:05}" for number in range(10_000)}
    before = (await bench.sandbox.requests()).get("vendors", 0)
    problems = await bench.connect(mapping=mapping(claimants={"table": table})).test()
    assert not isinstance(problems, NotSent | Unavailable)
    assert len(problems) == 10_000
    assert (await bench.sandbox.requests())["vendors"] - before < 250


@pytest.mark.parametrize(("status", "told"), [(401, "0b6a5f5e-9f53-4a53-8a39-5f0f2c7c0103"), (400, "client secret")])
async def test_a_wrong_secret_names_the_app_whose_secret_is_to_be_renewed(
    business_central: SandboxBench, status: int, told: str
) -> None:
    bench = business_central
    client_id = told if status == 401 else "pasted-into-the-wrong-field"
    wrong = {"client_id": client_id, "client_secret": "pasted-secret"}
    before = (await bench.sandbox.requests()).get("token", 0)
    connector = bench.connect(credentials=wrong)
    outcomes = await asyncio.gather(*(connector.look_up([bench.posting()]) for _ in range(5)))
    assert (await bench.sandbox.requests())["token"] == before + 1
    for outcome in outcomes:
        assert isinstance(outcome, Unavailable)
        assert told in outcome.reason
        assert "pasted" not in outcome.reason


async def test_a_posted_invoice_whose_number_cannot_be_read_is_unknown(business_central: SandboxBench) -> None:
    bench, posting = business_central, posting_with_dimensions(business_central, {})
    await bench.sandbox.set_faults(FaultRule(action=Action.REFUSE_BEFORE, kind="get_invoice", status=500))
    assert isinstance(await bench.connect().post(posting, Permit()), Unknown)
    assert len(await bench.documents(posting)) == 1


async def test_the_permit_is_asked_again_before_the_post_itself(business_central: SandboxBench) -> None:
    class EndsAfterTheDraft:
        def __init__(self) -> None:
            self.asked = 0

        def is_valid(self) -> bool:
            self.asked += 1
            return self.asked <= 2

    posting = business_central.posting()
    assert isinstance(await business_central.connect().post(posting, EndsAfterTheDraft()), NotSent)
    assert await drafts_and_documents(business_central, posting.reference) == (1, 0)


async def test_a_company_that_is_gone_is_unavailable(business_central: SandboxBench) -> None:
    connector = business_central.connect(company_id="c4a0c1de-58f7-4b6f-8c2e-000000000000")
    outcome = await connector.post(business_central.posting(), Permit())
    assert isinstance(outcome, Unavailable)
    assert "no such company" in outcome.reason


async def test_one_sign_in_serves_many_requests_at_once(business_central: SandboxBench) -> None:
    bench, connector = business_central, business_central.connect()
    before = (await bench.sandbox.requests())["token"]
    await asyncio.gather(*(connector.look_up([bench.posting()]) for _ in range(10)))
    assert (await bench.sandbox.requests())["token"] == before + 1


async def test_a_withdrawn_token_is_renewed_once(business_central: SandboxBench) -> None:
    bench, connector = business_central, business_central.connect()
    await connector.look_up([bench.posting()])
    await bench.sandbox.change_settings(withdraw_tokens=True)
    await bench.sandbox.change_settings(withdraw_tokens=False)
    before = (await bench.sandbox.requests())["token"]
    assert isinstance(await connector.post(bench.posting(), Permit()), Posted)
    assert (await bench.sandbox.requests())["token"] == before + 1


async def test_a_sign_in_service_that_is_down_is_not_sent(business_central: SandboxBench) -> None:
    bench = business_central
    await bench.sandbox.set_faults(FaultRule(action=Action.REFUSE_BEFORE, kind="token", status=503))
    assert isinstance(await bench.connect().post(bench.posting(), Permit()), NotSent)


async def test_a_token_is_renewed_before_it_ends(business_central: SandboxBench) -> None:
    account = business_central.accounts[0]
    now = [1000.0]
    http = _client(business_central)
    source = TokenSource(
        http,
        ClientCredentials(
            str(account.settings["token_url"]),
            account.credentials["client_id"],
            account.credentials["client_secret"],
            "https://api.businesscentral.dynamics.com/.default",
        ),
        clock=lambda: now[0],
    )
    first = await source.token()
    now[0] += 3200
    assert await source.token() == first
    now[0] += 200
    second = await source.token()
    await http.close()
    assert isinstance(first, AccessToken)
    assert isinstance(second, AccessToken)
    assert first.value != second.value
    assert first.value not in repr(first)


def _client(bench: SandboxBench) -> HttpClient:

    hosts = AllowedHosts(frozenset(), frozenset({bench.sandbox.url.removeprefix("http://")}))
    return HttpClient(hosts, Timeouts(), connections=1)
