"""A `Posting` → the nodes of one voucher in Xledger's GL import. Pure.

Fields: GL import item, as grasp-labs/ds-provider-xledger-py-lib records the mutation. All text travels in
GraphQL variables.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from connectors.account_mapping import AccountMapping
from connectors.contract import Attempted, Posting, PostingLine, Rejected
from connectors.erp_text import one_line, text_with_day

LONGEST_TEXT = 100
"""Characters of `text`. Xledger publishes no length; a hundred fit every ledger view and Business Central's limit."""

MOST_NODES = 500
"""In one mutation. A voucher must not be spread over two."""

LARGEST_REGISTRATION = 999_999_999
_CHOICES = 4
_SLOT = re.compile(r"glObject[1-5]")
_SLOTS = tuple(f"glObject{number}" for number in range(1, 6))

Node = dict[str, object]


@dataclass(frozen=True, slots=True)
class Books:
    """What the organisation's ledger adds to every voucher. `slots` is ERP dimension code → `glObject1` to
    `glObject5`."""

    transaction_source: str
    company_currency: str
    slots: Mapping[str, str]


def dimension_slots(mapping: AccountMapping) -> dict[str, str]:
    """Which of the five objects each dimension of the mapping fills.

    A code `glObject1` … `glObject5` names its object. Other codes, such as `AVD`, take the free objects in the order
    of the mapping; a sixth gets none.
    """
    codes = list(dict.fromkeys(mapping.dimensions.values()))
    named = {code: code for code in codes if _SLOT.fullmatch(code)}
    free = (slot for slot in _SLOTS if slot not in named)
    return named | dict(zip((code for code in codes if code not in named), free, strict=False))


def voucher(posting: Posting, posting_date: date, books: Books, registration: str) -> list[Node] | Rejected:
    """One debit node a line and one credit node for what is owed; they share `trRegNumber`, which is one of
    `registration_numbers`, and sum to zero.

    Where `posting_date` is not the posting's own, its texts say which that was.
    """
    refusal = _refusal(posting, books)
    if refusal is not None:
        return refusal
    shared = _shared(posting, posting_date, books, registration)
    nodes = [*(_debit(line, shared, books) for line in posting.lines), _credit(posting, shared, books)]
    texts = [*(line.text for line in posting.lines), posting.text]
    return [node | {"text": _text(text, posting, posting_date)} for node, text in zip(nodes, texts, strict=True)]


def registration_numbers(attempted: Attempted) -> list[str]:
    """`trRegNumber`, 1 to 999,999,999: text on the way in, a whole number in the import. The first, but where another
    voucher has it.

    Each attempt has its own. Rows of a refused import stay there, and only this number tells whether a row without an
    error belongs to a voucher that waits or to one that was refused for another row, and of which attempt that is.
    """
    seed = f"{attempted.reference}#{attempted.attempt}"
    return [_number(seed), *(_number(f"{seed}#{choice}") for choice in range(1, _CHOICES))]


def _number(seed: str) -> str:
    return str(int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big") % LARGEST_REGISTRATION + 1)


def _refusal(posting: Posting, books: Books) -> Rejected | None:
    if posting.counter_account is None:
        return Rejected(
            "unmapped_counter_account",
            "Xledger needs the account that is owed to the claimant: add counter_account to the mapping and retry.",
        )
    if len(posting.lines) >= MOST_NODES:
        return Rejected("too_many_lines", f"Xledger takes at most {MOST_NODES - 1} lines in one voucher.")
    missing = next((code for line in posting.lines for code in line.dimensions if code not in books.slots), None)
    if missing is not None:
        return Rejected("unmapped_dimension", f"No object of Xledger is left for the dimension '{missing}'.")
    return None


def _shared(posting: Posting, posting_date: date, books: Books, registration: str) -> Node:
    # The reference stands twice: `invoiceNumber` can be searched for, `extIdentifier` is the field meant for it.
    return {
        "trRegNumber": registration,
        "transactionSource": {"code": books.transaction_source},
        "postedDate": posting_date.isoformat(),
        "invoiceDate": posting.document_date.isoformat(),
        "dueDate": max(posting_date, posting.document_date).isoformat(),
        "invoiceNumber": posting.reference,
        "extIdentifier": posting.reference,
        "currency": {"code": posting.currency},
    }


def _debit(line: PostingLine, shared: Node, books: Books) -> Node:
    node = shared | _amounts(line.amount, shared, books)
    node["account"] = {"code": line.account}
    if line.tax_code is not None:
        node["taxRule"] = {"code": line.tax_code}
    for code, value in line.dimensions.items():
        node[books.slots[code]] = {"code": value}
    return node


def _credit(posting: Posting, shared: Node, books: Books) -> Node:
    return (
        shared
        | _amounts(-posting.total, shared, books)
        | {
            "account": {"code": posting.counter_account},
            "subledger": {"code": posting.claimant},
        }
    )


def _text(text: str, posting: Posting, posting_date: date) -> str:
    if posting_date == posting.posting_date:
        return one_line(text, LONGEST_TEXT)
    return text_with_day(text, posting.posting_date, LONGEST_TEXT)


def _amounts(amount: Decimal, shared: Node, books: Books) -> Node:
    """`invoiceAmount` is in the voucher's currency, `amount` in the company's: in a foreign one only
    Xledger knows it."""
    stated: Node = {"invoiceAmount": f"{amount:f}"}
    if shared["currency"] == {"code": books.company_currency}:
        stated["amount"] = f"{amount:f}"
    return stated
