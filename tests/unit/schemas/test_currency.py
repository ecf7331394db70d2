from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.currency import DECIMALS, amount_text, decimal_amount, minor_units, normalised
from tests.unit.schemas.events import currencies


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("1250.50", "NOK", 125050),
        ("1250.5", "NOK", 125050),
        (Decimal("0.01"), "EUR", 1),
        ("1250", "JPY", 1250),
        ("1.234", "KWD", 1234),
        ("1.2345", "CLF", 12345),
        ("9999999999999.9999", "UYW", 99999999999999999),
    ],
)
def test_minor_units_counts_the_smallest_unit(amount: str | Decimal, currency: str, minor: int) -> None:
    assert minor_units(amount, currency) == minor


@given(st.integers(-(10**17), 10**17), currencies)
def test_text_and_minor_units_are_inverse(minor: int, currency: str) -> None:
    assert minor_units(amount_text(minor, currency), currency) == minor
    assert minor_units(decimal_amount(minor, currency), currency) == minor


@given(st.integers(0, 10**17), currencies)
def test_text_has_exactly_the_decimals_of_the_currency(minor: int, currency: str) -> None:
    _, _, fraction = amount_text(minor, currency).partition(".")
    assert len(fraction) == DECIMALS[currency]


@pytest.mark.parametrize("amount", ["", " 1", "1_0", "1e2", "NaN", "１", "1.", ".5", "1\n", "+1"])
def test_what_is_no_plain_decimal_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="plain decimal"):
        minor_units(amount, "NOK")


@pytest.mark.parametrize("amount", [Decimal("0.001"), Decimal("1.500"), Decimal("NaN"), Decimal("Infinity")])
def test_more_decimals_than_the_currency_has_are_refused_even_zeros(amount: Decimal) -> None:
    with pytest.raises(ValueError, match="decimals"):
        normalised(amount, "NOK")


@pytest.mark.parametrize("currency", ["", "nok", "DEM", "XAU", "XXX"])
def test_an_unknown_currency_is_refused_without_naming_it(currency: str) -> None:
    with pytest.raises(ValueError, match=r"^not an active ISO 4217 currency$"):
        amount_text(1, currency)
