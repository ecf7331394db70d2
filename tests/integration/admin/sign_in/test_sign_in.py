"""Signing in and out: the whole way, and every way in which it is not to be."""

import hashlib
import json
import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import asyncpg
import httpx2
import pytest

from deploy.local.identity.application import Behaviour
from deploy.local.identity.client import CLIENT_ID, IdentityProcess
from tests.people import Service, Visitor
from tests.scene import KEY, PATIENCE
from worker.admin.code_flow import SEALED_AS, SECONDS_TO_COME_BACK
from worker.admin.cookies import SESSION, SIGN_IN
from worker.store.database import acquire
from worker.vault import Vault

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def sessions(service: Service) -> list[asyncpg.Record]:
    async with acquire(service.pool) as connection:
        return await connection.fetch("select * from session order by signed_in_at")


def why(answer: httpx2.Response) -> tuple[int, str]:
    """The status, and the word for the reason: `data-why` of the page, or the second line of a plain text."""
    on_the_page = re.search(r'data-why="(\w+)"', answer.text)
    return answer.status_code, on_the_page[1] if on_the_page else answer.text.splitlines()[1]


async def test_a_person_signs_in_is_known_and_signs_out(service: Service, visitor: Visitor) -> None:
    await service.organization("hlf")
    assert not await visitor.is_signed_in()
    arrival = await visitor.sign_in("admin-global", "/organizations/hlf?state=pending")
    assert (arrival.status_code, arrival.headers["location"]) == (303, f"{service.url}/organizations/hlf?state=pending")
    own = await visitor.get("/api/v1/organizations/hlf/connector")
    assert own.status_code != 401, own.text
    gone = await visitor.post("/sign-out")
    assert gone.status_code == 200
    assert not await visitor.is_signed_in()
    assert await sessions(service) == []
    at_the_provider = await visitor.get(gone.headers["refresh"].removeprefix("0; url="))
    assert at_the_provider.headers["location"] == f"{service.url}/signed-out"
    assert (await visitor.get("/signed-out")).status_code == 200


async def test_a_session_reaches_the_rows_of_its_own_organisations(service: Service, visitor: Visitor) -> None:
    """Through both walls: the check at the door, and PostgreSQL's, which knows nothing of sessions."""
    await service.organization("hlf")
    await visitor.sign_in("admin-hlf")
    assert (await visitor.get("/api/v1/organizations/hlf/connector")).status_code in (200, 404)
    assert (await visitor.post("/sign-out")).status_code == 200
    assert await sessions(service) == []


async def test_signing_out_ends_every_copy_of_the_cookie(service: Service, visitor: Visitor) -> None:
    await visitor.sign_in("admin-hlf")
    copy = {"Cookie": f"{SESSION}={visitor.session_id}"}
    async with httpx2.AsyncClient(base_url=service.url, trust_env=False, timeout=PATIENCE) as thief:
        assert (await thief.get("/api/v1/organizations/other/connector", headers=copy)).status_code == 403
        await visitor.post("/sign-out")
        assert (await thief.get("/api/v1/organizations/other/connector", headers=copy)).status_code == 401


async def test_the_provider_is_asked_to_sign_out_with_the_id_token(service: Service, visitor: Visitor) -> None:
    await visitor.sign_in("admin-hlf")
    gone = await visitor.post("/sign-out")
    address = urlsplit(gone.headers["refresh"].removeprefix("0; url="))
    query = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{service.identity.issuer}/end-session"
    assert query["client_id"] == CLIENT_ID
    assert query["post_logout_redirect_uri"] == f"{service.url}/signed-out"
    assert _payload(query["id_token_hint"])["sub"] == "admin-hlf"


async def test_signing_out_works_also_while_the_provider_is_away_and_for_nobody(
    visitor: Visitor, identity: IdentityProcess
) -> None:
    await visitor.sign_in("admin-hlf")
    await identity.behave(Behaviour(away=True))
    assert (await visitor.post("/sign-out")).status_code == 200
    assert not await visitor.is_signed_in()
    assert (await visitor.post("/sign-out")).status_code == 200


