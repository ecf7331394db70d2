"""The languages of the screens, and their catalogues: gettext files that are read as they are, without a build step."""

from enum import StrEnum
from functools import cache
from importlib.resources import files
from io import BytesIO

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

CATALOGUES = files("worker.admin.screens").joinpath("locale")


class Language(StrEnum):
    """English is what the sources are written in; Bokmål is what most readers have."""

    BOKMAL = "nb"
    ENGLISH = "en"

    @property
    def own_name(self) -> str:
        return "Norsk bokmål" if self is Language.BOKMAL else "English"


@cache
def translations(language: Language) -> NullTranslations:
    if language is Language.ENGLISH:
        return NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, whole_catalogue(language))
    compiled.seek(0)
    return Translations(compiled)


def whole_catalogue(language: Language) -> Catalog:
    """All files of a language as one catalogue."""
    whole = Catalog(locale=language.value)
    for file in sorted(CATALOGUES.joinpath(language.value).iterdir(), key=lambda one: one.name):
        for message in read_po(BytesIO(file.read_bytes()), locale=language.value):
            if message.id:
                whole.add(message.id, message.string, flags=message.flags, context=message.context)
    return whole
