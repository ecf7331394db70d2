"""From the mutation's inputs to vouchers: formats, at most 500 nodes, and every voucher in balance.

All or nothing: whatever is wrong refuses the whole mutation.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import TypeVar

from deploy.local.sandboxes.tenants import XledgerTenant
from deploy.local.sandboxes.xledger.books import ImportNode
from deploy.local.sandboxes.xledger.refusals import RefusedError

MOST_NODES = 500

_AMOUNT = re.compile(r"-?\d{1,15}(\.\d{1,2})?")
_REGISTRATION_NUMBER = re.compile(r"\d{1,9}")
_CENT = Decimal("0.01")

Fields = Mapping[str, object]
Value = TypeVar("Value")


def read_vouchers(tenant: XledgerTenant, inputs: Sequence[Fields]) -> list[list[ImportNode]]:
    """The nodes grouped by `trRegNumber`, in the order of the inputs. Raises `RefusedError`."""
    if len(inputs) > MOST_NODES:
        raise RefusedError(f"At most {MOST_NODES} nodes can be added at once, but there were {len(inputs)}.")
    vouchers: defaultdict[int, list[ImportNode]] = defaultdict(list)
    for each in inputs:
        node = _NodeReader(tenant, each).read()
        vouchers[node.tr_reg_number].append(node)
    for number, nodes in vouchers.items():
        _check_balance(number, nodes)
    return list(vouchers.values())


def _check_balance(number: int, nodes: Sequence[ImportNode]) -> None:
    if sum(node.amount for node in nodes) or sum(node.invoice_amount for node in nodes):
        raise RefusedError(f"The voucher with trRegNumber {number} is not in balance.")


class _NodeReader:
    def __init__(self, tenant: XledgerTenant, fields: Fields) -> None:
        self._tenant = tenant
        self._client_id = fields.get("clientId")
        node = fields["node"]
        self._node: Fields = node if isinstance(node, dict) else {}

    def read(self) -> ImportNode:
        currency = self._code("currency") or self._tenant.company_currency
        amount, invoice_amount = self._amounts(currency)
        return ImportNode(
            client_id=None if self._client_id is None else str(self._client_id),
            tr_reg_number=self._registration_number(),
            posted_date=self._required("postedDate", self._day),
            invoice_date=self._day("invoiceDate"),
            due_date=self._day("dueDate"),
            transaction_source=self._required("transactionSource", self._code),
            amount=amount,
            invoice_amount=invoice_amount,
            currency=currency,
            text=self._text("text") or "",
            invoice_number=self._text("invoiceNumber") or "",
            ext_identifier=self._text("extIdentifier") or "",
            account=self._required("account", self._code),
            subledger=self._code("subledger"),
            tax_rule=self._code("taxRule"),
            payment_reference=self._text("paymentReference"),
            gl_objects=tuple(self._code(f"glObject{slot}") for slot in range(1, 6)),
        )

    def _amounts(self, currency: str) -> tuple[Decimal, Decimal]:
        """(company's currency, document's currency). Either may be left out; in the company's own currency
        they are the same."""
        amount, invoice_amount = self._amount("amount"), self._amount("invoiceAmount")
        if amount is None and invoice_amount is None:
            raise RefusedError("Argument 'amount' must have a value.")
        if currency == self._tenant.company_currency:
            if amount is not None and invoice_amount is not None and amount != invoice_amount:
                raise RefusedError("amount and invoiceAmount differ in the company's own currency.")
            same = amount if amount is not None else invoice_amount
            return same or Decimal(0), same or Decimal(0)
        if invoice_amount is None:
            raise RefusedError("Argument 'invoiceAmount' must have a value in a foreign currency.")
        return self._converted(currency, invoice_amount) if amount is None else amount, invoice_amount

    def _converted(self, currency: str, amount: Decimal) -> Decimal:
        rate = self._tenant.exchange_rates.get(currency)
        if rate is None:
            raise RefusedError(f"There is no exchange rate for currency '{currency}'.")
        return (amount * rate).quantize(_CENT, ROUND_HALF_UP)

    def _required(self, name: str, read: Callable[[str], Value | None]) -> Value:
        value = read(name)
        if value is None:
            raise RefusedError(f"Argument '{name}' must have a value.")
        return value

    def _registration_number(self) -> int:
        """A string on the way in and a whole number in `glImportItems`: it must be digits."""
        text = self._text("trRegNumber") or ""
        if not _REGISTRATION_NUMBER.fullmatch(text):
            raise RefusedError("Argument 'trRegNumber' must be a whole number.")
        return int(text)

    def _amount(self, name: str) -> Decimal | None:
        text = self._text(name)
        if text is not None and not _AMOUNT.fullmatch(text):
            raise RefusedError(f"Argument '{name}' is not an amount with at most two decimals.")
        return None if text is None else Decimal(text)

    def _day(self, name: str) -> date | None:
        text = self._text(name)
        try:
            return None if text is None else datetime.fromisoformat(text).date()
        except ValueError:
            raise RefusedError(f"Argument '{name}' is not a date.") from None

    def _code(self, name: str) -> str | None:
        value = self._node.get(name)
        if value is None:
            return None
        code = value.get("code") if isinstance(value, dict) else None
        if not code:
            raise RefusedError(f"Argument '{name}' must have a code.")
        return str(code)

    def _text(self, name: str) -> str | None:
        value = self._node.get(name)
        return None if value is None else str(value)
