import pytest

from tests.integration.sandboxes.clients import BusinessCentralClient, Reply, line

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOWHERE = "00000000-0000-0000-0000-000000000001"


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"scope": "openid"}, 400, "invalid_scope"),
        ({"client_id": NOWHERE}, 400, "unauthorized_client"),
        ({"client_secret": "other"}, 401, "invalid_client"),
    ],
)
async def test_the_token_endpoint_refuses_as_documented(
    central: BusinessCentralClient, changes: dict[str, str], status: int, error: str
) -> None:
    reply = await central.ask_token(**changes)
    assert (reply.status, reply.body["error"]) == (status, error)
    assert reply.body["error_description"].startswith("AADSTS")


async def test_a_token_says_how_long_it_lasts_and_ends_then(central: BusinessCentralClient) -> None:
    await central.erp.change_settings(token_seconds=0)
    reply = await central.ask_token()
    central.token = reply.body["access_token"]
    refused = await central.call("GET", "")
    await central.erp.change_settings(token_seconds=3599)
    assert reply.body["expires_in"] == 0
    assert (refused.status, refused.code) == (401, "Authentication_InvalidCredentials")


async def test_without_a_token_nothing_is_answered(central: BusinessCentralClient, reference: str) -> None:
    central.token = "made-up"
    reply = await central.draft(reference)
    assert (reply.status, reply.code) == (401, "Authentication_InvalidCredentials")
    written = [each for each in await central.erp.ledger() if each.reference == reference]
    assert [(each.applied, each.credentials) for each in written] == [(False, "none")]


async def test_the_company_and_its_tables_can_be_read(central: BusinessCentralClient) -> None:
    company = await central.call("GET", "")
    vendors = await central.call(
        "GET", "/vendors", filter="number eq 'V10023' or number eq '10024'", select="number,blocked"
    )
    setup = await central.call("GET", "/generalLedgerSetup")
    dimensions = await central.call("GET", "/dimensions", filter="code eq 'AVD'", expand="dimensionValues")
    assert company.body["id"] == str(central.tenant.company_id)
    assert vendors.body["value"] == [{"number": "V10023", "blocked": " "}, {"number": "10024", "blocked": " "}]
    assert setup.body["value"][0]["allowPostingFrom"] == "2026-01-01"
    assert [each["code"] for each in dimensions.body["value"][0]["dimensionValues"]] == ["10", "20", "30"]
    assert (await central.call("GET", "/accounts", top="1")).body["value"][0]["number"] == "2910"
    assert (await central.call("GET", "/taxGroups")).status == 200


async def test_an_unescaped_quote_in_a_filter_is_refused_and_a_doubled_one_is_text(
    central: BusinessCentralClient,
) -> None:
    escaped = await central.call("GET", "/vendors", filter="number eq 'O''Hara'")
    injected = await central.call("GET", "/vendors", filter="number eq 'x' or 'a' eq 'a'")
    broken = await central.call("GET", "/vendors", filter="number eq 'O'Hara'")
    assert (escaped.status, escaped.body["value"]) == (200, [])
    assert (injected.status, broken.status) == (400, 400)


async def test_an_unknown_company_path_or_method_is_refused(central: BusinessCentralClient) -> None:
    assert (await central.call("GET", f"/purchaseInvoices({NOWHERE})")).code == "Internal_RecordNotFound"
    assert (await central.call("GET", "/salesInvoices")).code == "BadRequest_ResourceNotFound"
    assert (await central.call("PUT", "/purchaseInvoices")).status == 405


async def test_a_draft_is_made_with_its_lines_and_posted_once(central: BusinessCentralClient, reference: str) -> None:
    draft = await central.draft(reference)
    assert (draft.status, draft.body["status"], draft.body["totalAmountIncludingTax"]) == (201, "Draft", 1250.5)
    posted = await central.post(draft)
    assert (posted.status, posted.body) == (204, "")
    found = await central.find(reference)
    assert [each["status"] for each in found] == ["Open"]
    assert found[0]["currencyCode"] == "NOK"
    assert found[0]["number"] != draft.body["number"]
    assert (await central.post(draft)).status == 400


async def test_the_ledger_tells_who_posted_what(central: BusinessCentralClient, reference: str) -> None:
    await central.post(await central.draft(reference, purchaseInvoiceLines=[line(12.3, description="Train")]))
    draft, document = [each for each in await central.erp.ledger() if each.reference == reference]
    assert (draft.request, draft.applied, draft.final) == ("create_invoice", True, False)
    assert (document.request, document.applied, document.final) == ("post_invoice", True, True)
    assert (document.tenant, document.credentials) == ("blindeforbundet", central.tenant.client_id)
    assert (str(document.total), document.currency, document.vendor) == ("12.30", "NOK", "10023")
    assert [(each.account, each.text) for each in document.lines] == [("7140", "Train")]
    assert str(document.posting_date) == "2026-11-20"
    assert document in central.erp.ledger_on_disk()


async def test_tax_of_a_line_comes_on_top(central: BusinessCentralClient, reference: str) -> None:
    draft = await central.draft(reference, purchaseInvoiceLines=[line(100, taxCode="1")])
    assert draft.body["totalAmountIncludingTax"] == 125


