"""What the worker relies on, for every adapter, against the ERP's sandbox."""

import asyncio
import socket
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from connectors.contract import (
    Absent,
    Accepted,
    AccountingConnector,
    Found,
    ImportRefused,
    NotSent,
    Posted,
    Posting,
    PostingLine,
    Rejected,
    Unavailable,
    Unknown,
)
from deploy.local.sandboxes.faults import Action, FaultRule
from tests.contract.bench import Bench, Permit, SandboxBench, let_pass
from tests.unit.connectors.samples import mapping

pytestmark = pytest.mark.asyncio(loop_scope="module")
over_a_network = pytest.mark.not_applicable(file="no request goes over a network")
checked_by_the_erp = pytest.mark.not_applicable(file="whoever reads the files checks them")

INJECTIONS = (
    '"}}]) { edges { node { dbId } } } } #',
    "x' or vendorNumber eq '10024",
    "'; DROP TABLE item; --",
    "{{7*7}} ${jndi:ldap://x} $references",
    "Blåbærsyltetøy 🧾 “sitat” \\ / \t slutt",
)


@pytest.mark.promise("P5")
async def test_p5_the_document_equals_the_posting(bench: Bench) -> None:
    """The document equals the posting: total, currency, day, vendor, accounts, amounts, tax codes, dimensions."""
    posting = bench.posting()
    outcome = await bench.connect().post(posting, Permit())
    assert isinstance(outcome, Posted | Accepted)
    (document,) = await bench.documents(posting)
    assert (document.total, document.currency) == (Decimal("1250.50"), "NOK")
    assert (document.vendor, document.posting_date) == ("10023", date(2026, 11, 20))
    assert [(line.account, line.amount, line.text) for line in document.lines] == [
        ("7140", Decimal("1000.50"), "Train"),
        ("7150", Decimal("250.00"), "meals"),
    ]
    assert document.lines[0].tax_code == "0"
    assert document.lines[0].dimensions == ((bench.slot, "10"),)


async def test_what_was_posted_is_found_with_the_number_a_bookkeeper_searches_for(bench: Bench) -> None:
    posting, connector = bench.posting(), bench.connect()
    outcome = await connector.post(posting, Permit())
    (document,) = await bench.documents(posting)
    found = await bench.find(connector, posting)
    assert isinstance(found, Found)
    assert (found.total, found.currency) == (posting.total, posting.currency)
    assert found.document.number == document.document
    if isinstance(outcome, Posted):
        assert outcome.document == found.document


async def test_a_foreign_currency_is_kept(bench: Bench) -> None:
    line = PostingLine("7140", Decimal("99.95"), "Hotel, Göteborg")
    posting = bench.posting(currency="EUR", total=Decimal("99.95"), lines=(line,))
    connector = bench.connect()
    assert isinstance(await connector.post(posting, Permit()), Posted | Accepted)
    (document,) = await bench.documents(posting)
    assert (document.total, document.currency) == (Decimal("99.95"), "EUR")
    found = await bench.find(connector, posting)
    assert isinstance(found, Found)
    assert (found.total, found.currency) == (Decimal("99.95"), "EUR")


@pytest.mark.parametrize("text", INJECTIONS)
async def test_text_arrives_as_text(bench: Bench, text: str) -> None:
    """Text arrives as text, whatever GraphQL, OData or SQL stands in it."""
    line = PostingLine("7140", Decimal("1250.50"), text)
    posting = bench.posting(text=text, lines=(line,))
    assert isinstance(await bench.connect().post(posting, Permit()), Posted | Accepted)
    (document,) = await bench.documents(posting)
    assert [line.text for line in document.lines] == [bench.as_kept(text)]


@pytest.mark.not_applicable(file="a file has room for any text")
async def test_a_long_text_is_cut_and_not_refused(bench: Bench) -> None:
    line = PostingLine("7140", Decimal("1250.50"), "å" * 400)
    posting = bench.posting(text="å" * 400, lines=(line,))
    await bench.connect().post(posting, Permit())
    (document,) = await bench.documents(posting)
    assert document.lines[0].text == "å" * 99 + "…"


async def test_many_lines_add_up_to_one_document(bench: Bench) -> None:
    lines = tuple(PostingLine("7140", Decimal("0.10"), f"Line {number}") for number in range(499))
    posting = bench.posting(total=Decimal("49.90"), lines=lines)
    await bench.connect().post(posting, Permit())
    (document,) = await bench.documents(posting)
    assert (document.total, len(document.lines)) == (Decimal("49.90"), 499)


