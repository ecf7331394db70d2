"""Rows of every collection in Xledger's own field names. Times are CET, without an offset, as Xledger gives
them."""

from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from deploy.local.sandboxes.faults import Faults
from deploy.local.sandboxes.tenants import XledgerTenant
from deploy.local.sandboxes.xledger.books import Books, ImportNode, Numbers, PostedEntry, RefusedItem, StagedItem
from deploy.local.sandboxes.xledger.connections import Row

_CET = ZoneInfo("Europe/Oslo")
_OWNER = 1_000_001
_MASTER_DATA_SINCE = "2026-01-01T00:00:00"
_FIRST_ID = {
    "account": 2_000_000,
    "supplier": 3_000_000,
    "tax": 4_000_000,
    "currency": 5_000_000,
    "kind": 6_000_000,
    "object": 7_000_000,
    "period": 8_000_000,
}


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
            {**self._named("supplier", self._tenant.suppliers, code), "modifiedAt": _MASTER_DATA_SINCE}
            for code in self._tenant.suppliers
        ]

    def tax_rules(self) -> Sequence[Row]:
        return [self._named("tax", tuple(self._tenant.tax_codes), code) for code in self._tenant.tax_codes]

    def currencies(self) -> Sequence[Row]:
        return [self._currency(code) for code in self._currency_codes()]

    def companies(self) -> Sequence[Row]:
        name = self._tenant.company_name
        return [
            {
                "dbId": _OWNER,
                "code": self._tenant.organization,
                "description": name,
                "companyNumber": "000000000",
            }
        ]

    def object_kinds(self) -> Sequence[Row]:
        return [
            {"dbId": _FIRST_ID["kind"] + slot, "name": each.code} for slot, each in enumerate(self._tenant.dimensions)
        ]

    def object_values(self) -> Sequence[Row]:
        return [
            self._object_value(slot, index, value)
            for slot, dimension in enumerate(self._tenant.dimensions)
            for index, value in enumerate(dimension.values)
        ]

    def open_periods(self) -> Sequence[Row]:
        """One row for each open month; closed ones are absent."""
        first, last = self._tenant.open_from, self._tenant.open_to
        months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
        return [_period_status(date(month // 12, month % 12 + 1, 1), first, last) for month in months]

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
            "ownerDbId": _OWNER,
            "subledgerDbId": None if node.subledger is None else self._supplier_id(node.subledger),
            "account": self._account(node.account),
            "currency": self._currency(node.currency),
            "transactionHeader": _header(entry),
        }

    def _account(self, code: str) -> Row:
        owed = code in self._tenant.supplier_accounts
        return {
            **self._named("account", self._tenant.accounts, code),
            "modifiedAt": _MASTER_DATA_SINCE,
            "posting": True,
            "cost": not owed,
            "liabilities": owed,
            "balanceSheet": owed,
        }

    def _supplier_id(self, code: str) -> int:
        return _FIRST_ID["supplier"] + self._tenant.suppliers.index(code)

    def _tax_rule(self, code: str) -> Row:
        return self._named("tax", tuple(self._tenant.tax_codes), code)

    def _currency(self, code: str) -> Row:
        return self._named("currency", self._currency_codes(), code)

    def _currency_codes(self) -> tuple[str, ...]:
        return (self._tenant.company_currency, *self._tenant.exchange_rates)

    def _object_value(self, slot: int, index: int, value: str) -> Row:
        kind = _FIRST_ID["kind"] + slot
        return {
            "dbId": _FIRST_ID["object"] + slot * 100_000 + index,
            "code": value,
            "description": value,
            "modifiedAt": _MASTER_DATA_SINCE,
            "createdAt": _MASTER_DATA_SINCE,
            "ownerDbId": _OWNER,
            "posting": True,
            "objectKindDbId": kind,
            "object": {"dbId": kind, "name": self._tenant.dimensions[slot].code},
        }

    def _named(self, table: str, codes: Sequence[str], code: str) -> Row:
        db_id = _FIRST_ID[table] + codes.index(code)
        return {"dbId": db_id, "code": code, "description": f"{table} {code}", "ownerDbId": _OWNER}


_SOURCES: Mapping[str, Callable[[Rows], Sequence[Row]]] = {
    "accounts": Rows.accounts,
    "suppliers": Rows.suppliers,
    "taxRules": Rows.tax_rules,
    "currencies": Rows.currencies,
    "companies": Rows.companies,
    "objectKinds": Rows.object_kinds,
    "objectValues": Rows.object_values,
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
        "ownerDbId": _OWNER,
        "trRegNumber": item.node.tr_reg_number,
        "paymentReference": item.node.payment_reference,
    }


def _error_row(error: RefusedItem) -> Row:
    return {
        "dbId": error.db_id,
        "createdAt": cet(error.created_at),
        "ownerDbId": _OWNER,
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


def _period_status(start: date, first: date, last: date) -> Row:
    end = start.replace(day=monthrange(start.year, start.month)[1])
    db_id = _FIRST_ID["period"] + start.year * 100 + start.month
    return {
        "dbId": db_id,
        "modifiedAt": _MASTER_DATA_SINCE,
        "ownerDbId": _OWNER,
        "periodDbId": db_id,
        "owner": {"dbId": _OWNER},
        "period": {
            "dbId": db_id,
            "code": f"{start:%Y%m}",
            "description": f"{start:%B %Y}",
            "fromDate": max(start, first).isoformat(),
            "toDate": min(end, last).isoformat(),
            "fiscalYear": start.year,
            "year": start.year,
            "fiscalPeriod": start.month,
            "monthNumber": start.month,
        },
    }


def _coded(code: str | None) -> Row | None:
    return None if code is None else {"code": code}


def _money(amount: Decimal) -> str:
    return f"{amount:.2f}"
