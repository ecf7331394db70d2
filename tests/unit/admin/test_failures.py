"""What is refused is told to people in their language, whatever the kind of refusal."""

import re
from http import HTTPStatus
from pathlib import Path

import pytest
from fastapi import Request

from worker.admin.problems import ProblemError
from worker.admin.screens.failures import SENTENCES, as_page_or_json

ADMIN = Path(__file__).resolve().parents[3] / "worker/admin"
A_KIND = re.compile(r'\(\s*(?:HTTPStatus\.[A-Z_]+|status),\s+"([a-z]+(?:-[a-z]+)*)"')
FOR_PROGRAMS = "Send one JSON object, and heed Retry-After."


def kinds() -> set[str]:
    """Those that a screen can come to: what only the API refuses is in a folder of its own."""
    sources = [path.read_text("utf-8") for folder in ("", "screens") for path in (ADMIN / folder).glob("*.py")]
    return {kind for source in sources for kind in A_KIND.findall(source)}


def shown(kind: str, language: str, retry_after: int = 7) -> str:
    """What is in the page's main part."""
    headers = [(b"accept-language", language.encode())]
    request = Request(
        {"type": "http", "method": "POST", "path": "/organizations/hlf", "query_string": b"", "headers": headers}
    )
    error = ProblemError(HTTPStatus.BAD_REQUEST, kind, FOR_PROGRAMS, headers={"Retry-After": str(retry_after)})
    page = bytes(as_page_or_json(request, error).body).decode()
    return page[page.index("<main") : page.index("</main>")]


def test_what_is_searched_for_is_found() -> None:
    assert {"bad-cursor", "too-many-requests", "not-your-organization", "content-too-large"} <= kinds()


def test_every_kind_has_a_sentence() -> None:
    assert kinds() - {"too-many-requests"} <= set(SENTENCES)


@pytest.mark.parametrize("kind", sorted({*kinds(), "request-timeout", "unheard-of"}))
def test_every_kind_is_told_in_the_readers_language_and_none_in_the_words_for_programs(kind: str) -> None:
    norwegian, english = shown(kind, "nb"), shown(kind, "en")
    assert 'lang="en"' not in norwegian
    assert FOR_PROGRAMS not in norwegian + english
    assert norwegian != english


def test_whoever_was_too_quick_is_told_for_how_long_to_wait() -> None:
    assert "Vent 7 sekunder, og prøv igjen." in shown("too-many-requests", "nb")
    assert "Vent 1 sekund, og prøv igjen." in shown("too-many-requests", "nb", 1)
    assert "Wait 7 seconds, and try again." in shown("too-many-requests", "en")


def test_a_cursor_that_no_page_gave_leads_to_the_lists_beginning() -> None:
    assert 'href="/organizations/hlf">Til begynnelsen av listen</a>' in shown("bad-cursor", "nb")
