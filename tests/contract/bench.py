"""What the one suite needs of each adapter: a sandbox or a folder, a connector on it, and the names that differ."""

import asyncio
import json
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

from connectors import business_central, file, xledger
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
from connectors.file.documents import document_name
from connectors.file.folder import DOCUMENTS
from deploy.local.sandboxes.client import SandboxProcess
from deploy.local.sandboxes.faults import Action, FaultRule
from deploy.local.sandboxes.ledger import LedgerLine
from deploy.local.sandboxes.tenants import Dimension, Tenants, sample_tenants
from tests.scene import PATIENCE
from tests.unit.connectors.samples import mapping as sample_mapping
from tests.unit.connectors.samples import posting as sample_posting

FACTORIES: Mapping[str, ConnectorFactory] = {
    "xledger": xledger.factory,
    "business_central": business_central.factory,
    "file": file.factory,
}
_NUMBERS = count(1)
_MORE_DIMENSIONS = (
    Dimension(code="FORMÅL", values=("A", "B")),
    Dimension(code="BÆRER", values=("1",)),
    Dimension(code="TOM", values=()),
)


@dataclass(frozen=True)
class Account:
    """One organisation's way in. `named` is how the ledger names its credentials."""

    organization: str
    settings: Mapping[str, object]
    credentials: Mapping[str, str]
    named: str = ""


@dataclass
class Permit:
    valid: bool = True

    def is_valid(self) -> bool:
        return self.valid


@dataclass(frozen=True)
class Bench(ABC):
    """What the suite needs of every adapter. `slot` is how the ledger names the dimension AVD."""

    kind: str
    accounts: Sequence[Account]
    slot: str
    opened: list[AccountingConnector] = field(default_factory=list, kw_only=True)

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
        connector = FACTORIES[self.kind].connect(
            {**chosen.settings, **settings},
            credentials or chosen.credentials,
            mapping or sample_mapping(),
            Environment(frozenset({self.host, also_allowed})),
        )
        self.opened.append(connector)
        return connector

    async def close_connectors(self) -> None:
        while self.opened:
            await self.opened.pop().close()

    def posting(self, **changes: Any) -> Posting:
        """Each call is a reimbursement of its own."""
        return sample_posting(f"R-2026-{next(_NUMBERS):06}", **changes)

    async def find(self, connector: AccountingConnector, posting: Posting) -> Finding:
        found = await connector.look_up([posting])
        assert not isinstance(found, NotSent | Unavailable)
        return found[posting.reference]

    @property
    @abstractmethod
    def host(self) -> str:
        """Where requests go; empty where none do."""

    @abstractmethod
    def as_kept(self, text: str) -> str:
        """A text that is not too long, as it is kept."""

    @abstractmethod
    async def settle(self) -> None:
        """What was taken into an import is booked now."""

    @abstractmethod
    async def documents(self, posting: Posting) -> list[LedgerLine]:
        """The lines by which accounting documents came into being under this reference."""

    @abstractmethod
    async def carried(self) -> int:
        """How many reimbursements have arrived so far, whatever became of them."""

    @abstractmethod
    async def refuse(self, reference: str, status: int, message: str) -> None:
        """Whatever is asked or sent under the reference fails from now on, and says so in these words."""

    @abstractmethod
    async def work_again(self) -> None:
        """Nothing fails any more."""


@dataclass(frozen=True)
class SandboxBench(Bench):
    """`moves_money` is the kind of request that makes the document, `carries` every kind that carries a
    reimbursement."""

    sandbox: SandboxProcess
    moves_money: str
    carries: frozenset[str]

    @property
    def host(self) -> str:
        return self.sandbox.url.removeprefix("http://")

    def as_kept(self, text: str) -> str:
        return " ".join(text.split())

    async def settle(self) -> None:
        """Xledger's import takes place when we say so; Business Central has none."""
        if self.kind == "xledger":
            await self.sandbox.change_settings(process_imports=True)

    async def lines(self, posting: Posting) -> list[LedgerLine]:
        return [line for line in await self.sandbox.ledger() if line.reference == posting.reference]

    async def documents(self, posting: Posting) -> list[LedgerLine]:
        await self.settle()
        return [line for line in await self.lines(posting) if line.final]

    async def carried(self) -> int:
        by_kind = await self.sandbox.requests()
        return sum(number for kind, number in by_kind.items() if kind in self.carries)

    async def has_struck(self) -> None:
        """Waits until a request has met the one fault rule: it is applied, where the rule lets it, and not answered."""
        async with asyncio.timeout(PATIENCE):
            while await self.sandbox.struck() != [1]:  # noqa: ASYNC110  # another program's state, which no event tells
                await asyncio.sleep(0.01)

    async def until_found(self, connector: AccountingConnector, posting: Posting, kind: type[Finding]) -> None:
        """Waits until look-ups see it so: what was lately applied they may see only a while later."""
        async with asyncio.timeout(PATIENCE):
            while not isinstance(await self.find(connector, posting), kind):  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.01)

    async def refuse(self, reference: str, status: int, message: str) -> None:  # noqa: ARG002  # all is refused
        await self.sandbox.set_faults(FaultRule(action=Action.REFUSE_BEFORE, status=status, message=message))

    async def work_again(self) -> None:
        await self.sandbox.set_faults()