@pytest.mark.parametrize(
    ("person", "role", "organizations"),
    [
        ("admin-global", "global_admin", []),
        ("admin-hlf", "organization_admin", ["hlf"]),
        ("admin-blindeforbundet", "organization_admin", ["blindeforbundet"]),
        ("admin-both", "organization_admin", ["blindeforbundet", "hlf"]),
    ],
)
async def test_the_session_holds_what_the_provider_says(
    service: Service, visitor: Visitor, person: str, role: str, organizations: list[str]
) -> None:
    await visitor.sign_in(person)
    [row] = await sessions(service)
    assert (row["actor_id"], row["role"], row["organizations"]) == (person, role, organizations)
    assert row["issuer"] == service.identity.issuer


async def test_neither_the_id_nor_the_id_token_can_be_read_from_the_table(service: Service, visitor: Visitor) -> None:
    await visitor.sign_in("admin-hlf")
    [row] = await sessions(service)
    assert visitor.session_id
    assert len(visitor.session_id) == 43
    assert row["id_hash"] == hashlib.sha256(visitor.session_id.encode()).digest()
    assert b"eyJ" not in row["id_token"]


async def test_cookies_are_for_this_host_alone_and_for_no_script(visitor: Visitor) -> None:
    departure = await visitor.get("/sign-in")
    arrival = await visitor.sign_in("admin-hlf")
    begun, ended = arrival.headers.get_list("set-cookie")[::-1]
    assert begun.startswith(f"{SESSION}=")
    assert ended.startswith(f'{SIGN_IN}=""; ')
    for cookie in (departure.headers["set-cookie"], begun, ended):
        assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= set(cookie.split("; "))
        assert "Domain" not in cookie


async def test_the_provider_is_asked_with_pkce_state_and_nonce_that_are_new_each_time(
    service: Service, visitor: Visitor
) -> None:
    queries = [parse_qs(urlsplit((await visitor.get("/sign-in")).headers["location"]).query) for _ in range(2)]
    for query in queries:
        assert query["response_type"] == ["code"]
        assert query["code_challenge_method"] == ["S256"]
        assert query["redirect_uri"] == [f"{service.url}/sign-in/callback"]
        assert query["scope"] == ["openid profile"]
    for name in ("state", "nonce", "code_challenge"):
        assert len({query[name][0] for query in queries}) == 2
        assert all(len(query[name][0]) == 43 for query in queries)


async def test_somebody_without_a_role_is_told_so_and_gets_no_session(service: Service, visitor: Visitor) -> None:
    assert why(await visitor.sign_in("guest")) == (403, "no_role")
    assert visitor.session_id is None
    assert await sessions(service) == []
    again = await visitor.get("/sign-in?as=another")
    assert parse_qs(urlsplit(again.headers["location"]).query)["prompt"] == ["login"]


async def test_who_cancels_is_told_so(service: Service, visitor: Visitor) -> None:
    assert why(await visitor.sign_in("")) == (403, "denied")
    assert await sessions(service) == []


async def test_an_answer_counts_once(service: Service, visitor: Visitor) -> None:
    back = await visitor.choose("admin-hlf")
    sealed = visitor.http.cookies[SIGN_IN]
    assert (await visitor.get(back)).status_code == 303
    assert why(await visitor.get(back)) == (400, "stale")
    async with httpx2.AsyncClient(base_url=service.url, trust_env=False, timeout=PATIENCE) as copy:
        replayed = await copy.get(back, headers={"Cookie": f"{SIGN_IN}={sealed}"})
    assert why(replayed) == (403, "refused")
    assert len(await sessions(service)) == 1


async def test_the_answer_for_another_browser_is_refused(service: Service, visitor: Visitor) -> None:
    """Else an attacker could sign somebody in as themselves."""
    async with service.visitor() as attacker:
        planted = await attacker.choose("admin-both")
    assert why(await visitor.get(planted)) == (400, "stale")
    await visitor.get("/sign-in")
    assert why(await visitor.get(planted)) == (400, "stale")
    assert await sessions(service) == []


