"""What really happened at the ERP, whatever the client saw: an append-only file of JSON lines, flushed line
by line.

One line for each document in each request that carries or posts one, applied or not, and for each voucher an
import turned into a document. `final` marks the lines by which an accounting document came into being: a
reference with two of them was paid twice.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TextIO

from pydantic import BaseModel, ConfigDict

from deploy.local.sandboxes.punctuality import Arrival
from deploy.local.sandboxes.signals import Gauge


class CargoLine(BaseModel):
    """One line of a document as the request states it. `amount` is in the document's currency."""

    model_config = ConfigDict(frozen=True)

    account: str | None = None
    amount: Decimal | None = None
    text: str | None = None
    tax_code: str | None = None
    dimensions: tuple[tuple[str, str], ...] = ()


class Cargo(BaseModel):
    """A document as a request carries it, read leniently: a refused request is told of as well."""

    model_config = ConfigDict(frozen=True)

    reference: str | None = None
    total: Decimal | None = None
    currency: str | None = None
    vendor: str | None = None
    posting_date: date | None = None
    lines: tuple[CargoLine, ...] = ()


class Effect(BaseModel):
    """What became of one cargo. `final`: an accounting document exists because of it. `note` says why not."""

    model_config = ConfigDict(frozen=True)

    applied: bool
    final: bool = False
    document: str | None = None
    note: str | None = None


class LedgerLine(BaseModel):
    """`at` is UTC, when it was written; `arrived_at` is when its request was seen: long before, where it was held or
    applied late. It came up to `lag` seconds before that, where the sandbox was busy. `number` is the request's, the
    same for all documents of one request; `credentials` names whose were used."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    arrived_at: datetime
    lag: float = 0.0
    number: int
    tenant: str | None
    credentials: str
    request: str
    reference: str | None
    applied: bool
    final: bool
    document: str | None
    total: Decimal | None
    currency: str | None
    vendor: str | None
    posting_date: date | None
    lines: tuple[CargoLine, ...]
    note: str | None


class Ledger:
    """Opened for appending, so that a restarted sandbox goes on in the same file."""

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("a", encoding="utf-8")
        self.lines: list[LedgerLine] = []
        self.length = Gauge()

    def write(
        self,
        *,
        number: int,
        arrival: Arrival,
        tenant: str | None,
        credentials: str,
        request: str,
        cargo: Cargo,
        effect: Effect,
    ) -> None:
        line = LedgerLine(
            at=datetime.now(UTC),
            arrived_at=arrival.at,
            lag=arrival.lag,
            number=number,
            tenant=tenant,
            credentials=credentials,
            request=request,
            **dict(cargo),
            **dict(effect),
        )
        self._file.write(line.model_dump_json() + "\n")
        self._file.flush()
        self.lines.append(line)
        self.length.add(1)

    def close(self) -> None:
        self._file.close()


def read_ledger(path: Path) -> list[LedgerLine]:
    """A last line cut off by a crash raises `pydantic.ValidationError`."""
    return [LedgerLine.model_validate_json(line) for line in path.read_text("utf-8").splitlines()]


def documents_per_reference(lines: Iterable[LedgerLine]) -> Counter[str]:
    """Reference → accounting documents that came into being. Promise P2 holds while none is above 1."""
    return Counter(line.reference for line in lines if line.final and line.reference is not None)


def deliveries_per_reference(lines: Iterable[LedgerLine]) -> Counter[str]:
    """Reference → how often the ERP took it in: drafts made at Business Central, imports at Xledger."""
    return Counter(
        line.reference for line in lines if line.applied and line.request in _TAKING_IN and line.reference is not None
    )


_TAKING_IN = frozenset({"create_invoice", "addGLImportItems"})
