"""An organisation's mapping as rows for people, with what the check found beside each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from connectors.account_mapping import AccountMapping, ClaimantsByTable, ExpenseAccount
from connectors.contract import ConfigurationError
from connectors.mapping import validate_mapping
from worker.views import ProblemView


class Row(StrEnum):
    """What a row of the mapping is about; the template has a name for each."""

    EXPENSE_TYPE = "expense_type"
    DEFAULT_EXPENSE_TYPE = "default_expense_type"
    COUNTER_ACCOUNT = "counter_account"
    DIMENSION = "dimension"
    CLAIMANTS_BY_NUMBER = "claimants_by_number"
    CLAIMANTS_BY_TABLE = "claimants_by_table"
    CLAIMANT = "claimant"
    POSTING_DATE = "posting_date"


@dataclass(frozen=True, slots=True)
class MappingRow:
    """`name` is ours, `value` the ledger's."""

    row: Row
    name: str
    value: str
    tax_code: str | None = None
    problems: Sequence[str] = ()


def mapping_rows(mapping: Mapping[str, object], problems: Sequence[ProblemView]) -> list[MappingRow]:
    """Empty for a mapping that can't be read. Of a table of claimants only those with problems have rows."""
    try:
        read = validate_mapping(mapping)
    except ConfigurationError:
        return []
    found = _Found(problems)
    return [*_expense_rows(read, found), *_other_rows(read, found), *_claimant_rows(read, found)]


class _Found:
    """The check's problems, by what they are about: `account 7140`, `tax code 1`, `supplier 10023`."""

    def __init__(self, problems: Sequence[ProblemView]) -> None:
        self._problems = problems

    def of(self, *subjects: str) -> list[str]:
        return [problem.message for problem in self._problems if problem.subject in subjects]


def _expense_rows(mapping: AccountMapping, found: _Found) -> Iterator[MappingRow]:
    for name, expense in mapping.expense_types.items():
        yield _expense(Row.EXPENSE_TYPE, name, expense, found)
    if mapping.default_expense_type:
        yield _expense(Row.DEFAULT_EXPENSE_TYPE, "", mapping.default_expense_type, found)


def _expense(row: Row, name: str, expense: ExpenseAccount, found: _Found) -> MappingRow:
    problems = found.of(f"account {expense.account}", f"tax code {expense.tax_code}")
    return MappingRow(row, name, expense.account, expense.tax_code, problems)


def _other_rows(mapping: AccountMapping, found: _Found) -> Iterator[MappingRow]:
    owed = mapping.counter_account or ""
    yield MappingRow(Row.COUNTER_ACCOUNT, "", owed, problems=found.of("counter_account", f"account {owed}"))
    for name, code in mapping.dimensions.items():
        yield MappingRow(Row.DIMENSION, name, code, problems=found.of(f"dimension {code}"))
    yield MappingRow(Row.POSTING_DATE, "", mapping.posting_date, problems=found.of("period", "posting dates"))


def _claimant_rows(mapping: AccountMapping, found: _Found) -> Iterator[MappingRow]:
    if not isinstance(mapping.claimants, ClaimantsByTable):
        yield MappingRow(Row.CLAIMANTS_BY_NUMBER, "", "")
        return
    yield MappingRow(Row.CLAIMANTS_BY_TABLE, "", str(len(mapping.claimants.table)))
    for name, code in mapping.claimants.table.items():
        problems = found.of(f"supplier {code}", f"vendor {code}")
        if problems:
            yield MappingRow(Row.CLAIMANT, name, code, problems=problems)
