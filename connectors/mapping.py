"""An approved reimbursement and an organisation's mapping become a `Posting`. Pure: no clock, no calls."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import assert_never
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from connectors.account_mapping import (
    BY_NUMBER,
    BY_TABLE,
    AccountMapping,
    ClaimantsByNumber,
    ClaimantsByTable,
    ExpenseAccount,
)
from connectors.configuration import sentences
from connectors.contract import ConfigurationError, Posting, PostingLine, Rejected
from connectors.reference import reference_of
from schemas.approval import ExpenseLine, ReimbursementApproved

_CLAIMANTS = "mapping → claimants"
_FORMS = f'{_CLAIMANTS} must be {{"from": "number"}} or {{"table": {{…}}}}.'


@dataclass(frozen=True, slots=True)
class _Gap:
    """What the mapping lacks, and what to do about it, in whole sentences."""

    code: str
    sentence: str
    advice: str = "Add what is missing and retry."


def map_to_posting(
    approval: ReimbursementApproved, mapping: AccountMapping, time_zone: str = "Europe/Oslo"
) -> Posting | Rejected:
    """`time_zone` is the organisation's: an approval at 23:30 UTC is dated the next day in Oslo.

    What the mapping lacks is told all at once; the code is the first gap's.
    """
    return refusal_of(approval, mapping) or _posting(approval, mapping, time_zone)


def refusal_of(approval: ReimbursementApproved, mapping: AccountMapping) -> Rejected | None:
    """What `map_to_posting` would refuse, without the work of making a posting."""
    gaps = list(_gaps(approval, mapping))
    if not gaps:
        return None
    told = dict.fromkeys([gap.sentence for gap in gaps] + [gap.advice for gap in gaps])
    return Rejected(gaps[0].code, " ".join(told))


def validate_mapping(content: object) -> AccountMapping:
    """From the configuration file's `mapping`. Raises `ConfigurationError` with one sentence for each mistake."""
    try:
        return AccountMapping.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError(_mapping_sentences(error)) from None


def _posting(approval: ReimbursementApproved, mapping: AccountMapping, time_zone: str) -> Posting:
    latest_expense = max(line.expense_date for line in approval.lines)
    return Posting(
        reference=reference_of(approval.organization_id, approval.reimbursement_id),
        claimant=_claimant(approval, mapping) or "",
        currency=approval.currency,
        total=approval.total,
        document_date=latest_expense,
        posting_date=_posting_date(approval, mapping, latest_expense, ZoneInfo(time_zone)),
        text=approval.description or approval.reimbursement_id,
        counter_account=mapping.counter_account,
        lines=tuple(_lines(approval, mapping)),
        moves_to_open_period=mapping.posting_date == "first_open_date",
    )


def _lines(approval: ReimbursementApproved, mapping: AccountMapping) -> Iterator[PostingLine]:
    for line in approval.lines:
        booked = _account(line, mapping)
        if booked is None:
            continue
        yield PostingLine(
            account=booked.account,
            amount=line.amount,
            text=line.description or line.expense_type,
            tax_code=booked.tax_code,
            dimensions={mapping.dimensions[name]: value for name, value in line.dimensions.items()},
        )


def _account(line: ExpenseLine, mapping: AccountMapping) -> ExpenseAccount | None:
    return mapping.expense_types.get(line.expense_type, mapping.default_expense_type)


def _claimant(approval: ReimbursementApproved, mapping: AccountMapping) -> str | None:
    match mapping.claimants:
        case ClaimantsByNumber():
            return approval.claimant.number or None
        case ClaimantsByTable(table=table):
            return table.get(approval.claimant.id)
        case unreachable:
            assert_never(unreachable)


def _posting_date(
    approval: ReimbursementApproved, mapping: AccountMapping, latest_expense: date, zone: ZoneInfo
) -> date:
    match mapping.posting_date:
        case "approved_at" | "first_open_date":
            return approval.approved_at.astimezone(zone).date()
        case "expense_date":
            return latest_expense
        case unreachable:
            assert_never(unreachable)


def _gaps(approval: ReimbursementApproved, mapping: AccountMapping) -> Iterator[_Gap]:
    if _claimant(approval, mapping) is None:
        yield _claimant_gap(approval, mapping)
    for line in approval.lines:
        if _account(line, mapping) is None:
            yield _Gap(
                "unmapped_expense_type",
                f"The expense type '{line.expense_type}' has no account in the mapping.",
            )
        for name in line.dimensions:
            if name not in mapping.dimensions:
                yield _Gap("unmapped_dimension", f"The dimension '{name}' has no code in the mapping.")
        yield from _contradictions(line, mapping)


def _contradictions(line: ExpenseLine, mapping: AccountMapping) -> Iterator[_Gap]:
    """Two of our names may lead to one code, which holds one value only. ERPs keep codes in capitals."""
    first: dict[str, str] = {}
    for name, value in line.dimensions.items():
        code = mapping.dimensions.get(name)
        if code is None:
            continue
        other = first.setdefault(code.upper(), name)
        if line.dimensions[other] != value:
            yield _Gap(
                "ambiguous_dimension",
                f"The dimensions '{other}' and '{name}' of one line both go to {code} and differ in value.",
                "Give each dimension a code of its own in the mapping and retry.",
            )


def _claimant_gap(approval: ReimbursementApproved, mapping: AccountMapping) -> _Gap:
    claimant = approval.claimant.id
    if isinstance(mapping.claimants, ClaimantsByNumber):
        return _Gap(
            "unmapped_claimant",
            f"The claimant '{claimant}' came without a number, which the mapping asks for.",
        )
    return _Gap("unmapped_claimant", f"The claimant '{claimant}' is not in the mapping's table.")


def _mapping_sentences(error: ValidationError) -> list[str]:
    """Those of a table name its entry; what is no table is told by what it should be."""
    told = [line.replace(f"{_CLAIMANTS} → {BY_TABLE}", _CLAIMANTS) for line in sentences(error, root="mapping")]
    return list(dict.fromkeys(_FORMS if line.startswith(f"{_CLAIMANTS} → {BY_NUMBER}") else line for line in told))
