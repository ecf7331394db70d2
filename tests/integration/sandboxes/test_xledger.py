import pytest

from deploy.local.sandboxes.ledger import deliveries_per_reference, documents_per_reference
from tests.integration.sandboxes.clients import ADD, XledgerClient, voucher

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBERS = "transactionNumber invoiceNumber extIdentifier amount invoiceAmount subledgerDbId account { code }"


async def test_only_a_token_header_signs_in(xledger: XledgerClient) -> None:
    assert (await xledger.call("query { __typename }")).body == {"data": {"__typename": "Query"}}
    xledger.authorization = f"Bearer {xledger.tenant.token}"
    bearer = await xledger.call("query { __typename }")
    xledger.authorization = "token made-up"
    unknown = await xledger.call("query { __typename }")
    assert bearer.message == 'Bad format for API Token. Expected header: "Authorization: token <your-token>"'
    assert (bearer.status, unknown.status, unknown.code) == (200, 200, "UNAUTHENTICATED")


async def test_a_refused_sign_in_is_in_the_ledger_with_what_it_carried(xledger: XledgerClient, reference: str) -> None:
    xledger.authorization = "token made-up"
    await xledger.add(*voucher(reference))
    written = [each for each in await xledger.erp.ledger() if each.reference == reference]
    assert [(each.applied, each.credentials, each.tenant) for each in written] == [(False, "unknown", None)]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("{ accounts { edges { node { nonsense } } } }", "FIELDS_ON_CORRECT_TYPE"),
        ("{ accounts(where: 1) { edges { cursor } } }", "KNOWN_ARGUMENT_NAMES"),
        ('{ accounts(first: "ten") { edges { cursor } } }', "ARGUMENTS_OF_CORRECT_TYPE"),
        ('{ apTransactions(filter: {extIdentifier: "x"}) { edges { cursor } } }', "ARGUMENTS_OF_CORRECT_TYPE"),
        ("{ accounts(first: 10001) { edges { cursor } } }", "INVALID_VALUE"),
        ("{ accounts", "SYNTAX_ERROR"),
    ],
)
async def test_a_wrong_query_is_refused_with_http_200(xledger: XledgerClient, query: str, code: str) -> None:
    reply = await xledger.call(query)
    assert (reply.status, reply.code, reply.body["errors"][0]["extensions"]["code"]) == (200, code, code)


async def test_master_data_can_be_filtered_and_paged(xledger: XledgerClient) -> None:
    assert await xledger.nodes("suppliers", "code", '{code_in: ["10023", "nobody"]}') == [{"code": "10023"}]
    (kind,) = await xledger.nodes("objectKinds", "dbId", '{name: "TAX_RULE"}')
    rules = f'{{objectKindDbId: {kind["dbId"]}, code_in: ["0", "77"]}}'
    assert await xledger.nodes("objectValues", "code", rules) == [{"code": "0"}]
    values = await xledger.nodes("objectValues", "code object { name }", '{code: "10"}')
    assert values == [{"code": "10", "object": {"name": "AVD"}}]
    periods = await xledger.nodes("periodStatusItems", "period { fromDate toDate }", "{}")
    assert periods[0] == {"period": {"fromDate": "2026-01-01", "toDate": "2026-01-31"}}
    page = "{ accounts(first: 2%s) { pageInfo { hasNextPage } edges { cursor node { code } } } }"
    first = (await xledger.call(page % "")).body["data"]["accounts"]
    after = f', after: "{first["edges"][-1]["cursor"]}"'
    second = (await xledger.call(page % after)).body["data"]["accounts"]
    assert first["pageInfo"]["hasNextPage"]
    codes = [edge["node"]["code"] for edge in first["edges"] + second["edges"]]
    assert codes == ["2910", "2930", "7100", "7130"]


async def test_projects_are_synced_as_xledgers_own_sample_does_it(xledger: XledgerClient) -> None:
    fields = (
        "edges { cursor node { dbId code modifiedAt xgl { code } glObject1 { dbId code } } } pageInfo { hasNextPage }"
    )
    since = "query ($after: String, $since: DateTimeString) { projects(first: 10000, after: $after, "
    latest = await xledger.call(
        f"{since}filter: {{ modifiedAt_gte: $since }}) {{ {fields} }} }}", since="2025-01-01T00:00:00", after=None
    )
    codes = [edge["node"]["code"] for edge in latest.body["data"]["projects"]["edges"]]
    assert codes == ["P1", "P2"]


async def test_a_voucher_waits_in_the_import_and_then_becomes_one_document(
    xledger: XledgerClient, reference: str
) -> None:
    await xledger.erp.change_settings(import_delay=3600)
    added = await xledger.add(*voucher(reference))
    wanted = f'{{invoiceNumber: "{reference}"}}'
    staged = await xledger.nodes("glImportItems", "dbId trRegNumber", wanted)
    assert [edge["node"]["dbId"] for edge in added.body["data"]["addGLImportItems"]["edges"]] == [
        each["dbId"] for each in staged
    ]
    assert await xledger.nodes("journalEntries", "dbId", wanted) == []
    await xledger.erp.change_settings(process_imports=True)
    entries = await xledger.nodes("journalEntries", NUMBERS, wanted)
    owed = await xledger.nodes("apTransactions", "extIdentifier amount transactionHeader { transactionNumber }", wanted)
    assert await xledger.nodes("glImportItems", "dbId", wanted) == []
    assert [each["amount"] for each in entries] == ["1250.50", "-1250.50"]
    number = entries[0]["transactionNumber"]
    header = {"transactionNumber": number}
    assert owed == [{"extIdentifier": reference, "amount": "-1250.50", "transactionHeader": header}]