@checked_by_the_erp
@pytest.mark.parametrize(
    "changes",
    [
        {"claimant": "99999"},
        {"posting_date": date(2025, 6, 1)},
        {"currency": "XPF"},
        {"lines": (PostingLine("9999", Decimal("1250.50"), "Train"),)},
        {"lines": (PostingLine("7140", Decimal("1250.50"), "Train", "77"),)},
        {"lines": (PostingLine("7140", Decimal("1250.50"), "Train", None, {"AVD": "nowhere"}),)},
    ],
    ids=["vendor", "closed period", "currency", "account", "tax code", "dimension value"],
)
async def test_what_the_erp_refuses_is_rejected_and_leaves_no_document(
    bench: Bench, changes: dict[str, object]
) -> None:
    """An unknown vendor, account, tax code, currency or dimension value, or a closed period: rejected, no document."""
    posting, connector = bench.posting(**changes), bench.connect()
    outcome = await connector.post(posting, Permit())
    assert await bench.documents(posting) == []
    found = await bench.find(connector, posting)
    if isinstance(outcome, Accepted):
        assert isinstance(found, ImportRefused)
        assert found.message
    else:
        assert isinstance(outcome, Rejected)
        assert outcome.message
        assert isinstance(found, Absent)


@checked_by_the_erp
async def test_after_the_mapping_is_mended_a_retry_posts_it(bench: Bench) -> None:
    wrong = bench.posting(lines=(PostingLine("9999", Decimal("1250.50"), "Train"),))
    connector = bench.connect()
    await connector.post(wrong, Permit())
    assert await bench.documents(wrong) == []
    mended = replace(wrong, lines=(PostingLine("7140", Decimal("1250.50"), "Train"),), attempt=2)
    assert isinstance(await connector.post(mended, Permit()), Posted | Accepted)
    (document,) = await bench.documents(mended)
    assert [line.account for line in document.lines] == ["7140"]
    assert isinstance(await bench.find(connector, mended), Found)


@pytest.mark.promise("P2")
async def test_a_second_attempt_finds_what_the_first_made_and_makes_no_other(bench: Bench) -> None:
    posting, connector = bench.posting(), bench.connect()
    await connector.post(posting, Permit())
    (document,) = await bench.documents(posting)
    again = await bench.connect().post(replace(posting, attempt=2), Permit())
    assert isinstance(again, Posted)
    assert again.document.number == document.document
    assert [line.document for line in await bench.documents(posting)] == [document.document]


@over_a_network
async def test_a_refused_connection_is_not_sent(bench: Bench) -> None:
    with socket.socket() as deaf:  # the port is taken, and nobody listens there
        deaf.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{deaf.getsockname()[1]}"
        connector = bench.connect(base_url=f"http://{address}/v2.0", also_allowed=address)
        outcome = await connector.post(bench.posting(), Permit())
    assert isinstance(outcome, NotSent)
    assert "the connection was refused" in outcome.reason


@over_a_network
@pytest.mark.parametrize(
    "rule",
    [
        FaultRule(action=Action.TOO_MANY_REQUESTS),
        FaultRule(action=Action.TOO_MANY_REQUESTS, retry_after=7),
        FaultRule(action=Action.REFUSE_BEFORE, status=503),
    ],
    ids=["429", "429 with Retry-After", "503"],
)
async def test_a_request_that_was_turned_away_is_not_sent(bench: SandboxBench, rule: FaultRule) -> None:
    """A request that was turned away (429, 503) is not sent, and tells for how long the ERP wants quiet."""
    posting, connector = bench.posting(), bench.connect()
    await bench.sandbox.set_faults(rule.model_copy(update={"kind": bench.moves_money}))
    outcome = await connector.post(posting, Permit())
    assert isinstance(outcome, NotSent)
    if rule.retry_after is not None:
        assert outcome.retry_after == timedelta(seconds=7)
    assert await bench.documents(posting) == []


