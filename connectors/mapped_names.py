"""The names of the ERP's records that a mapping uses, for `connector test`."""

from connectors.account_mapping import AccountMapping, ClaimantsByTable


def mapped_accounts(mapping: AccountMapping) -> list[str]:
    booked = [expense.account for expense in mapping.expense_types.values()]
    if mapping.default_expense_type is not None:
        booked.append(mapping.default_expense_type.account)
    if mapping.counter_account is not None:
        booked.append(mapping.counter_account)
    return sorted(set(booked))


def mapped_claimants(mapping: AccountMapping) -> list[str]:
    """Empty where claimants come by number: then only the events know them."""
    if isinstance(mapping.claimants, ClaimantsByTable):
        return sorted(set(mapping.claimants.table.values()))
    return []
