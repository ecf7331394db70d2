"""One company's books at Xledger: what waits in the import, what it refused, and what was posted.

Field names are those recorded by grasp-labs/ds-provider-xledger-py-lib. `dbId`s are unique over all tables.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count


@dataclass(frozen=True, slots=True)
class ImportNode:
    """One row of a voucher as the mutation carries it. Amounts below zero are credits; `amount` is in the
    company's currency."""

    client_id: str | None
    tr_reg_number: int
    posted_date: date
    invoice_date: date | None
    due_date: date | None
    transaction_source: str
    amount: Decimal
    invoice_amount: Decimal
    currency: str
    text: str
    invoice_number: str
    ext_identifier: str
    account: str
    subledger: str | None
    tax_rule: str | None
    payment_reference: str | None
    gl_objects: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class StagedItem:
    db_id: int
    node: ImportNode
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Voucher:
    """The nodes of one mutation that share a `trRegNumber`. `request` is the number of the request that
    carried it."""

    request: int
    credentials: str
    items: tuple[StagedItem, ...]
    due_at: float

    @property
    def reference(self) -> str:
        return self.items[0].node.invoice_number or self.items[0].node.ext_identifier


@dataclass(frozen=True, slots=True)
class RefusedItem:
    """`item` is the `glImportItems` row it is about: the only thread back to the voucher."""

    db_id: int
    item: StagedItem
    message: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class PostedEntry:
    db_id: int
    header_db_id: int
    transaction_number: int
    node: ImportNode
    created_at: datetime


@dataclass(slots=True)
class Books:
    """`waiting` is processed when its time comes; refused vouchers stay in `staged`, as in Xledger's import
    screen."""

    waiting: list[Voucher] = field(default_factory=list)
    staged: list[StagedItem] = field(default_factory=list)
    errors: list[RefusedItem] = field(default_factory=list)
    entries: list[PostedEntry] = field(default_factory=list)
    _db_ids: Iterator[int] = field(default_factory=lambda: count(40_000_001))
    _transactions: Iterator[int] = field(default_factory=lambda: count(20_260_001))

    def stage(self, nodes: list[ImportNode]) -> tuple[StagedItem, ...]:
        now = datetime.now(UTC)
        items = tuple(StagedItem(next(self._db_ids), node, now) for node in nodes)
        self.staged.extend(items)
        return items

    def refuse(self, item: StagedItem, message: str) -> None:
        self.errors.append(RefusedItem(next(self._db_ids), item, message, datetime.now(UTC)))

    def post(self, voucher: Voucher) -> int:
        """The voucher's transaction number. It leaves the import."""
        number, header, now = next(self._transactions), next(self._db_ids), datetime.now(UTC)
        gone = {item.db_id for item in voucher.items}
        self.staged = [item for item in self.staged if item.db_id not in gone]
        self.entries += [PostedEntry(next(self._db_ids), header, number, item.node, now) for item in voucher.items]
        return number