@over_a_network
@pytest.mark.parametrize(
    "rule",
    [
        FaultRule(action=Action.CUT_AFTER),
        FaultRule(action=Action.TRUNCATE),
        FaultRule(action=Action.HTML),
        FaultRule(action=Action.HTML, status=502),
        FaultRule(action=Action.HUGE),
        FaultRule(action=Action.REFUSE_AFTER, status=500),
        FaultRule(action=Action.REFUSE_AFTER, status=502),
        FaultRule(action=Action.REFUSE_AFTER, status=504),
    ],
    ids=["reset", "truncated", "HTML", "HTML 502", "too large", "500", "502", "504"],
)
async def test_an_answer_that_was_lost_is_unknown_and_a_look_up_finds_the_document(
    bench: SandboxBench, rule: FaultRule
) -> None:
    """An answer that was lost (reset, cut, spoilt, 500, 502, 504) is unknown, and the next attempt makes no
    second document."""
    # Business Central answers a post without a body, so what spoils a body strikes the draft's making there.
    spoils_body = rule.action in {Action.TRUNCATE, Action.HUGE, Action.HTML}
    kind = "create_invoice" if spoils_body and bench.kind == "business_central" else bench.moves_money
    posting, connector = bench.posting(), bench.connect()
    await bench.sandbox.set_faults(rule.model_copy(update={"kind": kind}))
    outcome = await connector.post(posting, Permit())
    await bench.sandbox.set_faults()
    assert isinstance(outcome, Unknown)
    await _is_there_once(bench, connector, posting, is_posted=kind == bench.moves_money)


@over_a_network
async def test_an_answer_that_does_not_come_in_time_is_unknown_and_a_look_up_finds_the_document(
    bench: SandboxBench,
) -> None:
    """An answer that does not come in time is unknown, and the next attempt makes no second document."""
    posting, connector = bench.posting(), bench.connect(read_timeout_seconds=600)
    await bench.sandbox.set_faults(FaultRule(action=Action.DELAY_ANSWER, seconds=3600, kind=bench.moves_money))
    sending = asyncio.create_task(connector.post(posting, Permit()))
    await bench.has_struck()
    let_pass(seconds=601)
    assert isinstance(await sending, Unknown)
    await bench.sandbox.set_faults()
    await _is_there_once(bench, bench.connect(), posting)


async def _is_there_once(
    bench: Bench, connector: AccountingConnector, posting: Posting, *, is_posted: bool = True
) -> None:
    """However often it is sent: what a look-up finds is not made again."""
    await bench.settle()
    if is_posted:
        assert isinstance(await bench.find(connector, posting), Found)
    again = await connector.post(replace(posting, attempt=2), Permit())
    assert isinstance(again, Posted)
    assert len(await bench.documents(posting)) == 1


@over_a_network
async def test_a_request_cut_before_it_was_applied_is_unknown_and_absent(bench: SandboxBench) -> None:
    posting, connector = bench.posting(), bench.connect()
    await bench.sandbox.set_faults(FaultRule(action=Action.CUT_BEFORE, kind=bench.moves_money))
    assert isinstance(await connector.post(posting, Permit()), Unknown)
    await bench.sandbox.set_faults()
    assert isinstance(await bench.find(connector, posting), Absent)
    assert isinstance(await connector.post(replace(posting, attempt=2), Permit()), Posted | Accepted)
    assert len(await bench.documents(posting)) == 1


@over_a_network
async def test_a_redirect_is_neither_followed_nor_believed(bench: SandboxBench) -> None:
    posting, connector = bench.posting(), bench.connect()
    await bench.sandbox.set_faults(FaultRule(action=Action.REDIRECT, kind=bench.moves_money))
    assert isinstance(await connector.post(posting, Permit()), Unknown)


@pytest.mark.promise("P3")
async def test_p3_an_ended_permit_lets_no_request_out(bench: Bench) -> None:
    """Nothing leaves once the permit has ended."""
    connector, before = bench.connect(), await bench.carried()
    for attempt in (1, 2):
        outcome = await connector.post(bench.posting(attempt=attempt), Permit(valid=False))
        assert isinstance(outcome, NotSent)
    assert await bench.carried() == before


@pytest.mark.not_applicable(file="there are no credentials")
async def test_refused_credentials_are_unavailable_for_every_call(bench: Bench) -> None:
    wrong = dict.fromkeys(bench.accounts[0].credentials, "wrong")
    connector = bench.connect(credentials=wrong)
    posting = bench.posting()
    for outcome in (
        await connector.post(posting, Permit()),
        await connector.look_up([posting]),
        await connector.test(),
    ):
        assert isinstance(outcome, Unavailable)
        assert "configure the connector again" in outcome.reason
    assert await bench.documents(posting) == []