async def test_a_voucher_is_processed_after_its_delay_without_anyone_looking(
    xledger: XledgerClient, reference: str
) -> None:
    before = len(await xledger.erp.ledger())
    await xledger.erp.change_settings(import_delay=0.01)
    await xledger.add(*voucher(reference))
    lines = (await xledger.erp.wait_ledger(before + 2))[before:]
    assert [(each.request, each.applied, each.final) for each in lines] == [
        ("addGLImportItems", True, False),
        ("process_import", True, True),
    ]
    assert (str(lines[1].total), lines[1].vendor, lines[1].credentials) == ("1250.50", "10023", "hlf/token")
    assert [(each.account, each.dimensions) for each in lines[1].lines] == [("7140", (("glObject1", "10"),))]


async def test_the_same_reference_twice_becomes_two_documents(xledger: XledgerClient, reference: str) -> None:
    await xledger.add(*voucher(reference))
    await xledger.add(*voucher(reference))
    await xledger.erp.change_settings(process_imports=True)
    lines = await xledger.erp.ledger()
    assert documents_per_reference(lines)[reference] == 2
    assert deliveries_per_reference(lines)[reference] == 2


async def test_many_vouchers_go_in_one_mutation(xledger: XledgerClient, reference: str) -> None:
    await xledger.add(*voucher(f"{reference}-a", "1"), *voucher(f"{reference}-b", "2"))
    lines = [each for each in await xledger.erp.ledger() if (each.reference or "").startswith(reference)]
    carried = [each for each in lines if each.request == "addGLImportItems"]
    assert [each.reference for each in carried] == [f"{reference}-a", f"{reference}-b"]
    assert carried[0].number == carried[1].number


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "1250.49"},
        {"amount": "1250.505"},
        {"amount": 1250.5},
        {"amount": None},
        {"trRegNumber": "R-1"},
        {"postedDate": "yesterday"},
        {"account": None},
        {"color": "red"},
    ],
)
async def test_a_wrong_voucher_is_refused_whole(
    xledger: XledgerClient, reference: str, changes: dict[str, object]
) -> None:
    reply = await xledger.add(*voucher(f"{reference}-good", "7"), *voucher(reference, "1", **changes))
    assert (reply.status, reply.code) == (200, "INVALID_VALUE")
    await xledger.erp.change_settings(process_imports=True)
    written = {each.reference: each.applied for each in await xledger.erp.ledger()}
    assert (written[reference], written[f"{reference}-good"]) == (False, False)


async def test_a_literal_amount_must_be_a_string(xledger: XledgerClient) -> None:
    reply = await xledger.call("mutation { addGLImportItems(inputs: [{node: {amount: 1.5}}]) { edges { clientId } } }")
    assert reply.code == "ARGUMENTS_OF_CORRECT_TYPE"


async def test_more_than_500_nodes_are_refused(xledger: XledgerClient, reference: str) -> None:
    nodes = [node for number in range(251) for node in voucher(f"{reference}-{number}", str(number))]
    assert (await xledger.add(*nodes)).code == "INVALID_VALUE"
    assert (await xledger.add(*nodes[:500])).status == 200


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"account": {"code": "1"}}, "Account 1 does not exist."),
        ({"postedDate": "2025-12-31"}, "Period is closed for posted date 2025-12-31."),
        ({"taxRule": {"code": "77"}}, "Tax rule 77 does not exist."),
        ({"glObject1": {"code": "99"}}, "Object value 99 does not exist in glObject1."),
        ({"subledger": {"code": "10023"}}, "Account 7140 does not take a subledger."),
    ],
)
async def test_what_the_import_refuses_stays_with_an_error_that_points_at_its_row(
    xledger: XledgerClient, reference: str, changes: dict[str, object], message: str
) -> None:
    added = await xledger.add(*voucher(reference, "1", **changes))
    row = added.body["data"]["addGLImportItems"]["edges"][0]["node"]["dbId"]
    await xledger.erp.change_settings(process_imports=True)
    errors = await xledger.nodes(
        "glImportItemErrors", "message errorLevel { code }", f"{{transactionDbId_in: [{row}]}}"
    )
    assert errors == [{"message": message, "errorLevel": {"code": "ERROR"}}]
    assert len(await xledger.nodes("glImportItems", "dbId", f'{{invoiceNumber: "{reference}"}}')) == 2
    assert not documents_per_reference(await xledger.erp.ledger())[reference]


async def test_a_foreign_voucher_balances_in_both_currencies(xledger: XledgerClient, reference: str) -> None:
    euro: dict[str, object] = {"currency": {"code": "EUR"}, "amount": None}
    debit, credit = voucher(reference)
    await xledger.add({**debit, **euro, "invoiceAmount": "10.00"}, {**credit, **euro, "invoiceAmount": "-10.00"})
    await xledger.erp.change_settings(process_imports=True)
    wanted = f'{{invoiceNumber_in: ["{reference}"]}}'
    entries = await xledger.nodes("journalEntries", "amount invoiceAmount", wanted)
    assert entries[0] == {"amount": "115.00", "invoiceAmount": "10.00"}


async def test_a_mutation_without_variables_is_read_like_one_with(xledger: XledgerClient, reference: str) -> None:
    node = f'{{invoiceNumber: "{reference}", trRegNumber: "1", amount: "1.00"}}'
    text = ADD.replace("($inputs: [AddGLImportItemsInput!]!)", "").replace("$inputs", f"[{{node: {node}}}]")
    assert (await xledger.call(text)).code == "INVALID_VALUE"
    written = [each for each in await xledger.erp.ledger() if each.reference == reference]
    assert [(each.applied, each.note) for each in written] == [(False, "INVALID_VALUE")]
