"""One company's books at Xledger: what waits in the import, what it refused, and what was posted.

Field names are those recorded by grasp-labs/ds-provider-xledger-py-lib. `dbId`s are unique over all tables.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import count
from typing import Generic, TypeVar

Numbers = Collection[str] | None
"""The invoice numbers that are asked for; None: all."""


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


Row = TypeVar("Row", StagedItem, PostedEntry)


@dataclass(slots=True)
class Shelf(Generic[Row]):
    """Rows in their order, found by their invoice number without reading all of them."""

    _by_number: dict[str, dict[int, Row]] = field(default_factory=dict)

    def put(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._by_number.setdefault(row.node.invoice_number, {})[row.db_id] = row

    def take(self, rows: Iterable[Row]) -> None:
        for row in rows:
            self._by_number[row.node.invoice_number].pop(row.db_id)

    def under(self, numbers: Numbers) -> list[Row]:
        wanted = self._by_number if numbers is None else dict.fromkeys(numbers)
        return [row for number in wanted for row in self._by_number.get(number, {}).values()]


@dataclass(slots=True)
class Books:
    """`waiting` is processed when its time comes; refused vouchers stay staged, as in Xledger's import screen."""

    waiting: list[Voucher] = field(default_factory=list)
    errors: list[RefusedItem] = field(default_factory=list)
    _staged: Shelf[StagedItem] = field(default_factory=Shelf)
    _entries: Shelf[PostedEntry] = field(default_factory=Shelf)
    _db_ids: Iterator[int] = field(default_factory=lambda: count(40_000_001))
    _transactions: Iterator[int] = field(default_factory=lambda: count(20_260_001))

    def staged(self, numbers: Numbers) -> list[StagedItem]:
        return self._staged.under(numbers)

    def entries(self, numbers: Numbers) -> list[PostedEntry]:
        return self._entries.under(numbers)

    def stage(self, nodes: list[ImportNode]) -> tuple[StagedItem, ...]:
        now = datetime.now(UTC)
        items = tuple(StagedItem(next(self._db_ids), node, now) for node in nodes)
        self._staged.put(items)
        return items

    def refuse(self, item: StagedItem, message: str) -> None:
        self.errors.append(RefusedItem(next(self._db_ids), item, message, datetime.now(UTC)))

    def post(self, voucher: Voucher) -> int:
        """The voucher's transaction number. It leaves the import."""
        number, header, now = next(self._transactions), next(self._db_ids), datetime.now(UTC)
        self._staged.take(voucher.items)
        self._entries.put(PostedEntry(next(self._db_ids), header, number, item.node, now) for item in voucher.items)
        return number