async def test_tax_of_a_line_is_inside_a_price_that_includes_it(central: BusinessCentralClient, reference: str) -> None:
    draft = await central.draft(reference, pricesIncludeTax=True, purchaseInvoiceLines=[line(125, taxCode="1")])
    assert draft.body["totalAmountIncludingTax"] == 125
    assert draft.body["totalAmountExcludingTax"] == 100


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"reimbursementId": "x"}, "BadRequest"),
        ({"vendorInvoiceNumber": "R" * 36}, "Application_StringExceededLength"),
        ({"vendorNumber": "99999"}, "Internal_InvalidTableRelation"),
        ({"vendorNumber": "10040"}, "Application_DialogException"),
        ({"currencyCode": "XYZ"}, "Internal_InvalidTableRelation"),
        ({"postingDate": "2026-11-20T00:00:00Z"}, "BadRequest"),
        ({"shortcutDimension1Code": "99"}, "Internal_InvalidTableRelation"),
        ({"purchaseInvoiceLines": [line("10.00")]}, "BadRequest"),
        ({"purchaseInvoiceLines": [line(10, lineObjectNumber="1")]}, "Internal_InvalidTableRelation"),
        ({"purchaseInvoiceLines": [line(10, lineType="Item")]}, "BadRequest"),
        ({"purchaseInvoiceLines": [line(10, description="x" * 101)]}, "Application_StringExceededLength"),
        ({"purchaseInvoiceLines": [line(10, description="\U0001f686" * 51)]}, "Application_StringExceededLength"),
        ({"purchaseInvoiceLines": [line(10, taxCode="77")]}, "Internal_InvalidTableRelation"),
    ],
)
async def test_a_wrong_draft_is_refused_and_leaves_nothing(
    central: BusinessCentralClient, reference: str, changes: dict[str, object], code: str
) -> None:
    reply = await central.draft(reference, **changes)
    assert (reply.status, reply.code) == (400, code)
    assert "CorrelationId:" in reply.message
    assert await central.find(reference) == []


async def test_two_drafts_may_share_a_number_but_only_one_is_posted(
    central: BusinessCentralClient, reference: str
) -> None:
    first, second = await central.draft(reference), await central.draft(reference)
    assert (await central.post(first)).status == 204
    refused = await central.post(second)
    late = await central.draft(reference)
    for reply in (refused, late):
        assert (reply.status, reply.code) == (400, "Application_DialogException")
        assert "already exists for this vendor." in reply.message
    assert (await central.draft(reference, vendorNumber="10024")).status == 201


async def test_a_closed_period_refuses_the_posting_and_not_the_draft(
    central: BusinessCentralClient, reference: str
) -> None:
    draft = await central.draft(reference, postingDate="2025-12-31")
    refused = await central.post(draft)
    assert (draft.status, refused.status) == (201, 400)
    assert "is not within your range of allowed posting dates" in refused.message
    assert [each["status"] for each in await central.find(reference)] == ["Draft"]


async def _delete(central: BusinessCentralClient, draft: Reply, tag: str | None) -> Reply:
    headers = {} if tag is None else {"If-Match": tag}
    return await central.call("DELETE", f"/purchaseInvoices({draft.body['id']})", headers=headers)


async def test_a_draft_is_deleted_only_under_its_own_etag(central: BusinessCentralClient, reference: str) -> None:
    draft = await central.draft(reference)
    assert (await _delete(central, draft, None)).status == 428
    assert (await _delete(central, draft, 'W/"other"')).status == 412
    assert (await _delete(central, draft, draft.body["@odata.etag"])).status == 204
    assert await central.find(reference) == []


async def test_a_posted_invoice_is_neither_changed_nor_deleted(central: BusinessCentralClient, reference: str) -> None:
    draft = await central.draft(reference)
    await central.post(draft)
    place = f"/purchaseInvoices({draft.body['id']})"
    patched = await central.call("PATCH", place, json={"dueDate": "2026-12-24"}, headers={"If-Match": "*"})
    assert (patched.status, (await _delete(central, draft, "*")).status) == (400, 400)


async def test_a_patch_changes_the_draft_and_its_etag(central: BusinessCentralClient, reference: str) -> None:
    draft = await central.draft(reference)
    place = f"/purchaseInvoices({draft.body['id']})"
    patched = await central.call("PATCH", place, json={"dueDate": "2026-12-24"}, headers={"If-Match": "*"})
    assert (patched.status, patched.body["dueDate"]) == (200, "2026-12-24")
    assert patched.body["@odata.etag"] != draft.body["@odata.etag"]


async def test_lines_and_their_dimensions_can_be_added_one_by_one(
    central: BusinessCentralClient, reference: str
) -> None:
    draft = await central.draft(reference, purchaseInvoiceLines=[])
    added = await central.call("POST", f"/purchaseInvoices({draft.body['id']})/purchaseInvoiceLines", json=line(5))
    place = f"/purchaseInvoiceLines({added.body['id']})/dimensionSetLines"
    kept = await central.call("POST", place, json={"code": "AVD", "valueCode": "10"})
    unknown = await central.call("POST", place, json={"code": "AVD", "valueCode": "11"})
    assert (added.status, kept.status, unknown.code) == (201, 201, "Internal_InvalidTableRelation")
    kept = await central.call("GET", place, select="code,valueCode")
    assert [(each["code"], each["valueCode"]) for each in kept.body["value"]] == [("AVD", "10")]


async def test_dimensions_come_with_the_lines_and_are_in_the_ledger(
    central: BusinessCentralClient, reference: str
) -> None:
    lines = [line(5, dimensionSetLines=[{"code": "AVD", "valueCode": "20"}])]
    draft = await central.draft(reference, purchaseInvoiceLines=lines)
    read = await central.call("GET", f"/purchaseInvoices({draft.body['id']})", expand="purchaseInvoiceLines")
    assert read.body["purchaseInvoiceLines"][0]["amountIncludingTax"] == 5
    written = next(each for each in await central.erp.ledger() if each.reference == reference)
    assert written.lines[0].dimensions == (("AVD", "20"),)


async def test_an_empty_invoice_cannot_be_posted(central: BusinessCentralClient, reference: str) -> None:
    refused = await central.post(await central.draft(reference, purchaseInvoiceLines=[]))
    assert "nothing to post" in refused.message
