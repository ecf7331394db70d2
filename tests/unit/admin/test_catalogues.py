"""Every text of the screens, and every sentence of the services, is there in Bokmål, and nothing else is."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po

from worker.admin.screens.catalogues import CATALOGUES, Language, translations, whole_catalogue

ROOT = Path(__file__).resolve().parents[3]
IN_PYTHON = {"translate": None, "say": None, "say_number": (1, 2)}
IN_TEMPLATES = {"_": None, "gettext": None, "ngettext": (1, 2)}
PLACES = re.compile(r"%\((\w+)\)|\{(\w+)\}")
FOREIGN = [one for one in Language if one is not Language.ENGLISH]

Id = str | tuple[str, ...]


@cache
def wanted() -> Mapping[Id, str]:
    """Each msgid of the sources, and where it is used. The command line speaks English alone."""
    found: dict[Id, str] = {}
    for path in sorted(set(ROOT.joinpath("worker").rglob("*.py")) - set(ROOT.joinpath("worker/cli").rglob("*.py"))):
        found = {**dict(_extracted(path, "python", IN_PYTHON)), **found}
    for path in sorted(ROOT.joinpath("worker/admin/screens/templates").iterdir()):
        found = {**dict(_extracted(path, "jinja2.ext:babel_extract", IN_TEMPLATES)), **found}
    return found


def _extracted(path: Path, method: str, keywords: Mapping[str, tuple[int, ...] | None]) -> Iterator[tuple[Id, str]]:
    options = {"silent": "false", "newstyle_gettext": "true"}
    with path.open("rb") as file:
        for line, message, _, _ in extract(method, file, keywords, options=options):
            yield message, f"{path.relative_to(ROOT)}:{line}"


@cache
def given(language: Language) -> Mapping[Id, Message]:
    return {_id(message): message for message in whole_catalogue(language) if message.id}


def _id(message: Message) -> Id:
    return message.id if isinstance(message.id, str) else tuple(message.id)


def _texts(of: str | tuple[str, ...] | list[str] | None) -> list[str]:
    return [of] if isinstance(of, str) else list(of or ())


def _places(text: str) -> list[str]:
    return sorted({name or braced for name, braced in PLACES.findall(text)})


@pytest.mark.parametrize("language", FOREIGN)
def test_every_text_is_translated(language: Language) -> None:
    missing = [f"{where}: {message}" for message, where in wanted().items() if message not in given(language)]
    assert not missing, "\n".join(["Not translated:", *sorted(missing)])


@pytest.mark.parametrize("language", FOREIGN)
def test_no_translation_is_empty_or_a_guess(language: Language) -> None:
    unfinished = [
        message.id for message in given(language).values() if message.fuzzy or not all(_texts(message.string))
    ]
    assert unfinished == []


@pytest.mark.parametrize("language", FOREIGN)
def test_a_translation_has_the_places_of_what_it_translates(language: Language) -> None:
    wrong = {
        text: string
        for message in given(language).values()
        for text, string in zip(_texts(message.id), _texts(message.string), strict=True)
        if _places(text) != _places(string)
    }
    assert wrong == {}


@pytest.mark.parametrize("language", FOREIGN)
def test_nothing_is_translated_that_is_not_said(language: Language) -> None:
    superfluous = sorted(str(message) for message in given(language) if message not in wanted())
    assert not superfluous, "\n".join(["Said nowhere:", *superfluous])


@pytest.mark.parametrize("language", FOREIGN)
def test_what_two_files_translate_they_translate_alike(language: Language) -> None:
    texts: dict[Id, set[str]] = {}
    for file in CATALOGUES.joinpath(language.value).iterdir():
        for message in read_po(BytesIO(file.read_bytes()), locale=language.value):
            if message.id:
                texts.setdefault(_id(message), set()).add(str(message.string))
    assert {message: found for message, found in texts.items() if len(found) > 1} == {}


def test_what_is_searched_for_is_found() -> None:
    """Else the comparison would hold of nothing."""
    assert "Sign out" in wanted()
    assert "The {title} connector is off." in wanted()
    assert translations(Language.BOKMAL).gettext("Sign out") == "Logg ut"
