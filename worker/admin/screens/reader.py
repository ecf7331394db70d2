"""Whoever reads the screens: their language, and how moments, amounts and numbers are written for them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_currency, format_decimal
from fastapi import Request
from markupsafe import Markup, escape

from worker.admin.screens.catalogues import Language, translations
from worker.domain.sentences import Sentence

LANGUAGE_COOKIE = "language"
ZONE = ZoneInfo("Europe/Oslo")
MOMENT = "d. MMMM y 'kl.' HH:mm"
BRIEF = "d.\u00a0MMM\u00a0y HH:mm"
ENGLISH_BRIEF = "d\u00a0MMM\u00a0y HH:mm"
DAY = "d. MMMM y"
ENGLISH_DAY = "d MMMM y"
ENGLISH_MOMENT = "d MMMM y 'at' HH:mm"
NORWEGIAN = {"no": Language.BOKMAL, "nn": Language.BOKMAL, "nb": Language.BOKMAL}
"""A reader of Nynorsk would rather have Bokmål than English."""
LONGEST_HEADER = 200
NAMES = frozenset({"revision", "last"})
"""Facts of a sentence that are numbers, and yet no number of things."""
QUOTED = "reason"
"""The fact of a sentence that somebody else wrote."""


@dataclass(frozen=True, slots=True)
class Reader:
    language: Language

    def translate(self, text: str) -> str:
        translated: str = translations(self.language).gettext(text)
        return translated

    def said(self, text: str) -> str:
        """What a service says, in the reader's language; any other text as it is."""
        if not isinstance(text, Sentence):
            return text
        return self._template(text).format_map({name: self._fact(name, fact) for name, fact in text.facts.items()})

    def marked(self, text: str) -> Markup:
        """As `said`, for a page: what the worker or the ERP wrote in English says so to whoever hears it read out."""
        if not isinstance(text, Sentence):
            return Markup('<span lang="en">{}</span>').format(text) if self._is_foreign else escape(text)
        facts = {name: self._marked_fact(name, fact) for name, fact in text.facts.items()}
        return escape(self._template(text)).format(**facts)

    @property
    def _is_foreign(self) -> bool:
        """Whether the services' own language is."""
        return self.language is not Language.ENGLISH

    def _template(self, sentence: Sentence) -> str:
        known = translations(self.language)
        if sentence.plural is None:
            template: str = known.gettext(sentence.template)
        else:
            count: int = sentence.facts["count"]  # type: ignore[assignment]  # what makes it plural
            template = known.ngettext(sentence.template, sentence.plural, count)
        return template

    def _fact(self, name: str, fact: object) -> object:
        match fact:
            case Sentence():
                return self.said(fact)
            case datetime():
                return self.moment(fact)
            case int() if name not in NAMES:
                return self.number(fact)
        return fact

    def _marked_fact(self, name: str, fact: object) -> object:
        match fact:
            case Sentence():
                return self.marked(fact)
            case datetime():
                return Markup('<time datetime="{}">{}</time>').format(fact.isoformat(), self.moment(fact))
            case str() if name == QUOTED:
                return self.marked(fact)
        return self._fact(name, fact)

    def moment(self, at: datetime) -> str:
        """To the minute, as the clock stands in Norway."""
        pattern = MOMENT if self.language is Language.BOKMAL else ENGLISH_MOMENT
        return format_datetime(at, pattern, ZONE, self.language.value)

    def brief(self, at: datetime) -> str:
        """As `moment`, for tables of many."""
        pattern = BRIEF if self.language is Language.BOKMAL else ENGLISH_BRIEF
        return format_datetime(at, pattern, ZONE, self.language.value)

    def day(self, day: date) -> str:
        return format_date(day, DAY if self.language is Language.BOKMAL else ENGLISH_DAY, self.language.value)

    def age(self, since: datetime) -> str:
        """How long ago, in the largest unit that fits."""
        return format_timedelta(datetime.now(UTC) - since, locale=self.language.value)

    def amount(self, total: str, currency: str) -> str:
        """With the currency's code: a sign such as `kr` is several currencies'."""
        return format_currency(Decimal(total), currency, "#,##0.00 ¤¤", self.language.value, currency_digits=True)

    @property
    def delimiter(self) -> str:
        """Between a file's columns: spreadsheets go by their language, and in some a comma is a number's."""
        return ";" if self.language is Language.BOKMAL else ","

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