async def test_a_session_id_that_was_there_before_is_worth_nothing_afterwards(
    service: Service, visitor: Visitor
) -> None:
    visitor.http.cookies.set(SESSION, "planted", domain="127.0.0.1")
    await visitor.sign_in("admin-hlf")
    first = visitor.session_id
    assert first not in (None, "planted")
    await visitor.sign_in("admin-both")
    assert visitor.session_id not in (None, first)
    [row] = await sessions(service)
    assert row["actor_id"] == "admin-both"


Change = Callable[[list[tuple[str, str]]], list[tuple[str, str]]]


def _without(name: str) -> Change:
    return lambda query: [pair for pair in query if pair[0] != name]


def _with(name: str, value: str) -> Change:
    return lambda query: [*_without(name)(query), (name, value)]


def _twice(name: str) -> Change:
    return lambda query: [*query, (name, "other")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_without("state"), (400, "stale")),
        (_with("state", ""), (400, "stale")),
        (_with("state", "øther"), (400, "stale")),
        (_twice("state"), (403, "refused")),
        (_twice("code"), (403, "refused")),
        (_twice("iss"), (403, "refused")),
        (_without("code"), (403, "refused")),
        (_with("code", ""), (403, "refused")),
        (_with("code", "guessed"), (403, "refused")),
        (_with("code", "x" * 5000), (403, "refused")),
        (_without("iss"), (403, "refused")),
        (_with("iss", "https://evil.example"), (403, "refused")),
        (_with("error", "server_error"), (403, "refused")),
        (_with("error", "access_denied"), (403, "denied")),
    ],
)
async def test_an_answer_that_was_tampered_with_is_refused(
    service: Service, visitor: Visitor, change: Change, reason: tuple[int, str]
) -> None:
    back = urlsplit(await visitor.choose("admin-hlf"))
    query = urlencode(change(parse_qsl(back.query)))
    assert why(await visitor.get(back._replace(query=query).geturl())) == reason
    assert await sessions(service) == []


@pytest.mark.parametrize("seconds", [SECONDS_TO_COME_BACK + 1, -5])
async def test_who_comes_back_too_late_or_before_leaving_starts_anew(visitor: Visitor, seconds: int) -> None:
    back = await visitor.choose("admin-hlf")
    vault = Vault(KEY)
    way = json.loads(vault.unseal(SEALED_AS, urlsafe_b64decode(visitor.http.cookies[SIGN_IN] + "==")))
    resealed = vault.seal(SEALED_AS, json.dumps(way | {"at": int(time.time()) - seconds}))
    visitor.http.cookies.clear()
    visitor.http.cookies.set(SIGN_IN, urlsafe_b64encode(resealed).decode().rstrip("="), domain="127.0.0.1")
    assert why(await visitor.get(back)) == (400, "stale")


@pytest.mark.parametrize("cookie", ["", "x", "AAAA", "øø", "A" * 3000])
async def test_a_cookie_that_is_not_ours_is_no_sign_in(service: Service, visitor: Visitor, cookie: str) -> None:
    back = await visitor.choose("admin-hlf")
    headers = [(b"cookie", f"{SIGN_IN}={cookie}".encode())]
    async with httpx2.AsyncClient(base_url=service.url, trust_env=False, timeout=PATIENCE) as other:
        assert why(await other.get(back, headers=headers)) == (400, "stale")


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "of-another-sign-in"},
        {"nonce": None},
        {"nonce": ["a"]},
        {"iss": "https://evil.example"},
        {"aud": "another-client"},
        {"aud": ["another-client", "accounting-sync-api"]},
        {"aud": [CLIENT_ID, "another-client"]},
        {"aud": [CLIENT_ID, "another-client"], "azp": "another-client"},
        {"azp": "another-client"},
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"iat": 32503680000},
        {"nbf": 32503680000},
        {"sub": None},
        {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    ],
    ids=str,
)
async def test_an_id_token_that_does_not_answer_this_sign_in_is_refused(
    service: Service, visitor: Visitor, identity: IdentityProcess, claims: dict[str, object]
) -> None:
    await identity.behave(Behaviour(id_token=claims))
    assert why(await visitor.sign_in("admin-global")) == (403, "refused")
    assert await sessions(service) == []


