"""What the one suite needs of each ERP: a sandbox, a connector on it, and the names that differ."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

from connectors import business_central, xledger
from connectors.account_mapping import AccountMapping
from connectors.contract import (
    AccountingConnector,
    ConnectorFactory,
    Environment,
    Finding,
    NotSent,
    Posting,
    Unavailable,
)
from deploy.local.sandboxes.client import Erp, SandboxProcess
from deploy.local.sandboxes.ledger import LedgerLine
from deploy.local.sandboxes.tenants import Dimension, Tenants, sample_tenants
from tests.scene import PATIENCE
from tests.unit.connectors.samples import mapping as sample_mapping
from tests.unit.connectors.samples import posting as sample_posting

FACTORIES: Mapping[Erp, ConnectorFactory] = {
    "xledger": xledger.factory,
    "business_central": business_central.factory,
}
_NUMBERS = count(1)
_MORE_DIMENSIONS = (
    Dimension(code="FORMÅL", values=("A", "B")),
    Dimension(code="BÆRER", values=("1",)),
    Dimension(code="TOM", values=()),
)


@dataclass(frozen=True)
class Account:
    """One organisation's way in."""

    organization: str
    settings: Mapping[str, object]
    credentials: Mapping[str, str]


@dataclass
class Permit:
    valid: bool = True

    def is_valid(self) -> bool:
        return self.valid


@dataclass(frozen=True)
class Bench:
    """`moves_money` is the kind of request that makes the document, `carries` every kind that carries a
    reimbursement."""

    erp: Erp
    sandbox: SandboxProcess
    accounts: Sequence[Account]
    moves_money: str
    carries: frozenset[str]
    slot: str
    """How the ledger names the dimension AVD."""
    opened: list[AccountingConnector] = field(default_factory=list)

    def connect(
        self,
        *,
        account: int = 0,
        credentials: Mapping[str, str] | None = None,
        mapping: AccountMapping | None = None,
        also_allowed: str = "",
        **settings: object,
    ) -> AccountingConnector:
        chosen = self.accounts[account]
        connector = FACTORIES[self.erp].connect(
            {**chosen.settings, **settings},
            credentials or chosen.credentials,
            mapping or sample_mapping(),
            Environment(frozenset({self.sandbox.url.removeprefix("http://"), also_allowed})),
        )
        self.opened.append(connector)
        return connector

    async def close_connectors(self) -> None:
        while self.opened:
            await self.opened.pop().close()

    def posting(self, **changes: Any) -> Posting:
        """Each call is a reimbursement of its own."""
        return sample_posting(f"R-2026-{next(_NUMBERS):06}", **changes)

    async def settle(self) -> None:
        """Xledger's import takes place when we say so; Business Central has none."""
        if self.erp == "xledger":
            await self.sandbox.change_settings(process_imports=True)

    async def lines(self, posting: Posting) -> list[LedgerLine]:
        return [line for line in await self.sandbox.ledger() if line.reference == posting.reference]

    async def documents(self, posting: Posting) -> list[LedgerLine]:
        """The lines by which accounting documents came into being under this reference."""
        await self.settle()
        return [line for line in await self.lines(posting) if line.final]

    async def carried(self) -> int:
        """How many requests that carry a reimbursement have arrived so far."""
        by_kind = await self.sandbox.requests()
        return sum(number for kind, number in by_kind.items() if kind in self.carries)

    async def has_struck(self) -> None:
        """Waits until a request has met the one fault rule: it is applied, where the rule lets it, and not answered."""
        async with asyncio.timeout(PATIENCE):
            while await self.sandbox.struck() != [1]:  # noqa: ASYNC110  # another program's state, which no event tells
                await asyncio.sleep(0.01)

    async def find(self, connector: AccountingConnector, posting: Posting) -> Finding:
        found = await connector.look_up([posting.reference])
        assert not isinstance(found, NotSent | Unavailable)
        return found[posting.reference]


def let_pass(seconds: float) -> None:
    """What is to happen within so many seconds on this event loop is due now, and its clock stays ahead.

    A time-out then strikes the one request that is held, and none that is only slow.
    """
    loop = asyncio.get_running_loop()
    ahead = loop.time() - time.monotonic() + seconds
    loop.time = lambda: time.monotonic() + ahead  # type: ignore[method-assign]  # it is what the loop itself asks


@asynccontextmanager
async def xledger_bench(folder: Path) -> AsyncIterator[Bench]:
    (tenant,) = sample_tenants().xledger
    other = tenant.model_copy(update={"organization": "other", "token": "b3RoZXItdG9rZW4="})
    tenants = Tenants(tenants=(tenant, other))
    async with SandboxProcess("xledger", ledger=folder / "xledger.jsonl", tenants=tenants) as sandbox:
        await sandbox.change_settings(import_delay=3600)
        settings = {
            "base_url": f"{sandbox.url}/graphql",
            "check_after_seconds": 0,
            "requests_per_5_seconds": 100_000,
        }
        accounts = [Account(each.organization, settings, {"token": each.token}) for each in tenants.xledger]
        carries = frozenset({"addGLImportItems"})
        yield Bench("xledger", sandbox, accounts, "addGLImportItems", carries, "glObject1")


@asynccontextmanager
async def business_central_bench(folder: Path) -> AsyncIterator[Bench]:
    (sample,) = sample_tenants().business_central
    tenant = sample.model_copy(
        update={
            "accounts": (*sample.accounts, "7800", "7900"),
            "blocked_accounts": ("7800",),
            "closed_accounts": ("2930", "7900"),
            "default_dimensions": {"7160": {"AVD": "30", "PROSJEKT": "P1"}, "10026": {"AVD": "30"}},
            "dimensions": (*sample.dimensions, *_MORE_DIMENSIONS),
        }
    )
    other = tenant.model_copy(
        update={
            "organization": "other",
            "company_id": UUID(int=2),
            "client_id": "other-client",
            "client_secret": "other-secret",
        }
    )
    tenants = Tenants(tenants=(tenant, other))
    ledger = folder / "business_central.jsonl"
    async with SandboxProcess("business_central", ledger=ledger, tenants=tenants) as sandbox:
        accounts = [
            Account(
                each.organization,
                {
                    "tenant_id": str(each.tenant_id),
                    "environment": each.environment,
                    "company_id": str(each.company_id),
                    "base_url": f"{sandbox.url}/v2.0",
                    "token_url": f"{sandbox.url}/{each.tenant_id}/oauth2/v2.0/token",
                    "requests_per_5_minutes": 1_000_000,
                },
                {"client_id": each.client_id, "client_secret": each.client_secret},
            )
            for each in tenants.business_central
        ]
        carries = frozenset({"create_invoice", "batch", "post_invoice"})
        yield Bench("business_central", sandbox, accounts, "post_invoice", carries, "AVD")


BENCHES = {"xledger": xledger_bench, "business_central": business_central_bench}
