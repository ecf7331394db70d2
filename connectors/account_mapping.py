"""An organisation's mapping from reimbursement words to ledger words, as `connector configure --file` takes it."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag

Code = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ExpenseAccount(_Strict):
    """Where an expense type is booked. `tax_code` is the ERP's own; None leaves it to the account."""

    account: Code
    tax_code: Code | None = None


class ClaimantsByNumber(_Strict):
    """`claimant.number` is the ERP's supplier or vendor."""

    source: Literal["number"] = Field(alias="from")


class ClaimantsByTable(_Strict):
    """`claimant.id` → the ERP's supplier or vendor."""

    table: Mapping[str, Code]


BY_TABLE = "by_table"
BY_NUMBER = "by_number"


def _form(claimants: object) -> str:
    """Which of the two forms is meant, so that the mistakes of that one are told."""
    has_table = isinstance(claimants, ClaimantsByTable) or (isinstance(claimants, Mapping) and "table" in claimants)
    return BY_TABLE if has_table else BY_NUMBER


Claimants = Annotated[
    Annotated[ClaimantsByNumber, Tag(BY_NUMBER)] | Annotated[ClaimantsByTable, Tag(BY_TABLE)], Discriminator(_form)
]


class AccountMapping(_Strict):
    """`dimensions` is our dimension name → the ERP's dimension code. `counter_account` is what is owed to
    the claimant."""

    expense_types: Mapping[str, ExpenseAccount]
    default_expense_type: ExpenseAccount | None = None
    claimants: Claimants
    counter_account: Code | None = None
    dimensions: Mapping[str, Code] = Field(default_factory=dict)
    posting_date: Literal["approved_at", "expense_date", "first_open_date"] = "approved_at"
