"""The least a client needs to talk to each sandbox: it hides nothing and decides nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from deploy.local.sandboxes.client import SandboxProcess
from deploy.local.sandboxes.tenants import BusinessCentralTenant, XledgerTenant

SCOPE = "https://api.businesscentral.dynamics.com/.default"


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """Business Central's error code, or that of Xledger's first error."""
        error = self.body["error"] if "error" in self.body else self.body["errors"][0]
        return str(error["code"])

    @property
    def message(self) -> str:
        error = self.body["error"] if "error" in self.body else self.body["errors"][0]
        return str(error["message"])


class BusinessCentralClient:
    def __init__(self, erp: SandboxProcess, http: aiohttp.ClientSession) -> None:
        self.erp = erp
        self.http = http
        self.tenant: BusinessCentralTenant = erp.tenants.business_central[0]
        self.token = ""

    @property
    def company(self) -> str:
        place = f"{self.erp.url}/v2.0/{self.tenant.tenant_id}/{self.tenant.environment}"
        return f"{place}/api/v2.0/companies({self.tenant.company_id})"

    async def ask_token(self, **changes: str) -> Reply:
        form = {
            "grant_type": "client_credentials",
            "client_id": self.tenant.client_id,
            "client_secret": self.tenant.client_secret,
            "scope": SCOPE,
            **changes,
        }
        url = f"{self.erp.url}/{self.tenant.tenant_id}/oauth2/v2.0/token"
        async with self.http.post(url, data=form) as response:
            return Reply(response.status, await response.json())

    async def sign_in(self) -> None:
        self.token = (await self.ask_token()).body["access_token"]

    async def call(
        self, method: str, path: str, *, json: object = None, headers: Mapping[str, str] | None = None, **query: str
    ) -> Reply:
        options = {f"${name}": value for name, value in query.items()}
        sent = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        request = self.http.request(
            method, self.company + path, json=json, params=options, headers=sent, allow_redirects=False
        )
        async with request as response:
            body = await response.json() if response.content_type == "application/json" else await response.text()
            return Reply(response.status, body, response.headers)

    async def draft(self, reference: str, **changes: object) -> Reply:
        return await self.call("POST", "/purchaseInvoices", json=invoice(reference, **changes))

    async def post(self, draft: Reply) -> Reply:
        return await self.call("POST", f"/purchaseInvoices({draft.body['id']})/Microsoft.NAV.post")

    async def find(self, reference: str) -> list[dict[str, Any]]:
        reply = await self.call("GET", "/purchaseInvoices", filter=f"vendorInvoiceNumber eq '{reference}'")
        found: list[dict[str, Any]] = reply.body["value"]
        return found


def invoice(reference: str, **changes: object) -> dict[str, object]:
    lines = [line(1000.5), line(250, lineObjectNumber="7150")]
    return {
        "vendorNumber": "10023",
        "vendorInvoiceNumber": reference,
        "invoiceDate": "2026-11-20",
        "postingDate": "2026-11-20",
        "purchaseInvoiceLines": lines,
        **changes,
    }


def line(cost: object, **changes: object) -> dict[str, object]:
    return {"lineType": "Account", "lineObjectNumber": "7140", "quantity": 1, "unitCost": cost, **changes}


class XledgerClient:
    def __init__(self, erp: SandboxProcess, http: aiohttp.ClientSession) -> None:
        self.erp = erp
        self.http = http
        self.tenant: XledgerTenant = erp.tenants.xledger[0]
        self.authorization = f"token {self.tenant.token}"

    async def call(self, query: str, **variables: object) -> Reply:
        request = self.http.post(
            f"{self.erp.url}/graphql",
            json={"query": query, "variables": variables},
            headers={"Authorization": self.authorization},
            allow_redirects=False,
        )
        async with request as response:
            return Reply(response.status, await response.json())

    async def add(self, *nodes: Mapping[str, object]) -> Reply:
        return await self.call(ADD, inputs=[{"clientId": str(i), "node": node} for i, node in enumerate(nodes)])

    async def nodes(self, collection: str, fields: str, wanted: str) -> list[dict[str, Any]]:
        """`wanted` is the filter as GraphQL text."""
        reply = await self.call(f"{{ {collection}(filter: {wanted}) {{ edges {{ node {{ {fields} }} }} }} }}")
        return [edge["node"] for edge in reply.body["data"][collection]["edges"]]


ADD = """mutation ($inputs: [AddGLImportItemsInput!]!) {
  addGLImportItems(inputs: $inputs) { edges { clientId node { dbId } } } }"""


def voucher(reference: str, number: str = "1", **changes: object) -> list[dict[str, object]]:
    """Travel for 1,250.50, owed to supplier 10023. The changes are the debit node's."""
    shared = {
        "trRegNumber": number,
        "postedDate": "2026-11-20",
        "transactionSource": {"code": "AP"},
        "invoiceNumber": reference,
        "extIdentifier": reference,
        "currency": {"code": "NOK"},
    }
    debit = {"account": {"code": "7140"}, "amount": "1250.50", "glObject1": {"code": "10"}, **changes}
    credit = {"account": {"code": "2930"}, "subledger": {"code": "10023"}, "amount": "-1250.50"}
    return [{**shared, **debit}, {**shared, **credit}]
