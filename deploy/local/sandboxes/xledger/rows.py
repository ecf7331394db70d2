"""Rows of every collection in Xledger's own field names. Times are CET, without an offset, as Xledger gives
them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from deploy.local.sandboxes.faults import Faults
from deploy.local.sandboxes.tenants import Dimension, XledgerTenant
from deploy.local.sandboxes.xledger.books import Books, ImportNode, Numbers, PostedEntry, RefusedItem, StagedItem
from deploy.local.sandboxes.xledger.connections import Row
from deploy.local.sandboxes.xledger.master_data import (
    FIRST_ID,
    MASTER_DATA_SINCE,
    OWNER,
    PROJECTS,
    TAX_RULES,
    object_value,
    period_status,
    project,
)

_CET = ZoneInfo("Europe/Oslo")


class Rows:
    """All rows a company may see now. `faults` hides documents from look-ups while they are blind."""

    def __init__(self, tenant: XledgerTenant, books: Books, faults: Faults) -> None:
        self._tenant = tenant
        self._books = books
        self._faults = faults

    def of(self, collection: str, numbers: Numbers = None) -> Sequence[Row]:
        """All rows, or at least those with one of these invoice numbers."""
        if collection in _BY_NUMBER:
            return _BY_NUMBER[collection](self, numbers)
        return _SOURCES[collection](self)

    def accounts(self) -> Sequence[Row]:
        return [self._account(code) for code in self._tenant.accounts]

    def suppliers(self) -> Sequence[Row]:
        return [
            {**_row("supplier", index, code), "modifiedAt": MASTER_DATA_SINCE}
            for index, code in enumerate(self._tenant.suppliers)
        ]

    def currencies(self) -> Sequence[Row]:
        return [self._currency(code) for code in self._currency_codes()]

    def companies(self) -> Sequence[Row]:
        name = self._tenant.company_name
        return [
            {
                "dbId": OWNER,
                "code": self._tenant.organization,
                "description": name,
                "companyNumber": "000000000",
            }
        ]

    def object_kinds(self) -> Sequence[Row]:
        return [{"dbId": FIRST_ID["kind"] + slot, "name": each.code} for slot, each in enumerate(self._kinds())]

    def object_values(self) -> Sequence[Row]:
        return [
            object_value(slot, index, kind.code, value)
            for slot, kind in enumerate(self._kinds())
            for index, value in enumerate(kind.values)
        ]

    def projects(self) -> Sequence[Row]:
        """Projects are an object kind too."""
        found = next((each for each in self._tenant.dimensions if each.code == PROJECTS), None)
        return [project(index, code) for index, code in enumerate(found.values if found else ())]

    def _kinds(self) -> tuple[Dimension, ...]:
        """The company's dimensions, and what Xledger itself keeps as objects."""
        return (*self._tenant.dimensions, Dimension(code=TAX_RULES, values=tuple(self._tenant.tax_codes)))

    def open_periods(self) -> Sequence[Row]:
        """One row for each open month; closed ones are absent."""
        first, last = self._tenant.open_from, self._tenant.open_to
        months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
        owner = self._tenant.organization
        return [period_status(date(month // 12, month % 12 + 1, 1), first, last, owner) for month in months]

    def import_items(self, numbers: Numbers) -> Sequence[Row]:
        return [
            staged_row(item) for item in self._books.staged(numbers) if not self._hidden(item.node, item.created_at)
        ]

    def import_errors(self) -> Sequence[Row]:
        return [_error_row(each) for each in self._books.errors if not self._hidden(each.item.node, each.created_at)]

    def journal_entries(self, numbers: Numbers) -> Sequence[Row]:
        return [self._journal_entry(entry) for entry in self._visible_entries(numbers)]

    def ap_transactions(self, numbers: Numbers) -> Sequence[Row]:
        owed = (entry for entry in self._visible_entries(numbers) if entry.node.subledger is not None)
        return [self._ap_transaction(entry) for entry in owed]

    def _visible_entries(self, numbers: Numbers) -> list[PostedEntry]:
        return [each for each in self._books.entries(numbers) if not self._hidden(each.node, each.created_at)]

    def _hidden(self, node: ImportNode, since: datetime) -> bool:
        return self._faults.hides(node.invoice_number or node.ext_identifier, since)

    def _journal_entry(self, entry: PostedEntry) -> Row:
        node = entry.node
        return {
            **self._posted(entry),
            "transactionNumber": entry.transaction_number,
            "postedDate": node.posted_date.isoformat(),
            "createdAt": cet(entry.created_at),
            "modifiedAt": cet(entry.created_at),
            "transactonHeaderDbId": entry.header_db_id,
            "fiscalYear": node.posted_date.year,
            "fiscalPeriod": node.posted_date.month,
            "taxRule": None if node.tax_rule is None else self._tax_rule(node.tax_rule),
            "transactionSource": {"code": node.transaction_source},
            **{f"glObject{slot}": _coded(code) for slot, code in enumerate(node.gl_objects, start=1)},
        }

    def _ap_transaction(self, entry: PostedEntry) -> Row:
        """Without a transaction number of its own: that stands in its header."""
        moment = cet(entry.created_at)
        return {
            **self._posted(entry),
            "dbId": entry.db_id + 500_000_000,
            "invoiceRemaining": str(entry.node.invoice_amount),
            "headerCreatedAt": moment,
            "headerModifiedAt": moment,
            "paymentReference": entry.node.payment_reference,
        }

    def _posted(self, entry: PostedEntry) -> Row:
        node = entry.node
        return {
            "dbId": entry.db_id,
            **_worded(node),
            "ownerDbId": OWNER,
            "subledgerDbId": None if node.subledger is None else self._supplier_id(node.subledger),
            "account": self._account(node.account),
            "currency": self._currency(node.currency),
            "transactionHeader": _header(entry),
        }

    def _account(self, code: str) -> Row:
        owed = code in self._tenant.supplier_accounts
        return {
            **self._named("account", self._tenant.accounts, code),
            "modifiedAt": MASTER_DATA_SINCE,
            "posting": True,
            "cost": not owed,
            "liabilities": owed,
            "balanceSheet": owed,
        }

    def _supplier_id(self, code: str) -> int:
        return FIRST_ID["supplier"] + self._tenant.suppliers.index(code)

    def _tax_rule(self, code: str) -> Row:
        return self._named("tax", tuple(self._tenant.tax_codes), code)

    def _currency(self, code: str) -> Row:
        return self._named("currency", self._currency_codes(), code)

    def _currency_codes(self) -> tuple[str, ...]:
        return (self._tenant.company_currency, *self._tenant.exchange_rates)

    def _named(self, table: str, codes: Sequence[str], code: str) -> Row:
        return _row(table, codes.index(code), code)


_SOURCES: Mapping[str, Callable[[Rows], Sequence[Row]]] = {
    "accounts": Rows.accounts,
    "suppliers": Rows.suppliers,
    "currencies": Rows.currencies,
    "companies": Rows.companies,
    "objectKinds": Rows.object_kinds,
    "objectValues": Rows.object_values,
    "projects": Rows.projects,
    "periodStatusItems": Rows.open_periods,
    "glImportItemErrors": Rows.import_errors,
}
_BY_NUMBER: Mapping[str, Callable[[Rows, Numbers], Sequence[Row]]] = {
    "glImportItems": Rows.import_items,
    "journalEntries": Rows.journal_entries,
    "apTransactions": Rows.ap_transactions,
}


def cet(moment: datetime) -> str:
    return moment.astimezone(_CET).replace(tzinfo=None).isoformat(timespec="milliseconds")


def staged_row(item: StagedItem) -> Row:
    moment = cet(item.created_at)
    return {
        "dbId": item.db_id,
        **_worded(item.node),
        "postedDate": item.node.posted_date.isoformat(),
        "createdAt": moment,
        "modifiedAt": moment,
        "ownerDbId": OWNER,
        "trRegNumber": item.node.tr_reg_number,
        "paymentReference": item.node.payment_reference,
    }


def _error_row(error: RefusedItem) -> Row:
    return {
        "dbId": error.db_id,
        "createdAt": cet(error.created_at),
        "ownerDbId": OWNER,
        "errorLevelDbId": 3,
        "transactionDbId": error.item.db_id,
        "message": error.message,
        "errorLevel": {"dbId": 3, "code": "ERROR", "name": "Error"},
    }


def _worded(node: ImportNode) -> Row:
    return {
        "invoiceNumber": node.invoice_number,
        "extIdentifier": node.ext_identifier,
        "text": node.text,
        "amount": _money(node.amount),
        "invoiceAmount": _money(node.invoice_amount),
        "invoiceDate": node.invoice_date.isoformat() if node.invoice_date else None,
        "dueDate": node.due_date.isoformat() if node.due_date else None,
    }


def _header(entry: PostedEntry) -> Row:
    return {
        "dbId": entry.header_db_id,
        "transactionNumber": entry.transaction_number,
        "postedDate": entry.node.posted_date.isoformat(),
        "createdAt": cet(entry.created_at),
        "modifiedAt": cet(entry.created_at),
        "fiscalYear": entry.node.posted_date.year,
        "transactionSource": {"code": entry.node.transaction_source},
    }


def _row(table: str, index: int, code: str) -> Row:
    return {"dbId": FIRST_ID[table] + index, "code": code, "description": f"{table} {code}", "ownerDbId": OWNER}


def _coded(code: str | None) -> Row | None:
    return None if code is None else {"code": code}


def _money(amount: Decimal) -> str:
    return f"{amount:.2f}"