@over_a_network
async def test_a_401_on_the_request_itself_is_unavailable(bench: SandboxBench) -> None:
    posting, connector = bench.posting(), bench.connect()
    await bench.sandbox.set_faults(FaultRule(action=Action.UNAUTHORIZED, kind=bench.moves_money))
    assert isinstance(await connector.post(posting, Permit()), Unavailable)
    assert await bench.documents(posting) == []


async def test_look_ups_tell_what_is_there_from_what_is_not(bench: Bench) -> None:
    """Look-ups of many tell what is there from what is not."""
    there, connector = [bench.posting() for _ in range(3)], bench.connect()
    for posting in there:
        await connector.post(posting, Permit())
    await bench.settle()
    absent = [bench.posting() for _ in range(60)]
    found = await connector.look_up([*absent, *there])
    assert not isinstance(found, NotSent | Unavailable)
    assert all(isinstance(found[posting.reference], Found) for posting in there)
    assert all(found[posting.reference] == Absent() for posting in absent)


async def test_looking_nothing_up_finds_nothing(bench: Bench) -> None:
    assert await bench.connect().look_up([]) == {}


async def test_a_reference_with_quotes_finds_no_other_document(bench: Bench) -> None:
    posting, connector = bench.posting(), bench.connect()
    await connector.post(posting, Permit())
    await bench.settle()
    trick = replace(posting, reference=f"x' or vendorInvoiceNumber eq '{posting.reference}")
    assert await connector.look_up([trick]) == {trick.reference: Absent()}


async def test_a_look_up_that_fails_says_so(bench: Bench) -> None:
    """A look-up that fails says so, and not that nothing is there."""
    connector = bench.connect()
    posting = bench.posting()
    await bench.refuse(posting.reference, 500, "Out of order.")
    assert isinstance(await connector.look_up([posting]), NotSent)


@pytest.mark.promise("P8")
async def test_p8_each_request_carries_its_own_organisations_credentials(bench: Bench) -> None:
    """Each posting arrives at its own organisation, with that one's credentials."""
    ours, theirs = bench.connect(account=0), bench.connect(account=1)
    mine, yours = [bench.posting() for _ in range(4)], [bench.posting() for _ in range(4)]
    await asyncio.gather(
        *(ours.post(posting, Permit()) for posting in mine),
        *(theirs.post(posting, Permit()) for posting in yours),
    )
    for postings, account in ((mine, bench.accounts[0]), (yours, bench.accounts[1])):
        for posting in postings:
            (document,) = await bench.documents(posting)
            assert document.tenant == account.organization
            assert document.credentials == account.named
    assert await bench.find(theirs, mine[0]) == Absent()


async def test_a_connector_is_ready_when_all_that_is_mapped_is_there(bench: Bench) -> None:
    assert await bench.connect().test() == []


@checked_by_the_erp
async def test_each_name_the_erp_does_not_know_is_a_problem(bench: Bench) -> None:
    """The check of a connector names each account and vendor that the ERP does not know."""
    wrong = mapping(
        expense_types={"travel": {"account": "9998"}, "meals": {"account": "7150"}},
        default_expense_type={"account": "9997"},
        counter_account="9999",
        claimants={"table": {"peer-1": "10023", "peer-2": "77777"}},
    )
    problems = await bench.connect(mapping=wrong).test()
    assert not isinstance(problems, NotSent | Unavailable)
    names = {problem.subject.rsplit(" ", 1)[-1] for problem in problems}
    assert names == {"9997", "9998", "9999", "77777"}
    assert all(problem.message.endswith(".") for problem in problems)


@pytest.mark.promise("P11")
async def test_p11_nothing_that_is_shown_holds_a_secret_or_free_text(bench: Bench) -> None:
    """Nothing that is shown holds a secret, a name or free text, whatever the ERP answers."""
    line = PostingLine("9999", Decimal("1250.50"), "Kari Nordmann, Lillehammer")
    posting = bench.posting(text="Kari Nordmann", lines=(line,))
    connector = bench.connect()
    await bench.refuse(posting.reference, 400, "Kari Nordmann, Lillehammer is not allowed.")
    shown = [connector, vars(connector), await connector.post(posting, Permit()), await connector.test()]
    assert "Nordmann" not in str(shown)
    # An app's id is public, and named where its secret is refused: people have to know which one to renew.
    secrets = [value for name, value in bench.accounts[0].credentials.items() if name != "client_id"]
    assert not any(secret in str(shown) for secret in secrets)


async def test_a_connector_works_again_after_it_was_closed(bench: Bench) -> None:
    connector = bench.connect()
    await connector.close()
    assert await connector.test() == []
