"""Pages: a template, the reader's language and the facts, as HTML."""

from functools import cache
from http import HTTPStatus

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from worker.admin.caller import Caller
from worker.admin.screens import words
from worker.admin.screens.assets import asset_url
from worker.admin.screens.catalogues import Language, translations
from worker.admin.screens.notices import forget, noticed
from worker.admin.screens.reader import Reader, reader_of


@cache
def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=PackageLoader("worker.admin.screens"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]  # the extension adds it
    reader = Reader(language)
    environment.globals |= {"asset": asset_url, "languages": list(Language), "reader": reader, "words": words}
    return environment


def page(
    request: Request,
    template: str,
    *,
    caller: Caller | None,
    status: HTTPStatus = HTTPStatus.OK,
    **facts: object,
) -> Response:
    """A whole page; the notice that the last action left is shown on it, once."""
    notice = noticed(request)
    response = HTMLResponse(_rendered(request, template, caller=caller, notice=notice, **facts), status)
    if notice:
        forget(response)
    return response


def part(request: Request, template: str, **facts: object) -> Response:
    """A piece of a page, for htmx."""
    return HTMLResponse(_rendered(request, template, **facts))


def _rendered(request: Request, template: str, **facts: object) -> str:
    environment = _environment(reader_of(request).language)
    return environment.get_template(template).render(request=request, path=request.url.path, **facts)
