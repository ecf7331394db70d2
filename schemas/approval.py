"""`reimbursement.approved.v1`: what an expense system says once somebody approved a reimbursement."""

from datetime import datetime
from operator import not_
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple, Self

from pydantic import FailFast, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from schemas.content import EventContent
from schemas.currency import are_normalised, minor_units, normalised
from schemas.fields import (
    Amount,
    Currency,
    Day,
    Dimensions,
    FileAddress,
    FreeText,
    Identifier,
    Instant,
    Sha256,
    ShortText,
)
from schemas.plain import PlainContent


class Claimant(EventContent):
    """The person who gets the money. `number` is what the ERP may know them by."""

    id: Identifier
    number: ShortText | None = None


class ExpenseLine(EventContent):
    """One expense. Within a `ReimbursementApproved`, `amount` has exactly the currency's decimals."""

    amount: Annotated[Amount, Field(description="Decimal string above zero with at most the currency's decimals.")]
    description: FreeText = ""
    dimensions: Dimensions = Field(default_factory=dict)
    expense_date: Day
    expense_type: Identifier
    line_id: Annotated[Identifier, Field(description="Unique within the reimbursement.")]


MediaType = Literal["application/pdf", "image/gif", "image/jpeg", "image/png", "image/tiff"]
"""Those that Business Central shows (table 133 "Incoming Document Attachment"), but for bitmaps."""


class Receipt(EventContent):
    """A file that documents the expense, known by its content. The address may hold a token: it is shown nowhere."""

    media_type: MediaType
    sha256: Annotated[Sha256, Field(description="Of the file's content, 64 lower-case hexadecimal digits.")]
    url: Annotated[FileAddress, Field(repr=False, description="https; plain http only to the worker's own machine.")]


class AcceptedApproval(NamedTuple):
    """What is kept of an approval: `total_minor` in the currency's smallest unit, `content` its canonical form,
    `receipts` how many it has."""

    organization_id: str
    reimbursement_id: str
    approved_at: datetime
    currency: str
    total_minor: int
    content: bytes
    receipts: int


class ReimbursementApproved(EventContent):
    """Content of one approval; its identity is `(organization_id, reimbursement_id)`, for ever."""

    TYPE: ClassVar = "reimbursement.approved.v1"

    approved_at: Instant
    approved_by: Identifier
    claimant: Claimant
    currency: Currency
    description: FreeText = ""
    # Lax about the container alone, since JSON has lists and no tuples; the lines in it stay strict. That
    # there is one is checked below: pydantic would say "at least 1" whenever the first line is wrong.
    lines: Annotated[
        tuple[ExpenseLine, ...],
        Field(strict=False, max_length=500, json_schema_extra={"minItems": 1}),
        FailFast(),
    ]
    organization_id: Identifier
    # Left out of the canonical form where there are none: it has to stay what it was before there were receipts.
    receipts: Annotated[
        tuple[Receipt, ...],
        Field(strict=False, max_length=20, exclude_if=not_, description="In the order in which they are attached."),
        FailFast(),
    ] = ()
    reimbursement_id: Identifier
    total: Annotated[
        Amount,
        Field(description="Decimal string, exactly the sum of the lines; at most the currency's decimals."),
    ]

    @property
    def total_minor(self) -> int:
        """`total` in the currency's smallest unit."""
        return minor_units(self.total, self.currency)

    @model_validator(mode="after")
    def _lines_add_up(self) -> Self:
        amounts = [line.amount for line in self.lines]
        if not amounts:
            raise PydanticCustomError("no_lines", "There should be at least one line")
        if not are_normalised([self.total, *amounts], self.currency):
            self._normalise_amounts()
        if sum(amounts) != self.total:
            raise PydanticCustomError("sum", "The lines should add up to total")
        if len(amounts) > 1 and len({line.line_id for line in self.lines}) < len(amounts):
            raise PydanticCustomError("line_id", "No two lines should have the same line_id")
        return self

    def accepted(self) -> AcceptedApproval:
        return AcceptedApproval(
            self.organization_id,
            self.reimbursement_id,
            self.approved_at,
            self.currency,
            self.total_minor,
            self.canonical(),
            len(self.receipts),
        )

    def _normalise_amounts(self) -> None:
        """Frozen does not hold yet: the record is still being made."""
        try:
            object.__setattr__(self, "total", normalised(self.total, self.currency))
            for line in self.lines:
                object.__setattr__(line, "amount", normalised(line.amount, self.currency))
        except ValueError:
            message = "Amounts should have at most the currency's decimals"
            raise PydanticCustomError("decimals", message) from None


_PLAIN: Final = PlainContent(ReimbursementApproved)


def accept_approval(data: object) -> AcceptedApproval:
    """The content of a record, validated. Raises pydantic's ValidationError.

    What is plainly right, as nearly every record is, needs no objects of the model; of anything else the model judges.
    """
    try:
        content: dict[str, Any] = _PLAIN.read(data)
    except ValidationError:
        return ReimbursementApproved.model_validate(data).accepted()
    if not _is_plainly_right(content):
        return ReimbursementApproved.model_validate(data).accepted()
    return AcceptedApproval(
        content["organization_id"],
        content["reimbursement_id"],
        content["approved_at"],
        content["currency"],
        minor_units(content["total"], content["currency"]),
        _PLAIN.canonical(content),
        len(content["receipts"]),
    )


def _is_plainly_right(content: dict[str, Any]) -> bool:
    """Amounts have the currency's decimals already, and add up; no two lines have the same id."""
    lines, total = content["lines"], content["total"]
    amounts = [line["amount"] for line in lines]
    return (
        are_normalised([total, *amounts], content["currency"])
        and sum(amounts) == total
        and (len(lines) == 1 or len({line["line_id"] for line in lines}) == len(lines))
    )
