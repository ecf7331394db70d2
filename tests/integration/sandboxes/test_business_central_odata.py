"""How the Business Central sandbox reads OData, and what a `$batch` does."""

from typing import Any

import pytest

from tests.integration.sandboxes.clients import BusinessCentralClient, Reply, line

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def batch(central: BusinessCentralClient, *requests: dict[str, object], isolation: str = "snapshot") -> Reply:
    root = central.company.rpartition("/")[0]
    headers = {"Authorization": f"Bearer {central.token}", "Isolation": isolation}
    async with central.http.post(f"{root}/$batch", json={"requests": list(requests)}, headers=headers) as response:
        return Reply(response.status, await response.json())


def statuses(reply: Reply) -> list[int]:
    return [each["status"] for each in reply.body["responses"]]


def call(central: BusinessCentralClient, method: str, path: str, body: object = None, **more: object) -> dict[str, Any]:
    url = f"companies({central.tenant.company_id})/{path}"
    return {"method": method, "url": url, "headers": {"If-Match": "*"}, "body": body, **more}


async def lines_of(central: BusinessCentralClient, draft: Reply) -> list[dict[str, Any]]:
    expand = "purchaseInvoiceLines($expand=dimensionSetLines)"
    reply = await central.call("GET", f"/purchaseInvoices({draft.body['id']})", expand=expand)
    lines: list[dict[str, Any]] = reply.body["purchaseInvoiceLines"]
    return lines


async def test_a_collection_comes_in_pages_that_name_the_next(central: BusinessCentralClient) -> None:
    await central.erp.change_settings(page_size=8)
    first = await central.call("GET", "/vendors", select="number")
    pages = [first.body]
    while "@odata.nextLink" in pages[-1]:
        headers = {"Authorization": f"Bearer {central.token}"}
        async with central.http.get(pages[-1]["@odata.nextLink"], headers=headers) as response:
            pages.append(await response.json())
    await central.erp.change_settings(page_size=20_000)
    assert [len(page["value"]) for page in pages] == [8, 8, 3]
    assert len({row["number"] for page in pages for row in page["value"]}) == 19


async def test_top_cuts_and_what_is_behind_it_is_no_next_page(central: BusinessCentralClient) -> None:
    reply = await central.call("GET", "/vendors", top="2", skip="1")
    assert [row["number"] for row in reply.body["value"]] == ["10023", "10024"]
    assert "@odata.nextLink" not in reply.body


@pytest.mark.parametrize(
    "query",
    [
        {"filter": "number eq '1' or displayName eq 'x'"},
        {"filter": "numbr eq '1'"},
        {"filter": "contains(number, '1')"},
        {"select": "numbr"},
        {"expand": "purchaseInvoiceLines"},
        {"expand": "dimensionValues("},
        {"top": "x"},
        {"orderby": "number"},
    ],
)
async def test_what_the_real_one_would_not_read_is_refused(
    central: BusinessCentralClient, query: dict[str, str]
) -> None:
    reply = await central.call("GET", "/vendors", json=None, headers=None, **query)
    assert reply.status == 400
    assert "CorrelationId:" in reply.message


async def test_an_accounts_default_dimensions_are_there_first_and_can_only_be_changed(
    central: BusinessCentralClient, reference: str
) -> None:
    draft = await central.draft(reference, purchaseInvoiceLines=[line(5)])
    (drafted,) = await lines_of(central, draft)
    place = f"/purchaseInvoiceLines({drafted['id']})/dimensionSetLines"
    added = await central.call("POST", place, json={"code": "AVD", "valueCode": "10"})
    twice = await central.call("POST", place, json={"code": "AVD", "valueCode": "20"})
    one = f"{place}({added.body['id']})"
    unmatched = await central.call("PATCH", one, json={"valueCode": "20"})
    recoded = await central.call("PATCH", one, json={"code": "PROSJEKT", "valueCode": "P1"}, headers={"If-Match": "*"})
    stale = await central.call("PATCH", one, json={"valueCode": "20"}, headers={"If-Match": 'W/"x"'})
    changed = await central.call("PATCH", one, json={"valueCode": "20"}, headers={"If-Match": "*"})
    assert "already exists" in twice.message
    assert [reply.status for reply in (unmatched, recoded, stale, changed)] == [428, 400, 412, 200]
    (drafted,) = await lines_of(central, draft)
    assert [(each["code"], each["valueCode"]) for each in drafted["dimensionSetLines"]] == [("AVD", "20")]


async def test_a_batch_answers_each_call_under_its_id(central: BusinessCentralClient) -> None:
    reply = await batch(
        central, call(central, "GET", "vendors?$top=1", id="a"), call(central, "GET", "companyInformation", id="b")
    )
    assert [(each["id"], each["status"]) for each in reply.body["responses"]] == [("a", 200), ("b", 200)]
    assert len(reply.body["responses"][0]["body"]["value"]) == 1


@pytest.mark.parametrize(("isolation", "kept"), [("snapshot", 0), ("", 1)])
async def test_a_refused_call_undoes_an_isolated_batch_and_stops_any(
    central: BusinessCentralClient, reference: str, isolation: str, kept: int
) -> None:
    draft = await central.draft(reference, purchaseInvoiceLines=[])
    path = f"purchaseInvoices({draft.body['id']})/purchaseInvoiceLines"
    calls = [call(central, "POST", path, line(cost)) for cost in (1, "text", 3)]
    assert statuses(await batch(central, *calls, isolation=isolation)) == [201, 400]
    assert len(await lines_of(central, draft)) == kept
    written = [each.applied for each in await central.erp.ledger() if each.request == "batch+add_line"][-3:]
    assert written == [bool(kept), False, False]


async def test_a_posting_inside_a_batch_is_not_undone(central: BusinessCentralClient, reference: str) -> None:
    draft = await central.draft(reference)
    path = f"purchaseInvoices({draft.body['id']})/Microsoft.NAV.post"
    reply = await batch(central, call(central, "POST", path), call(central, "POST", path))
    assert statuses(reply) == [204, 400]
    assert [each["status"] for each in await central.find(reference)] == ["Open"]
    finals = [each for each in await central.erp.ledger() if each.reference == reference and each.final]
    assert len(finals) == 1


async def test_a_batch_of_more_than_a_hundred_calls_or_of_another_form_is_refused(
    central: BusinessCentralClient,
) -> None:
    assert (await batch(central, *[call(central, "GET", "companyInformation")] * 101)).status == 400
    root = central.company.rpartition("/")[0]
    headers = {"Authorization": f"Bearer {central.token}"}
    async with central.http.post(f"{root}/$batch", json=["x"], headers=headers) as response:
        assert response.status == 400
