"""Whoever reads the screens: their language, and how moments, amounts and numbers are written for them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_timedelta
from babel.numbers import format_currency, format_decimal
from fastapi import Request

from worker.admin.screens.catalogues import Language, translations

LANGUAGE_COOKIE = "language"
ZONE = ZoneInfo("Europe/Oslo")
MOMENT = "d. MMMM y 'kl.' HH:mm"
ENGLISH_MOMENT = "d MMMM y 'at' HH:mm"
NORWEGIAN = {"no": Language.BOKMAL, "nn": Language.BOKMAL, "nb": Language.BOKMAL}
"""A reader of Nynorsk would rather have Bokmål than English."""
LONGEST_HEADER = 200


@dataclass(frozen=True, slots=True)
class Reader:
    language: Language

    def translate(self, text: str) -> str:
        translated: str = translations(self.language).gettext(text)
        return translated

    def moment(self, at: datetime) -> str:
        """To the minute, as the clock stands in Norway."""
        pattern = MOMENT if self.language is Language.BOKMAL else ENGLISH_MOMENT
        return format_datetime(at, pattern, ZONE, self.language.value)

    def age(self, since: datetime) -> str:
        """How long ago, in the largest unit that fits."""
        return format_timedelta(datetime.now(UTC) - since, locale=self.language.value)

    def amount(self, total: str, currency: str) -> str:
        """With the currency's code: a sign such as `kr` is several currencies'."""
        return format_currency(Decimal(total), currency, "#,##0.00 ¤¤", self.language.value, currency_digits=True)

    def number(self, number: int) -> str:
        return format_decimal(number, locale=self.language.value)


def reader_of(request: Request) -> Reader:
    """The language they chose, else the first they accept that there is, else Bokmål."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    return Reader(
        Language(chosen) if chosen in set(Language) else _accepted(request.headers.get("accept-language", ""))
    )


def _accepted(header: str) -> Language:
    wanted = [part.partition(";") for part in header[:LONGEST_HEADER].split(",")]
    for tag, _, _ in sorted(wanted, key=lambda part: -_weight(part[2])):
        name = tag.strip().lower().partition("-")[0]
        if name in NORWEGIAN:
            return NORWEGIAN[name]
        if name == Language.ENGLISH:
            return Language.ENGLISH
    return Language.BOKMAL


def _weight(parameter: str) -> float:
    try:
        return float(parameter.strip().removeprefix("q="))
    except ValueError:
        return 1.0