@dataclass(frozen=True)
class FileBench(Bench):
    """A folder for each organisation; `spoilt` are the documents in them that are not ours."""

    spoilt: list[Path] = field(default_factory=list, kw_only=True)

    @property
    def host(self) -> str:
        return ""

    def as_kept(self, text: str) -> str:
        return text

    async def settle(self) -> None:
        """A document that is there is booked."""

    async def documents(self, posting: Posting) -> list[LedgerLine]:
        return [
            _line_of(account, json.loads(path.read_bytes()))
            for account in self.accounts
            for path in _documents_of(account)
            if path.name == document_name(posting.reference)
        ]

    async def carried(self) -> int:
        return sum(len(_documents_of(account)) for account in self.accounts)

    async def refuse(self, reference: str, status: int, message: str) -> None:
        """Somebody else's file has the name."""
        for account in self.accounts:
            path = _folder_of(account) / document_name(reference)
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"{status} {message}", encoding="utf-8")
            self.spoilt.append(path)

    async def work_again(self) -> None:
        while self.spoilt:
            self.spoilt.pop().unlink()


def _folder_of(account: Account) -> Path:
    return Path(str(account.settings["folder"])) / DOCUMENTS


def _documents_of(account: Account) -> list[Path]:
    return sorted(_folder_of(account).glob("*.json"))


def _line_of(account: Account, content: Mapping[str, Any]) -> LedgerLine:
    """The document as a sandbox's ledger would tell of it."""
    now = datetime.now(UTC)
    return LedgerLine(
        at=now,
        arrived_at=now,
        number=0,
        tenant=account.organization,
        credentials=account.named,
        request="document",
        reference=content["reference"],
        applied=True,
        final=True,
        document=content["reference"],
        total=content["total"],
        currency=content["currency"],
        vendor=content["claimant"],
        posting_date=content["posting_date"],
        lines=[{**line, "dimensions": tuple(line["dimensions"].items())} for line in content["lines"]],
        note=None,
    )


def let_pass(seconds: float) -> None:
    """What is to happen within so many seconds on this event loop is due now, and its clock stays ahead.

    A time-out then strikes the one request that is held, and none that is only slow.
    """
    loop = asyncio.get_running_loop()
    ahead = loop.time() - time.monotonic() + seconds
    loop.time = lambda: time.monotonic() + ahead  # type: ignore[method-assign]  # it is what the loop itself asks


@asynccontextmanager
async def xledger_bench(folder: Path) -> AsyncIterator[SandboxBench]:
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
        accounts = [
            Account(each.organization, settings, {"token": each.token}, f"{each.organization}/token")
            for each in tenants.xledger
        ]
        carries = frozenset({"addGLImportItems"})
        yield SandboxBench("xledger", accounts, "glObject1", sandbox, "addGLImportItems", carries)


@asynccontextmanager
async def business_central_bench(folder: Path) -> AsyncIterator[SandboxBench]:
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
                each.client_id,
            )
            for each in tenants.business_central
        ]
        carries = frozenset({"create_invoice", "batch", "post_invoice"})
        yield SandboxBench("business_central", accounts, "AVD", sandbox, "post_invoice", carries)


@asynccontextmanager
async def file_bench(folder: Path) -> AsyncIterator[FileBench]:
    accounts = [Account(name, {"folder": str(folder / name)}, {}) for name in ("hlf", "other")]
    for account in accounts:
        (folder / account.organization).mkdir()
    yield FileBench("file", accounts, "AVD")


SANDBOX_BENCHES = {"xledger": xledger_bench, "business_central": business_central_bench}