@pytest.mark.parametrize(
    "claims", [{"aud": [CLIENT_ID]}, {"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID}, {"azp": CLIENT_ID}], ids=str
)
async def test_an_id_token_may_be_for_others_too_where_it_says_that_it_was_given_to_us(
    visitor: Visitor, identity: IdentityProcess, claims: dict[str, object]
) -> None:
    await identity.behave(Behaviour(id_token=claims))
    assert (await visitor.sign_in("admin-global")).status_code == 303


async def test_an_id_token_of_a_key_that_is_new_is_believed_at_once(
    visitor: Visitor, identity: IdentityProcess
) -> None:
    await visitor.sign_in("admin-hlf")
    await identity.rotate()
    assert (await visitor.sign_in("admin-both")).status_code == 303


async def test_roles_that_the_id_token_does_not_tell_are_asked_for(
    service: Service, visitor: Visitor, identity: IdentityProcess
) -> None:
    await identity.behave(Behaviour(id_token={"roles": None, "organizations": None}))
    assert (await visitor.sign_in("admin-both")).status_code == 303
    [row] = await sessions(service)
    assert row["organizations"] == ["blindeforbundet", "hlf"]


async def test_what_is_told_of_somebody_else_is_refused(visitor: Visitor, identity: IdentityProcess) -> None:
    await identity.behave(Behaviour(id_token={"roles": None}, user_info={"sub": "admin-global"}))
    assert why(await visitor.sign_in("guest")) == (403, "refused")


async def test_what_the_id_token_tells_is_not_overruled(
    service: Service, visitor: Visitor, identity: IdentityProcess
) -> None:
    changes: Mapping[str, dict[str, object]] = {
        "id_token": {"organizations": None},
        "user_info": {"roles": ["global_admin"]},
    }
    await identity.behave(Behaviour.model_validate(changes))
    await visitor.sign_in("admin-hlf")
    [row] = await sessions(service)
    assert (row["role"], row["organizations"]) == ("organization_admin", ["hlf"])


async def test_a_provider_that_does_not_end_sessions_is_not_asked_to(
    visitor: Visitor, identity: IdentityProcess
) -> None:
    await identity.behave(Behaviour(metadata={"end_session_endpoint": None}))
    await visitor.sign_in("admin-hlf")
    gone = await visitor.post("/sign-out")
    assert (gone.status_code, gone.headers.get("refresh")) == (200, None)


async def test_a_provider_that_is_away_is_said_to_be(visitor: Visitor, identity: IdentityProcess) -> None:
    await identity.behave(Behaviour(away=True))
    assert why(await visitor.get("/sign-in")) == (503, "away")


async def test_a_provider_that_goes_away_meanwhile_is_said_to_be(
    service: Service, visitor: Visitor, identity: IdentityProcess
) -> None:
    back = await visitor.choose("admin-hlf")
    await identity.behave(Behaviour(away=True))
    assert why(await visitor.get(back)) == (503, "away")
    assert await sessions(service) == []


@pytest.mark.parametrize(
    ("wanted", "path"),
    [("//evil.example", "/"), ("/\t/evil.example", "/"), ("/x?state=pending&next=%2F", "/x?state=pending&next=%2F")],
)
async def test_a_person_is_sent_to_a_page_of_ours(service: Service, visitor: Visitor, wanted: str, path: str) -> None:
    arrival = await visitor.sign_in("admin-hlf", wanted)
    assert arrival.headers["location"] == service.url + path


def _payload(token: str) -> dict[str, object]:
    part = token.split(".")[1]
    claims: dict[str, object] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims
