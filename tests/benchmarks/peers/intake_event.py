"""What the peers of the intake benchmark have in common: an approval's shape, the row that is made of it, how it is
inserted. The table is the benchmark's; its key is (organization_id, reimbursement_id).
"""

from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple, Self

from pydantic import BaseModel, model_validator

BATCH = 2000
INSERT_MANY = """
insert into approval (organization_id, reimbursement_id, approved_at, currency, total_minor, content)
select * from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::bigint[], $6::text[])
on conflict do nothing
"""
INSERT_ONE = """
insert into approval (organization_id, reimbursement_id, approved_at, currency, total_minor, content)
values ($1, $2, $3, $4, $5, $6)
on conflict do nothing
"""


class Claimant(BaseModel):
    id: str
    number: str | None = None


class Line(BaseModel):
    line_id: str
    expense_type: str
    expense_date: date
    amount: Decimal
    description: str = ""
    dimensions: dict[str, str] = {}


class Approval(BaseModel):
    """Types are right and the lines add up; characters, lengths and the currency's decimals are not looked at."""

    organization_id: str
    reimbursement_id: str
    approved_at: datetime
    approved_by: str
    claimant: Claimant
    currency: str
    total: Decimal
    description: str = ""
    lines: list[Line]

    @model_validator(mode="after")
    def lines_add_up(self) -> Self:
        if sum(line.amount for line in self.lines) != self.total:
            raise ValueError("the lines do not add up to total")
        return self


class Row(NamedTuple):
    """In the order of the columns; `total_minor` in hundredths."""

    organization_id: str
    reimbursement_id: str
    approved_at: datetime
    currency: str
    total_minor: int
    content: str


def row_of(approval: Approval, value: bytes) -> Row:
    return Row(
        approval.organization_id,
        approval.reimbursement_id,
        approval.approved_at,
        approval.currency,
        int(approval.total * 100),
        value.decode(),
    )


def columns(rows: list[Row]) -> list[list[object]]:
    """As the arguments of INSERT_MANY."""
    return [list(column) for column in zip(*rows, strict=True)]
