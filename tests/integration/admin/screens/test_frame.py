"""What holds for every page: its frame, its files, its language, and what is refused."""

import re

import pytest

from tests.admin import Admin, admin_of
from worker.admin.limits import BURST

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_whoever_is_not_signed_in_is_sent_to_sign_in_and_on_from_there(admin: Admin) -> None:
    async with admin.client() as client:
        answer = await client.get("/?a=b")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2F%3Fa%3Db"


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("nb", "nb"),
        ("no", "nb"),
        ("nn-NO,en;q=0.5", "nb"),
        ("en-GB", "en"),
        ("de,en;q=0.1,nb;q=0.9", "nb"),
        ("", "nb"),
        ("q=,;;", "nb"),
    ],
)
async def test_the_language_is_the_first_accepted_that_there_is(admin: Admin, accepted: str, language: str) -> None:
    async with admin.client(admin_of("hlf"), **{"Accept-Language": accepted}) as client:
        answer = await client.get("/nowhere")
    assert answer.status_code == 404
    assert f'<html lang="{language}"' in answer.text


async def test_a_chosen_language_outlasts_what_the_browser_accepts(admin: Admin) -> None:
    async with admin.client(admin_of("hlf"), **{"Accept-Language": "nb"}) as client:
        chosen = await client.post("/language", data={"language": "en", "back": "/nowhere"})
        cookie = chosen.headers["set-cookie"].partition(";")[0]
        answer = await client.get(chosen.headers["location"], headers={"Cookie": cookie})
    assert '<html lang="en"' in answer.text


@pytest.mark.parametrize("back", ["https://evil.test/", "//evil.test/", "/\\evil.test/", "evil", ""])
async def test_the_choice_of_a_language_leads_to_no_other_site(admin: Admin, back: str) -> None:
    async with admin.client() as client:
        answer = await client.post("/language", data={"language": "en", "back": back})
    assert answer.headers.get("location", "/") == "/"


async def test_the_files_of_a_page_are_there_packed_and_kept_for_ever(admin: Admin) -> None:
    async with admin.client() as client:
        page = await client.get("/nowhere")
        addresses = re.findall(r'"(/assets/[^"]+)"', page.text)
        answers = [await client.get(address) for address in addresses]
    assert len(addresses) == 6
    assert {answer.status_code for answer in answers} == {200}
    assert all("immutable" in answer.headers["cache-control"] for answer in answers)
    weight = sum(int(answer.headers["content-length"]) for answer in answers) + len(page.content)
    assert weight < 100_000


@pytest.mark.parametrize("name", ["../pages.py", "%2e%2e/pages.py", "LICENSE-htmx.txt", "nothing.css"])
async def test_no_other_file_is_handed_out(admin: Admin, name: str) -> None:
    async with admin.client() as client:
        assert (await client.get(f"/assets/0123456789abcdef/{name}")).status_code == 404


@pytest.mark.parametrize(
    ("method", "address", "status", "said"),
    [
        ("GET", "/organizations/hlf/reimbursements?after=x", 400, "Adressen viser ikke til noen side i listen."),
        ("GET", "/organizations/hlf/reimbursements?run=x", 422, "Noe i adressen eller skjemaet er ugyldig"),
        ("DELETE", "/organizations", 405, "Denne adressen kan ikke brukes på den måten."),
        ("GET", "/organizations/blindeforbundet", 403, "Du kan bare se dine egne organisasjoner."),
    ],
)
async def test_what_is_refused_is_told_in_the_readers_language(
    admin: Admin, method: str, address: str, status: int, said: str
) -> None:
    await admin.scene.organization()
    async with admin.client(admin_of("hlf"), **{"Accept-Language": "nb"}) as client:
        answer = await client.request(method, address)
    assert answer.status_code == status
    assert said in answer.text
    assert '<span lang="en">' not in answer.text


async def test_whoever_is_too_quick_is_told_how_many_seconds_to_wait(admin: Admin) -> None:
    await admin.scene.organization()
    async with admin.client(admin_of("hlf"), **{"Accept-Language": "nb"}) as client:
        answers = [await client.post("/organizations/hlf/sync-runs") for _ in range(BURST + 5)]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert re.search(r"Vent \d+ sekund(er)?, og prøv igjen\.", refused.text)
    assert "Retry-After" not in refused.text
