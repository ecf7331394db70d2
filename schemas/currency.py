"""Currencies an amount may be in, and the one way to turn its text into money and back.

Source: ISO 4217 table A.1. Codes without a minor unit (gold, special drawing rights, testing) are left out,
since nobody can be reimbursed in them.
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

_CODES_BY_DECIMALS: Final = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE "
        "CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD "
        "HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK "
        "MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD "
        "RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH "
        "USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
DECIMALS: Final = {code: decimals for decimals, codes in _CODES_BY_DECIMALS.items() for code in codes.split()}
"""Currency code → number of decimals, for every currency that is accepted."""

_STEP: Final = {code: Decimal(1).scaleb(-decimals) for code, decimals in DECIMALS.items()}
# Decimal() itself also takes blanks, underscores, exponents and digits of every script.
_PLAIN_DECIMAL: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")


def are_normalised(amounts: Iterable[Decimal], currency: str) -> bool:
    """Whether each amount has exactly the currency's decimals. Raises ValueError for an unknown currency."""
    return all(map(_step(currency).same_quantum, amounts))


def normalised(amount: Decimal, currency: str) -> Decimal:
    """The same amount with exactly the currency's decimals.

    Raises ValueError for an unknown currency and for more decimals than the currency has, zeros too.
    """
    step = _step(currency)
    if amount.same_quantum(step):
        return amount
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or -exponent > DECIMALS[currency]:
        raise ValueError("more decimals than the currency has")
    return amount.quantize(step)


def minor_units(amount: str | Decimal, currency: str) -> int:
    """The amount as a whole number of the currency's smallest unit: "1250.50" NOK is 125050.

    Raises ValueError where `normalised` does, and for a text that is no plain decimal.
    """
    if isinstance(amount, str):
        if _PLAIN_DECIMAL.fullmatch(amount) is None:
            raise ValueError("not a plain decimal")
        amount = Decimal(amount)
    return int(normalised(amount, currency).scaleb(DECIMALS[currency]))


def decimal_amount(minor: int, currency: str) -> Decimal:
    """The inverse of `minor_units`, with exactly the currency's decimals. Raises ValueError."""
    return minor * _step(currency)


def amount_text(minor: int, currency: str) -> str:
    """Minor units as a decimal string with exactly the currency's decimals: "1250.50". Raises ValueError."""
    return f"{decimal_amount(minor, currency):f}"


def _step(currency: str) -> Decimal:
    try:
        return _STEP[currency]
    except KeyError:
        raise ValueError("not an active ISO 4217 currency") from None
