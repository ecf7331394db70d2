"""The staged import: vouchers wait, then become journal entries, or stay with an error each row is told
of."""

import time
from collections.abc import Callable, Sequence

from deploy.local.sandboxes.ledger import Cargo, CargoLine, Effect
from deploy.local.sandboxes.tenants import XledgerTenant
from deploy.local.sandboxes.xledger.books import Books, ImportNode, StagedItem, Voucher

Report = Callable[[XledgerTenant, Voucher, Effect], None]
"""Told once of every voucher that has been processed."""


class Importer:
    """`delay` is how long a voucher waits, in seconds; processing happens at the next look after it."""

    def __init__(self, tenant: XledgerTenant, report: Report, delay: float) -> None:
        self.tenant = tenant
        self.books = Books()
        self.delay = delay
        self._report = report

    def add(
        self, vouchers: Sequence[Sequence[ImportNode]], request: int, credentials: str
    ) -> list[tuple[StagedItem, ...]]:
        """No reference is refused for being known already: Xledger would post it a second time."""
        staged = [self.books.stage(list(nodes)) for nodes in vouchers]
        due_at = time.monotonic() + self.delay
        for items in staged:
            self.books.waiting.append(Voucher(request, credentials, self._joined(items), due_at))
        return staged

    def _joined(self, items: tuple[StagedItem, ...]) -> tuple[StagedItem, ...]:
        """What waits under one number is one voucher, whichever mutations brought it. A reference that comes twice
        stays two, so that the ledger shows a double payment as what it is."""
        first = items[0].node
        same = next((one for one in self.books.waiting if _is_joined_by(first, one.items[0].node)), None)
        if same is None:
            return items
        self.books.waiting.remove(same)
        return (*same.items, *items)

    def process_due(self) -> None:
        now = time.monotonic()
        self._process([voucher for voucher in self.books.waiting if voucher.due_at <= now])

    def process_all(self) -> None:
        self._process(list(self.books.waiting))

    def _process(self, vouchers: Sequence[Voucher]) -> None:
        for voucher in vouchers:
            self.books.waiting.remove(voucher)
            self._report(self.tenant, voucher, self._settle(voucher))

    def _settle(self, voucher: Voucher) -> Effect:
        wrong = [(item, message) for item in voucher.items for message in faults_of(self.tenant, item.node)]
        for item, message in wrong:
            self.books.refuse(item, message)
        if wrong:
            return Effect(applied=False, note=wrong[0][1])
        return Effect(applied=True, final=True, document=str(self.books.post(voucher)))


def _is_joined_by(node: ImportNode, waiting: ImportNode) -> bool:
    return waiting.tr_reg_number == node.tr_reg_number and waiting.invoice_number != node.invoice_number


def cargo_of(nodes: Sequence[ImportNode]) -> Cargo:
    """The nodes without a subledger are the document's lines, what is owed to the supplier is its total."""
    lines = [node for node in nodes if node.subledger is None]
    return Cargo(
        reference=nodes[0].invoice_number or nodes[0].ext_identifier,
        total=-sum(node.invoice_amount for node in nodes if node.subledger is not None),
        currency=nodes[0].currency,
        vendor=next((node.subledger for node in nodes if node.subledger is not None), None),
        posting_date=nodes[0].posted_date,
        lines=tuple(_line(node) for node in lines),
    )


def _line(node: ImportNode) -> CargoLine:
    return CargoLine(
        account=node.account,
        amount=node.invoice_amount,
        text=node.text,
        tax_code=node.tax_rule,
        dimensions=tuple(
            (f"glObject{slot}", value) for slot, value in enumerate(node.gl_objects, start=1) if value is not None
        ),
    )


def faults_of(tenant: XledgerTenant, node: ImportNode) -> list[str]:
    """One sentence for each thing that keeps the row out of the books."""
    return [*_wrong_codes(tenant, node), *_wrong_subledger(tenant, node), *_wrong_objects(tenant, node)]


def _wrong_codes(tenant: XledgerTenant, node: ImportNode) -> list[str]:
    checks = (
        (node.account in tenant.accounts, f"Account {node.account} does not exist."),
        (
            node.transaction_source in tenant.transaction_sources,
            f"Source {node.transaction_source} does not exist.",
        ),
        (tenant.knows_currency(node.currency), f"Currency {node.currency} does not exist."),
        (
            node.tax_rule is None or node.tax_rule in tenant.tax_codes,
            f"Tax rule {node.tax_rule} does not exist.",
        ),
        (tenant.is_open(node.posted_date), f"Period is closed for posted date {node.posted_date}."),
    )
    return [message for holds, message in checks if not holds]


def _wrong_subledger(tenant: XledgerTenant, node: ImportNode) -> list[str]:
    needs = node.account in tenant.supplier_accounts
    if node.subledger is None:
        return [f"Account {node.account} requires a subledger."] if needs else []
    if not needs:
        return [f"Account {node.account} does not take a subledger."]
    if node.subledger not in tenant.suppliers:
        return [f"Supplier {node.subledger} does not exist."]
    return [f"Supplier {node.subledger} is blocked."] if node.subledger in tenant.blocked_suppliers else []


def _wrong_objects(tenant: XledgerTenant, node: ImportNode) -> list[str]:
    return [
        f"Object value {value} does not exist in glObject{slot + 1}."
        for slot, value in enumerate(node.gl_objects)
        if value is not None and (slot >= len(tenant.dimensions) or value not in tenant.dimensions[slot].values)
    ]
