"""The company's small tables as API rows: what `connector test` reads."""

from collections.abc import Callable, Mapping, Sequence

from deploy.local.sandboxes.business_central.company import month_starts
from deploy.local.sandboxes.business_central.odata import Row
from deploy.local.sandboxes.business_central.rows import row_id
from deploy.local.sandboxes.tenants import BusinessCentralTenant, Dimension


def company(tenant: BusinessCentralTenant) -> Row:
    return {
        "id": str(tenant.company_id),
        "systemVersion": "27.0.0.0",
        "name": tenant.company_name,
        "displayName": tenant.company_name,
        "businessProfileId": "",
    }


def vendors(tenant: BusinessCentralTenant) -> list[Row]:
    return [_vendor(tenant, number) for number in tenant.suppliers]


def _vendor(tenant: BusinessCentralTenant, number: str) -> Row:
    return {
        "id": row_id("vendor", number),
        "number": number,
        "displayName": f"Claimant {number}",
        "currencyCode": tenant.company_currency,
        "blocked": "All" if number in tenant.blocked_suppliers else " ",
    }


def accounts(tenant: BusinessCentralTenant) -> list[Row]:
    return [
        {
            "id": row_id("account", number),
            "number": number,
            "displayName": f"Account {number}",
            "accountType": "Posting",
            "blocked": number in tenant.blocked_accounts,
            "directPosting": number not in tenant.closed_accounts,
        }
        for number in tenant.accounts
    ]


def dimensions(tenant: BusinessCentralTenant) -> list[Row]:
    return [
        {"id": row_id("dimension", each.code), "code": each.code, "displayName": each.code}
        for each in tenant.dimensions
    ]


def dimension_values(tenant: BusinessCentralTenant) -> list[Row]:
    return [row for dimension in tenant.dimensions for row in values_of(dimension)]


def values_of(dimension: Dimension) -> list[Row]:
    return [
        {
            "id": row_id("dimension", dimension.code, value),
            "code": value,
            "dimensionId": row_id("dimension", dimension.code),
            "displayName": value,
        }
        for value in dimension.values
    ]


def dimension_set_line(code: str, value: str, line_id: str) -> Row:
    """A dimension of an invoice's line, as page 30022 of the API shows it (recorded: hotgluexyz/target-dynamics-bc)."""
    return {
        "@odata.etag": f'W/"{row_id("dimension set line", line_id, code, value)}"',
        "id": row_id("dimension", code),
        "code": code,
        "parentId": line_id,
        "parentType": "Purchase_x0020_Invoice_x0020_Line",
        "displayName": code,
        "valueId": row_id("dimension", code, value),
        "valueCode": value,
        "valueDisplayName": value,
    }


def tax_groups(tenant: BusinessCentralTenant) -> list[Row]:
    return [
        {"id": row_id("tax", code), "code": code, "displayName": f"{percent} %", "taxType": "VAT"}
        for code, percent in tenant.tax_codes.items()
    ]


def currencies(tenant: BusinessCentralTenant) -> list[Row]:
    return [{"id": row_id("currency", code), "code": code, "displayName": code} for code in tenant.exchange_rates]


def general_ledger_setup(tenant: BusinessCentralTenant) -> list[Row]:
    shortcuts = [dimension.code for dimension in tenant.dimensions] + [""] * 8
    return [
        {
            "id": row_id("setup", str(tenant.company_id)),
            "allowPostingFrom": tenant.open_from.isoformat(),
            "allowPostingTo": tenant.open_to.isoformat(),
            "localCurrencyCode": tenant.company_currency,
            **{f"shortcutDimension{index}Code": shortcuts[index - 1] for index in range(1, 9)},
        }
    ]


def company_information(tenant: BusinessCentralTenant) -> list[Row]:
    return [
        {
            "id": row_id("information", str(tenant.company_id)),
            "displayName": tenant.company_name,
            "currencyCode": tenant.company_currency,
        }
    ]


def accounting_periods(tenant: BusinessCentralTenant) -> list[Row]:
    return [
        {
            "id": row_id("period", start.isoformat()),
            "startingDate": start.isoformat(),
            "name": f"{start:%B}",
            "newFiscalYear": start.month == 1,
            "closed": False,
            "dateLocked": start.month == 1,
        }
        for start in month_starts(tenant.open_from, tenant.open_to)
    ]


TABLES: Mapping[str, Callable[[BusinessCentralTenant], Sequence[Row]]] = {
    "vendors": vendors,
    "accounts": accounts,
    "dimensions": dimensions,
    "dimensionValues": dimension_values,
    "taxGroups": tax_groups,
    "currencies": currencies,
    "generalLedgerSetup": general_ledger_setup,
    "companyInformation": company_information,
    "accountingPeriods": accounting_periods,
}
