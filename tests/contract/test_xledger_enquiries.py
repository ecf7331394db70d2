"""How many requests it takes to ask Xledger, and what is asked before the first enable."""

import asyncio
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from connectors.contract import Accepted, Found, NotSent, Problem, Staged, Unavailable
from deploy.local.sandboxes.client import SandboxProcess
from deploy.local.sandboxes.faults import Action, FaultRule
from deploy.local.sandboxes.tenants import Tenants, sample_tenants
from tests.contract.bench import Account, Permit, SandboxBench
from tests.unit.connectors.samples import mapping

pytestmark = pytest.mark.asyncio(loop_scope="module")

SUPPLIERS = tuple(f"S{number:05}" for number in range(10_000))


async def test_many_second_tries_share_a_few_look_ups_and_one_mutation(xledger: SandboxBench) -> None:
    connector = xledger.connect()
    postings = [xledger.posting(attempt=2) for _ in range(150)]
    before = await xledger.sandbox.requests()
    outcomes = await asyncio.gather(*(connector.post(posting, Permit()) for posting in postings))
    after = await xledger.sandbox.requests()
    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert after["apTransactions"] - before.get("apTransactions", 0) == 1
    assert after["addGLImportItems"] - before.get("addGLImportItems", 0) <= 2


async def test_a_look_up_of_many_is_two_requests(xledger: SandboxBench) -> None:
    connector = xledger.connect()
    postings = [xledger.posting() for _ in range(100)]
    await asyncio.gather(*(connector.post(posting, Permit()) for posting in postings))
    before, _ = await xledger.sandbox.requests_at_the_door()
    staged = await connector.look_up(postings)
    after, _ = await xledger.sandbox.requests_at_the_door()
    assert not isinstance(staged, NotSent | Unavailable)
    assert all(isinstance(finding, Staged) for finding in staged.values())
    assert after - before == 2
    await xledger.settle()
    found = await connector.look_up(postings)
    assert not isinstance(found, NotSent | Unavailable)
    assert all(isinstance(finding, Found) for finding in found.values())
    assert (await xledger.sandbox.requests_at_the_door())[0] - after == 1, "what is booked has no errors to ask for"


async def test_where_the_imports_errors_cannot_be_asked_for_what_was_booked_is_confirmed_all_the_same(
    xledger: SandboxBench,
) -> None:
    connector, booked = xledger.connect(), xledger.posting()
    await connector.post(booked, Permit())
    await xledger.settle()
    waiting = xledger.posting()
    await connector.post(waiting, Permit())
    rule = FaultRule(action=Action.REFUSE_BEFORE, status=200, code="FIELDS_ON_CORRECT_TYPE", kind="glImportItemErrors")
    await xledger.sandbox.set_faults(rule)
    found = await connector.look_up([booked, waiting])
    assert not isinstance(found, NotSent | Unavailable)
    assert [type(finding) for finding in found.values()] == [Found, Staged]


async def test_a_limit_in_the_middle_of_a_look_up_is_waited_for(xledger: SandboxBench) -> None:
    connector, waiting = xledger.connect(), xledger.posting()
    await connector.post(waiting, Permit())
    code = "BAD_REQUEST.BURST_RATE_LIMIT_REACHED"
    await xledger.sandbox.set_faults(
        FaultRule(action=Action.REFUSE_BEFORE, status=200, code=code, kind="glImportItemErrors")
    )
    outcome = await connector.look_up([waiting])
    assert isinstance(outcome, NotSent)
    assert outcome.retry_after is not None


async def test_second_tries_whose_look_up_fails_are_not_sent_and_nothing_is_staged_twice(xledger: SandboxBench) -> None:
    connector, posting = xledger.connect(), xledger.posting()
    await connector.post(posting, Permit())
    await xledger.sandbox.set_faults(FaultRule(action=Action.CUT_BEFORE, kind="apTransactions"))
    outcomes = await asyncio.gather(*(connector.post(replace(posting, attempt=2), Permit()) for _ in range(3)))
    assert all(isinstance(outcome, NotSent) for outcome in outcomes)
    await xledger.sandbox.set_faults()
    assert len(await xledger.documents(posting)) == 1


async def test_the_check_takes_five_requests_and_writes_nothing(xledger: SandboxBench) -> None:
    connector, carried = xledger.connect(), await xledger.carried()
    before, _ = await xledger.sandbox.requests_at_the_door()
    assert await connector.test() == []
    assert (await xledger.sandbox.requests_at_the_door())[0] - before == 5
    assert await xledger.carried() == carried


async def test_the_check_names_everything_that_is_wrong_at_once(xledger: SandboxBench) -> None:
    wrong = mapping(
        expense_types={"travel": {"account": "9998", "tax_code": "77"}, "meals": {"account": "7150", "tax_code": "1"}},
        default_expense_type={"account": "7140", "tax_code": 'x"}) { evil }'},
        counter_account=None,
        claimants={"table": {"peer-1": "10023", "peer-2": "77777"}},
        dimensions={"a": "AVD", "b": "NOSUCH", "c": "glObject4", "d": "PROSJEKT", "e": "glObject5", "f": "SIXTH"},
    )
    problems = await xledger.connect(mapping=wrong).test()
    assert isinstance(problems, list)
    assert [problem.subject for problem in problems] == [
        "counter_account",
        "dimension SIXTH",
        "account 9998",
        "supplier 77777",
        "tax code 77",
        'tax code x"}) { evil }',
        "dimension NOSUCH",
    ]
    assert all(problem.message.endswith(".") for problem in problems)


