"""The names of the ERP's records that a mapping uses, for `connector test`."""

from connectors.account_mapping import AccountMapping, ClaimantsByTable, ExpenseAccount


def mapped_accounts(mapping: AccountMapping) -> list[str]:
    booked = [expense.account for expense in _booked(mapping)]
    if mapping.counter_account is not None:
        booked.append(mapping.counter_account)
    return sorted(set(booked))


def mapped_claimants(mapping: AccountMapping) -> list[str]:
    """Empty where claimants come by number: then only the events know them."""
    if isinstance(mapping.claimants, ClaimantsByTable):
        return sorted(set(mapping.claimants.table.values()))
    return []


def mapped_tax_codes(mapping: AccountMapping) -> list[str]:
    return sorted({expense.tax_code for expense in _booked(mapping) if expense.tax_code is not None})


def _booked(mapping: AccountMapping) -> list[ExpenseAccount]:
    default = mapping.default_expense_type
    return [*mapping.expense_types.values(), *([] if default is None else [default])]
