"""Who may do what: every route for every role, at their own, another's and an unknown organisation."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import product

import pytest

from tests.admin import Admin, admin_of, global_admin, token
from tests.integration.admin.api.two import API, OTHER, OWN, UNKNOWN, TwoOrganizations, is_whole

pytestmark = pytest.mark.asyncio(loop_scope="session")

ORGANIZATION = "/organizations/{organization_id}"
ITEM = f"{ORGANIZATION}/reimbursements/{{reimbursement_id}}"
NO_RUN = "6f1c1c1e-8f3e-4a51-9d64-2f6d1d1d7a10"


@dataclass(frozen=True)
class Route:
    """`state` of the item that it needs; `done` where it is allowed and there is such an organisation."""

    body: Mapping[str, object] | None = None
    state: str = "pending"
    done: HTTPStatus = HTTPStatus.OK


ROUTES: Mapping[tuple[str, str], Route] = {
    ("GET", "/organizations"): Route(),
    ("GET", f"{ORGANIZATION}/connector"): Route(),
    ("PUT", f"{ORGANIZATION}/connector/enabled"): Route({"enabled": True, "reason": "Onboarding done"}),
    ("GET", f"{ORGANIZATION}/release-preview"): Route(),
    ("POST", f"{ORGANIZATION}/sync-runs"): Route(done=HTTPStatus.ACCEPTED),
    ("GET", f"{ORGANIZATION}/sync-runs/{{run_id}}"): Route(),
    ("GET", f"{ORGANIZATION}/reimbursements"): Route(),
    ("GET", ITEM): Route(),
    ("POST", f"{ITEM}/retry"): Route({"reason": "Mapping mended"}, state="rejected"),
    ("POST", f"{ITEM}/handled-elsewhere"): Route({"reason": "Voucher 20417"}),
    ("GET", f"{ORGANIZATION}/sync-log"): Route(),
}
OF_AN_ORGANIZATION = [route for route in ROUTES if "{organization_id}" in route[1]]
WITH_A_BODY = [route for route in ROUTES if ROUTES[route].body]


def bearer_of(role: str) -> str | None:
    """`none`: nobody says who they are."""
    bearers = {"no role": token(roles=["viewer"]), "organization admin": admin_of(OWN), "global admin": global_admin()}
    return bearers.get(role)


async def ask(two: TwoOrganizations, role: str, route: tuple[str, str], organization_id: str) -> int:
    """The status of the answer to a request in which nothing is wrong."""
    method, template = route
    path = template.format(
        organization_id=organization_id,
        run_id=two.runs.get(organization_id, NO_RUN),
        reimbursement_id=two.fresh(ROUTES[route].state, organization_id),
    )
    async with two.admin.client(bearer_of(role)) as client:
        answer = await client.request(method, API + path, json=ROUTES[route].body)
    if answer.is_error:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code
    return answer.status_code


async def test_no_route_is_missing_in_this_table(admin: Admin) -> None:
    async with admin.client() as client:
        document = (await client.get(f"{API}/openapi.json")).json()
    served = {
        (method.upper(), path.removeprefix(API)) for path, methods in document["paths"].items() for method in methods
    }
    assert served == set(ROUTES)


@pytest.mark.parametrize("organization_id", [OWN, OTHER, UNKNOWN])
async def test_nobody_comes_in_without_a_token(two: TwoOrganizations, organization_id: str) -> None:
    assert {await ask(two, "none", route, organization_id) for route in ROUTES} == {HTTPStatus.UNAUTHORIZED}


@pytest.mark.parametrize("organization_id", [OWN, OTHER, UNKNOWN])
async def test_a_token_without_a_role_opens_nothing(two: TwoOrganizations, organization_id: str) -> None:
    assert {await ask(two, "no role", route, organization_id) for route in ROUTES} == {HTTPStatus.FORBIDDEN}


@pytest.mark.parametrize(
    ("role", "organization_id"),
    [("organization admin", OWN), ("global admin", OWN), ("global admin", OTHER)],
)
async def test_whoever_may_gets_an_answer(two: TwoOrganizations, role: str, organization_id: str) -> None:
    for route, expected in ROUTES.items():
        assert await ask(two, role, route, organization_id) == expected.done, route


@pytest.mark.parametrize("organization_id", [OTHER, UNKNOWN])
async def test_anothers_is_forbidden_whether_it_exists_or_not(two: TwoOrganizations, organization_id: str) -> None:
    for route in OF_AN_ORGANIZATION:
        assert await ask(two, "organization admin", route, organization_id) == HTTPStatus.FORBIDDEN, route


async def test_a_global_administrator_is_told_that_there_is_no_such_organisation(two: TwoOrganizations) -> None:
    for route in OF_AN_ORGANIZATION:
        assert await ask(two, "global admin", route, UNKNOWN) == HTTPStatus.NOT_FOUND, route


async def test_what_is_refused_changes_nothing(two: TwoOrganizations) -> None:
    before = await two.scene.fetch("select * from item order by seq"), await two.scene.fetch("select * from connector")
    for route in OF_AN_ORGANIZATION:
        await ask(two, "organization admin", route, OTHER)
    after = await two.scene.fetch("select * from item order by seq"), await two.scene.fetch("select * from connector")
    assert after == before


BODIES = {"no JSON": b"{", "an array": b"[]", "nothing": b"", "another field": b'{"x": 1}', "too much": b" " * 70_000}


@pytest.mark.parametrize("organization_id", [OTHER, UNKNOWN, "no%20id", "%00", "x" * 200])
async def test_forbidden_is_said_before_anything_is_judged(two: TwoOrganizations, organization_id: str) -> None:
    async with two.admin.client(admin_of(OWN)) as client:
        for (method, template), (what, body) in product(WITH_A_BODY, BODIES.items()):
            path = template.format(organization_id=organization_id, reimbursement_id="no%20id")
            answer = await client.request(method, API + path, content=body)
            assert answer.status_code == HTTPStatus.FORBIDDEN, (path, what)
        answer = await client.get(f"{API}/organizations/{organization_id}/sync-log", params={"limit": "x"})
    assert answer.status_code == HTTPStatus.FORBIDDEN


async def test_answers_about_anothers_tell_nothing_apart(two: TwoOrganizations) -> None:
    """Neither in the body nor in the headers, and what was asked for is not repeated."""
    answers = set()
    async with two.admin.client(admin_of(OWN)) as client:
        for organization_id in (OTHER, UNKNOWN):
            answer = await client.get(f"{API}/organizations/{organization_id}/connector")
            answers.add((answer.text, *[item for item in answer.headers.items() if item[0] != "date"]))
            assert organization_id not in answer.text
    assert len(answers) == 1


async def test_nobody_is_told_of_a_mistake_before_they_have_signed_in(admin: Admin) -> None:
    async with admin.client() as client:
        answer = await client.put(f"{API}/organizations/{OWN}/connector/enabled", content=b"{")
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_strangers_toggle_is_in_the_log_of_whose_connector_it_was(two: TwoOrganizations) -> None:
    async with two.admin.client(admin_of(OWN)) as client:
        answer = await client.put(
            f"{API}/organizations/{OTHER}/connector/enabled", json={"enabled": False, "reason": "because"}
        )
    assert answer.status_code == HTTPStatus.FORBIDDEN
    entry = await two.scene.logged("toggle_refused", OTHER)
    told = ("actor", "actor_role", "source", "connector", "new_state", "reason")
    assert tuple(entry[name] for name in told) == ("user-9", "organization_admin", "http", "xledger", "on", "because")
    assert await is_whole(two.scene, OTHER)
    assert await two.scene.value("select enabled from connector where organization_id = $1", OTHER)


async def test_a_strangers_toggle_of_an_unknown_organisation_makes_no_log(two: TwoOrganizations) -> None:
    async with two.admin.client(admin_of(OWN)) as client:
        await client.put(f"{API}/organizations/{UNKNOWN}/connector/enabled", json={"enabled": False, "reason": "x"})
    assert await two.scene.log(UNKNOWN) == []


async def test_another_organisations_run_is_not_found_under_ones_own(two: TwoOrganizations) -> None:
    async with two.admin.client(admin_of(OWN)) as client:
        own = await client.get(f"{API}/organizations/{OWN}/sync-runs/{two.runs[OWN]}")
        others = await client.get(f"{API}/organizations/{OWN}/sync-runs/{two.runs[OTHER]}")
        nobodys = await client.get(f"{API}/organizations/{OWN}/sync-runs/{NO_RUN}")
    assert (own.status_code, others.status_code) == (HTTPStatus.OK, HTTPStatus.NOT_FOUND)
    assert others.json() == nobodys.json()


async def test_a_global_administrator_finds_a_run_under_its_own_organisation_alone(two: TwoOrganizations) -> None:
    async with two.admin.client(global_admin()) as client:
        answer = await client.get(f"{API}/organizations/{OWN}/sync-runs/{two.runs[OTHER]}")
    assert answer.status_code == HTTPStatus.NOT_FOUND


async def test_a_reimbursement_of_another_organisation_is_out_of_reach_under_ones_own(two: TwoOrganizations) -> None:
    """Numbers are each organisation's: the same one means the own item."""
    await two.scene.fetch("update item set reason = 'secret' where organization_id = $1 and state = 'rejected'", OTHER)
    async with two.admin.client(admin_of(OWN)) as client:
        item = await client.get(f"{API}/organizations/{OWN}/reimbursements/R-rejected-0")
        page = await client.get(f"{API}/organizations/{OWN}/reimbursements")
        retried = await client.post(
            f"{API}/organizations/{OWN}/reimbursements/R-rejected-0/retry", json={"reason": "mended"}
        )
    assert retried.status_code == HTTPStatus.OK
    assert "secret" not in item.text + page.text + retried.text
    assert (await two.scene.states(OTHER))["R-rejected-0"] == "rejected"


async def test_a_cursor_of_another_organisation_leads_nowhere_else(two: TwoOrganizations) -> None:
    async with two.admin.client(global_admin()) as client:
        others = (await client.get(f"{API}/organizations/{OTHER}/reimbursements", params={"limit": 1})).json()
        log = (await client.get(f"{API}/organizations/{OTHER}/sync-log", params={"limit": 1})).json()
    async with two.admin.client(admin_of(OWN)) as client:
        items = await client.get(f"{API}/organizations/{OWN}/reimbursements", params={"cursor": others["next"]})
        entries = await client.get(f"{API}/organizations/{OWN}/sync-log", params={"cursor": log["next"]})
        named = await client.get(f"{API}/organizations", params={"cursor": OTHER})
    assert len(items.json()["items"]) <= len(await two.scene.states(OWN))
    assert {entry["organization_id"] for entry in entries.json()["entries"]} == {OWN}
    assert [one["organization_id"] for one in named.json()["organizations"]] == [OWN]