async def test_what_the_mapping_does_not_need_is_not_asked_for(xledger: SandboxBench) -> None:
    plain = mapping(expense_types={"travel": {"account": "7140"}}, dimensions={"department": "glObject2"})
    before = (await xledger.sandbox.requests()).get("objectKinds", 0)
    assert await xledger.connect(mapping=plain).test() == []
    assert (await xledger.sandbox.requests()).get("objectKinds", 0) == before


async def test_where_xledger_does_not_know_the_query_for_kinds_that_is_told_and_all_else_is_checked(
    xledger: SandboxBench,
) -> None:
    rule = FaultRule(action=Action.REFUSE_BEFORE, status=200, code="FIELDS_ON_CORRECT_TYPE", kind="objectKinds")
    await xledger.sandbox.set_faults(rule)
    problems = await xledger.connect(mapping=mapping(counter_account="9999")).test()
    assert isinstance(problems, list)
    assert [problem.subject for problem in problems] == ["account 9999", "tax codes and dimensions"]
    assert problems[1].message.endswith("Check them by hand.")


@pytest.mark.parametrize(
    ("booked", "told"),
    [
        ("NOK", "Xledger books NOK at a rate, so the company keeps its books in another currency."),
        ("SEK", "Xledger books SEK without a rate, and nothing in NOK."),
    ],
)
async def test_the_check_tells_that_the_books_are_kept_in_another_currency(
    tmp_path_factory: pytest.TempPathFactory, booked: str, told: str
) -> None:
    """Whatever is in company_currency goes in without a rate: a Swedish company would owe kroner of the wrong kind."""
    (sample,) = sample_tenants().xledger
    swedish = {"company_currency": "SEK", "exchange_rates": {"NOK": Decimal("0.98")}}
    tenants = Tenants(tenants=(sample.model_copy(update=swedish),))
    ledger = tmp_path_factory.mktemp("swedish") / "ledger.jsonl"
    async with SandboxProcess("xledger", ledger=ledger, tenants=tenants) as sandbox:
        account = Account("hlf", {"base_url": f"{sandbox.url}/graphql"}, {"token": sample.token})
        bench = SandboxBench("xledger", [account], "glObject1", sandbox, "addGLImportItems", frozenset())
        right, wrong = bench.connect(company_currency="SEK"), bench.connect()
        assert await wrong.test() == [], "nothing is booked yet"
        posting = bench.posting(currency=booked)
        await right.post(posting, Permit())
        assert len(await bench.documents(posting)) == 1
        assert await wrong.test() == [Problem("company_currency", f"{told} Set company_currency to the books' own.")]
        assert await right.test() == []
        await bench.close_connectors()


@pytest.mark.parametrize("kind", ["periodStatusItems", "journalEntries", "accounts", "objectKinds", "objectValues"])
async def test_a_limit_anywhere_in_the_check_is_no_problem_of_the_mapping(xledger: SandboxBench, kind: str) -> None:
    code = "BAD_REQUEST.CONCURRENCY_LIMIT_REACHED"
    await xledger.sandbox.set_faults(FaultRule(action=Action.REFUSE_BEFORE, status=200, code=code, kind=kind))
    assert isinstance(await xledger.connect().test(), NotSent)


async def test_ten_thousand_suppliers_are_checked_in_ten_requests_and_a_company_without_open_periods_is_told(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    (sample,) = sample_tenants().xledger
    past = {"open_from": date(2020, 1, 1), "open_to": date(2020, 12, 31), "suppliers": SUPPLIERS[:-2]}
    tenants = Tenants(tenants=(sample.model_copy(update=past),))
    ledger = tmp_path_factory.mktemp("many") / "ledger.jsonl"
    async with SandboxProcess("xledger", ledger=ledger, tenants=tenants) as sandbox:
        settings = {"base_url": f"{sandbox.url}/graphql", "requests_per_5_seconds": 100_000}
        account = Account("hlf", settings, {"token": sample.token})
        bench = SandboxBench("xledger", [account], "glObject1", sandbox, "addGLImportItems", frozenset())
        table = {f"peer-{supplier}": supplier for supplier in SUPPLIERS}
        connector = bench.connect(mapping=mapping(claimants={"table": table}))
        problems = await connector.test()
        requests = await sandbox.requests()
        await bench.close_connectors()
    assert isinstance(problems, list)
    assert problems[0].subject == "period"
    assert problems[0].message.startswith("No period is open for today, ")
    assert problems[1:] == [
        Problem(f"supplier {supplier}", f"Xledger has no supplier {supplier}.") for supplier in SUPPLIERS[-2:]
    ]
    assert requests["suppliers"] == 10
