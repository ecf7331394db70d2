"""A browser without script: it reads pages, fills in forms, and follows where it is sent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import urlencode

import httpx2

from tests.admin import Admin


@dataclass
class Form:
    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)


class Page(HTMLParser):
    """What a reader gets of a page: its words, forms, links, and marks on elements by their id."""

    def __init__(self, status: int, address: str, source: str) -> None:
        super().__init__()
        self.status = status
        self.address = address
        self.source = source
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        self.elements: dict[str, dict[str, str]] = {}
        self._words: list[str] = []
        self._link: str | None = None
        self._area: str | None = None
        self.feed(source)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._words).split())

    def form(self, action: str) -> Form:
        return next(form for form in self.forms if action in form.action)

    def link(self, words: str) -> str:
        return next(address for address, said in self.links if said == words)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if "id" in found:
            self.elements[found["id"]] = found
        if tag == "form":
            self.forms.append(Form(found.get("method", "get"), found.get("action", "")))
        elif tag == "input" and self.forms and "name" in found:
            if found.get("type") not in {"radio", "checkbox"} or "checked" in found:
                self.forms[-1].fields[found["name"]] = found.get("value", "")
        elif tag == "textarea" and self.forms:
            self._area = found["name"]
            self.forms[-1].fields[self._area] = ""
        elif tag == "a":
            self._link = found.get("href")
            self.links.append((self._link or "", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._link = None
        elif tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self.forms[-1].fields[self._area] += data
        if self._link is not None:
            address, said = self.links[-1]
            self.links[-1] = (address, " ".join(f"{said} {data}".split()))
        self._words.append(data)


class Visitor:
    """Keeps cookies as a browser does on https."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self._cookies: dict[str, str] = {}

    async def go(self, address: str) -> Page:
        return await self._read(await self._client.get(address, headers=self._headers()))

    async def submit(self, form: Form, **filled: str) -> Page:
        fields = {**form.fields, **filled}
        if form.method == "get":
            return await self.go(f"{form.action.partition('?')[0]}?{urlencode(fields)}")
        return await self._read(await self._client.post(form.action, data=fields, headers=self._headers()))

    def _headers(self) -> dict[str, str]:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}

    async def _read(self, answer: httpx2.Response) -> Page:
        for header in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(header).items():
                self._cookies[name] = morsel.value
        if answer.status_code == 303:
            return await self.go(answer.headers["location"])
        return Page(answer.status_code, str(answer.url), answer.text)


@asynccontextmanager
async def visiting(admin: Admin, bearer: str, language: str = "en") -> AsyncIterator[Visitor]:
    async with admin.client(bearer, **{"Accept-Language": language}) as client:
        yield Visitor(client)
