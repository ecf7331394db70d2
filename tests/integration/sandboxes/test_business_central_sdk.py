"""What fylein's Business Central SDK and its users send in production.

Facts: fylein/ms-dynamics-business-central-sdk-py (`dynamics/apis`, `dynamics/core/client.py`) for addresses, headers
and methods, fylein/fyle-ms-business-central-api (`apps/business_central/exports/purchase_invoice/tasks.py`, `utils.py`)
for bodies. Only how one signs in differs: theirs is a person's refresh token.
"""

from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from tests.integration.sandboxes.clients import BusinessCentralClient

pytestmark = pytest.mark.asyncio(loop_scope="module")


class SdkClient:
    """Leaves the tenant out of the path, and names the company inside a batch by a header."""

    def __init__(self, central: BusinessCentralClient) -> None:
        self.central = central
        self.root = f"{central.erp.url}/v2.0/{central.tenant.environment}/api/v2.0"
        self.company_id = str(central.tenant.company_id)
        self.company = f"{self.root}/companies({self.company_id})"
        self.signed = {"Authorization": f"Bearer {central.token}", "Accept": "application/json"}

    async def get(self, path: str) -> Any:
        async with self.central.http.get(self.company + path, headers=self.signed) as response:
            assert response.status == 200
            return (await response.json())["value"]

    async def post(self, path: str, content: Mapping[str, object]) -> Any:
        async with self.central.http.post(self.company + path, headers=self.signed, json=content) as response:
            assert response.status in {200, 201}
            return await response.json()

    async def bulk(self, path: str, contents: list[Mapping[str, object]]) -> list[dict[str, Any]]:
        headers = {"CompanyId": self.company_id, "Content-Type": "application/json", "If-Match": "*"}
        requests = [{"method": "POST", "url": path, "headers": headers, "body": content} for content in contents]
        isolated = {**self.signed, "Isolation": "snapshot"}
        url = f"{self.root}/$batch"
        async with self.central.http.post(url, headers=isolated, json={"requests": requests}) as response:
            assert response.status == 200
            responses: list[dict[str, Any]] = (await response.json())["responses"]
            return responses

    async def upload(self, path: str, media_type: str, content: bytes) -> int:
        headers = {**self.signed, "If-Match": "*", "Content-Type": media_type}
        request = self.central.http.patch(self.company + path, headers=headers, data=content)
        async with request as response:
            return response.status


def line(number: str, **changes: object) -> Mapping[str, object]:
    return {
        "lineType": "Account",
        "lineObjectNumber": "7140",
        "unitCost": 99.5,
        "quantity": 1,
        "description": "Train",
        "description2": number,
        **changes,
    }


async def test_an_invoice_is_made_with_its_lines_in_a_batch_its_dimensions_and_its_receipts(
    central: BusinessCentralClient,
) -> None:
    sdk = SdkClient(central)
    made = await sdk.post(
        "/purchaseInvoices", {"vendorNumber": "10023", "invoiceDate": "2026-11-03", "postingDate": "2026-11-20"}
    )
    responses = await sdk.bulk(f"purchaseInvoices({made['id']})/purchaseInvoiceLines", [line("E/1"), line("E/2")])
    assert [(each["status"], each["body"]["description2"]) for each in responses] == [(201, "E/1"), (201, "E/2")]
    (dimension,) = [each for each in await sdk.get("/dimensions") if each["code"] == "AVD"]
    (value, *_) = await sdk.get(f"/dimensions({dimension['id']})/dimensionValues")
    parent = responses[0]["body"]["id"]
    dimensions = {"id": dimension["id"], "code": "AVD", "parentId": parent, "valueId": value["id"], "valueCode": "10"}
    added = await sdk.post(f"/purchaseInvoiceLines({parent})/dimensionSetLines", dimensions)
    assert (added["code"], added["valueCode"]) == ("AVD", "10")
    receipt = {"parentId": made["id"], "fileName": "1_receipt.pdf", "parentType": "Purchase Invoice"}
    attachment = await sdk.post("/attachments", receipt)
    assert await sdk.upload(f"/attachments({attachment['id']})/attachmentContent", "application/pdf", b"%PDF") == 204
    (kept,) = await sdk.get(f"/attachments?$filter=parentId eq {made['id']}")
    assert (kept["fileName"], kept["byteSize"]) == ("1_receipt.pdf", 4)


async def test_the_schema_of_its_purchase_invoice_is_taken(central: BusinessCentralClient, reference: str) -> None:
    sdk = SdkClient(central)
    (vendor,) = await sdk.get("/vendors?$filter=number eq '10023'")
    made = await sdk.post(
        "/purchaseInvoices", {"invoiceDate": "2026-11-03", "vendorInvoiceNumber": reference, "vendorId": vendor["id"]}
    )
    content = {"sequence": 10000, "lineType": "Account", "lineObjectNumber": "7140", "unitCost": 5.0, "quantity": 2}
    added = await sdk.post(f"/purchaseInvoices({made['id']})/purchaseInvoiceLines", content)
    assert (made["vendorNumber"], added["amountIncludingTax"]) == ("10023", 10)


async def test_its_batches_are_whole_or_not_at_all(central: BusinessCentralClient) -> None:
    sdk = SdkClient(central)
    made = await sdk.post("/purchaseInvoices", {"vendorNumber": "10023", "invoiceDate": "2026-11-03"})
    contents = [line("E/1"), line("E/2", lineObjectNumber="1"), line("E/3")]
    responses = await sdk.bulk(f"purchaseInvoices({made['id']})/purchaseInvoiceLines", contents)
    assert [each["status"] for each in responses] == [201, 400]
    assert responses[1]["body"]["error"]["code"] == "Internal_InvalidTableRelation"
    assert await sdk.get(f"/purchaseInvoices({made['id']})/purchaseInvoiceLines") == []


@pytest.mark.parametrize("unknown", [{"locationId": "c4a0c1de-58f7-4b6f-8c2e-000000000000"}, {"description3": "x"}])
async def test_an_unknown_location_or_property_is_refused_in_a_batch_too(
    central: BusinessCentralClient, unknown: dict[str, object]
) -> None:
    sdk = SdkClient(central)
    made = await sdk.post("/purchaseInvoices", {"vendorNumber": "10023", "invoiceDate": "2026-11-03"})
    (refused,) = await sdk.bulk(f"purchaseInvoices({made['id']})/purchaseInvoiceLines", [line("E/1", **unknown)])
    assert refused["status"] == 400


async def test_another_tenants_token_opens_nothing_where_the_path_names_no_tenant(
    central: BusinessCentralClient, http: aiohttp.ClientSession
) -> None:
    url = SdkClient(central).company
    async with http.get(url, headers={"Authorization": "Bearer made-up"}) as response:
        assert response.status == 401
