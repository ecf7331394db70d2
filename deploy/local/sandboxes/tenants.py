"""What each sandbox knows of its customers: credentials, accounts, suppliers, dimensions, open periods.

The tenants file holds both kinds; each sandbox takes its own: `{"tenants": [{"kind": "xledger", …}, {"kind":
"business_central", …}]}`.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Dimension(_Record):
    """A dimension and the value codes it has. `code` is Business Central's dimension code, Xledger's object
    kind."""

    code: str
    values: tuple[str, ...]


class _Books(_Record):
    """What a company's books accept. Rates are the company's currency for one unit; tax is in per cent; dates
    are inclusive."""

    organization: str
    company_name: str
    company_currency: str = "NOK"
    exchange_rates: Mapping[str, Decimal] = Field(default_factory=dict)
    accounts: tuple[str, ...]
    suppliers: tuple[str, ...]
    blocked_suppliers: tuple[str, ...] = ()
    tax_codes: Mapping[str, Decimal] = Field(default_factory=dict)
    dimensions: tuple[Dimension, ...] = ()
    open_from: date
    open_to: date

    def knows_currency(self, code: str) -> bool:
        return code == self.company_currency or code in self.exchange_rates

    def is_open(self, day: date) -> bool:
        return self.open_from <= day <= self.open_to

    def dimension(self, code: str) -> Dimension | None:
        return next((each for each in self.dimensions if each.code == code), None)


class XledgerTenant(_Books):
    """`dimensions` stand in the order of `glObject1` to `glObject5`. `supplier_accounts` demand a subledger,
    all others refuse one."""

    kind: Literal["xledger"] = "xledger"
    token: str
    transaction_sources: tuple[str, ...] = ("AP",)
    supplier_accounts: tuple[str, ...] = ("2930",)


class BusinessCentralTenant(_Books):
    """`tenant_id` is the Entra tenant; several companies may share one. The first two dimensions are the shortcut
    dimensions. `closed_accounts` take no direct posting; `default_dimensions` is account or vendor → dimension code →
    value, which every line inherits."""

    kind: Literal["business_central"] = "business_central"
    tenant_id: UUID
    environment: str = "production"
    company_id: UUID
    client_id: str
    client_secret: str
    blocked_accounts: tuple[str, ...] = ()
    closed_accounts: tuple[str, ...] = ()
    default_dimensions: Mapping[str, Mapping[str, str]] = Field(default_factory=dict)

    def defaults_of(self, number: str) -> dict[str, str]:
        return dict(self.default_dimensions.get(number, {}))


Tenant = Annotated[XledgerTenant | BusinessCentralTenant, Field(discriminator="kind")]


class Tenants(_Record):
    tenants: tuple[Tenant, ...]

    @property
    def xledger(self) -> tuple[XledgerTenant, ...]:
        return tuple(each for each in self.tenants if isinstance(each, XledgerTenant))

    @property
    def business_central(self) -> tuple[BusinessCentralTenant, ...]:
        return tuple(each for each in self.tenants if isinstance(each, BusinessCentralTenant))


def read_tenants(path: Path) -> Tenants:
    """Raises `pydantic.ValidationError` for a file of another shape."""
    return Tenants.model_validate_json(path.read_bytes())


_ACCOUNTS = ("2910", "2930", "7100", "7130", "7140", "7150", "7160")
_CLAIMANTS = tuple(str(number) for number in range(10023, 10041))
_TAX_CODES = {"0": Decimal(0), "1": Decimal(25), "11": Decimal(15), "13": Decimal(12)}
_DEPARTMENTS = (
    Dimension(code="AVD", values=("10", "20", "30")),
    Dimension(code="PROSJEKT", values=("P1", "P2")),
)


def sample_tenants() -> Tenants:
    """The organisations of the sample: `hlf` at Xledger, `blindeforbundet` at Business Central; 2026 is open,
    2025 is closed."""
    return Tenants(tenants=(_sample_xledger(), _sample_business_central()))


def _sample_xledger() -> XledgerTenant:
    return XledgerTenant(
        organization="hlf",
        company_name="Hørselshemmedes Landsforbund",
        token="c2FtcGxlLXRva2VuLW9mLWhsZg==",  # noqa: S106  opens nothing but this sandbox
        exchange_rates={"EUR": Decimal("11.50"), "SEK": Decimal("1.02")},
        accounts=_ACCOUNTS,
        suppliers=_CLAIMANTS,
        tax_codes=_TAX_CODES,
        dimensions=_DEPARTMENTS,
        open_from=date(2026, 1, 1),
        open_to=date(2035, 12, 31),
    )


def _sample_business_central() -> BusinessCentralTenant:
    return BusinessCentralTenant(
        organization="blindeforbundet",
        company_name="Norges Blindeforbund",
        tenant_id=UUID("7b1d2c6e-3f0a-4c55-9a51-2f6f0d9c4e01"),
        company_id=UUID("c4a0c1de-58f7-4b6f-8c2e-91d3b7aa0102"),
        client_id="0b6a5f5e-9f53-4a53-8a39-5f0f2c7c0103",
        client_secret="sample-secret-of-blindeforbundet",  # noqa: S106  opens nothing but this sandbox
        exchange_rates={"EUR": Decimal("11.50"), "SEK": Decimal("1.02")},
        accounts=_ACCOUNTS,
        suppliers=("V10023", *_CLAIMANTS),
        blocked_suppliers=("10040",),
        tax_codes=_TAX_CODES,
        dimensions=_DEPARTMENTS,
        open_from=date(2026, 1, 1),
        open_to=date(2035, 12, 31),
    )
