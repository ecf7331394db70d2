"""Bearer tokens: a table of forged, stale and odd ones, each refused in the same words, beside good ones."""

import hmac
import json
import re
import time
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from deploy.local.identity.client import AUDIENCE, CLIENT_ID, IdentityProcess
from tests.people import Visitor, running_service
from tests.scene import PATIENCE, scene_settings
from worker.store.database import Pool

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADDRESS = "/api/v1/organizations/not-mine/connector"
STRANGERS_RSA = RSAKey.generate_key(2048, private=True, auto_kid=True)
STRANGERS_EC = ECKey.generate_key("P-256", private=True, auto_kid=True)

Make = Callable[[IdentityProcess], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Ahead:
    """Seconds from the moment at which the token is made, not from when this file was read: that may be long ago."""

    seconds: int


def claims(identity: IdentityProcess, **changes: object) -> dict[str, Any]:
    now = int(time.time())
    usual = {
        "iss": identity.issuer,
        "aud": AUDIENCE,
        "sub": "admin-hlf",
        "iat": now,
        "exp": now + 600,
        "roles": ["organization_admin"],
        "organizations": ["hlf"],
    }
    whole = {name: value for name, value in (usual | changes).items() if value is not None}
    return {name: now + value.seconds if isinstance(value, Ahead) else value for name, value in whole.items()}


def signed(header: Mapping[str, object] | None = None, **changes: object) -> Make:
    """With the provider's own signature."""

    async def make(identity: IdentityProcess) -> str:
        return await identity.sign(claims(identity, **changes), header)

    return make


def forged(key: RSAKey | ECKey | OctKey, **header: object) -> Make:
    """With another key, under the name of the provider's."""

    async def make(identity: IdentityProcess) -> str:
        whole = {"kid": await _key_id(identity), "typ": "at+jwt", **header}
        usable = {name: value for name, value in whole.items() if value is not None}
        return jwt.encode(usable, claims(identity), key, algorithms=["RS256", "ES256", "HS256", "PS256"])

    return make


def altered(change: Callable[[list[str]], list[str]]) -> Make:
    """A good one, its parts changed."""

    async def make(identity: IdentityProcess) -> str:
        return ".".join(change((await signed()(identity)).split(".")))

    return make


def with_public_key_as_secret() -> Make:
    """By hand: libraries refuse to make it."""

    async def make(identity: IdentityProcess) -> str:
        public = RSAKey.import_key((await _published(identity))[0]).as_pem(private=False)
        signed_part = ".".join(_encoded(json.dumps(part)) for part in ({"alg": "HS256"}, claims(identity)))
        signature = hmac.digest(public, signed_part.encode(), "sha256")
        return f"{signed_part}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"

    return make


def with_text(change: Callable[[str], str]) -> Make:
    """With the provider's own signature on what no library would write."""

    async def make(identity: IdentityProcess) -> str:
        return await identity.sign(change(json.dumps(claims(identity))))

    return make


def with_payload(text: str) -> Make:
    """A payload that no library writes, signed by nobody: the signature is looked at first."""
    return altered(lambda parts: [parts[0], _encoded(text), parts[2]])


def with_header(text: str) -> Make:
    return altered(lambda parts: [_encoded(text), parts[1], parts[2]])


async def _key_id(identity: IdentityProcess) -> str:
    return str((await _published(identity))[0]["kid"])


async def _published(identity: IdentityProcess) -> list[dict[str, Any]]:
    async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE) as http:
        keys: list[dict[str, Any]] = (await http.get(f"{identity.issuer}/jwks")).json()["keys"]
    return keys


def _encoded(text: str) -> str:
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _stripped_of_signature(header: Mapping[str, object]) -> Make:
    return altered(lambda parts: [_encoded(json.dumps(header)), parts[1], ""])


REFUSED: Mapping[str, Make] = {
    "expired": signed(exp=Ahead(-3600)),
    "expired beyond the leeway": signed(exp=Ahead(-31)),
    "no expiry": signed(exp=None),
    "an expiry that is a text": signed(exp="4102444800"),
    "an expiry that is true": signed(exp=True),
    "not valid yet": signed(nbf=Ahead(600)),
    "issued in the future": signed(iat=Ahead(3600)),
    "never issued": signed(iat=None),
    "an issue that is a text": signed(iat="yesterday"),
    "no issuer": signed(iss=None),
    "another issuer": signed(iss="https://evil.example"),
    "the issuer with a slash": signed(iss="http://127.0.0.1/"),
    "issuers in a list": signed(iss=["https://evil.example"]),
    "no audience": signed(aud=None),
    "another audience": signed(aud="another-api"),
    "an audience that only begins alike": signed(aud=AUDIENCE + "-2"),
    "an empty list of audiences": signed(aud=[]),
    "for the client, as an ID token": signed(aud=CLIENT_ID),
    "nobody": signed(sub=None),
    "a number as a person": signed(sub=17),
    "an ID token by its nonce": signed(nonce="n"),
    "an ID token by its hash": signed(at_hash="AAAAAAAAAAAAAAAAAAAAAA"),
    "an ID token by Keycloak's type": signed(typ="ID"),
    "a refresh token by Keycloak's type": signed(typ="Refresh"),
    "an ID token by Cognito's use": signed(token_use="id"),
    "an ID token that says in the header it is none": signed({"typ": "at+jwt"}, typ="ID"),
    "a logout token": signed({"typ": "logout+jwt"}),
    "a logout token by its events": signed(events={"http://schemas.openid.net/event/backchannel-logout": {}}),
    "a type nobody knows": signed({"typ": "dpop+jwt"}),
    "bound to a key that was not shown": signed(cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
    "a stranger's key under the provider's name": forged(STRANGERS_RSA, alg="RS256"),
    "a stranger's key under its own name": forged(STRANGERS_RSA, alg="RS256", kid=STRANGERS_RSA.kid),
    "a stranger's key without a name": forged(STRANGERS_RSA, alg="RS256", kid=None),
    "a stranger's curve": forged(STRANGERS_EC, alg="ES256"),
    "a stranger's key that it brings along": forged(
        STRANGERS_RSA, alg="RS256", jwk=STRANGERS_RSA.as_dict(private=False)
    ),
    "a stranger's key that is to be fetched": forged(STRANGERS_RSA, alg="RS256", jku="https://evil.example/jwks"),
    "a stranger's certificate that is to be fetched": forged(STRANGERS_RSA, alg="RS256", x5u="https://evil.example/c"),
    "the provider's key, with one that it brings along": signed({"jwk": STRANGERS_RSA.as_dict(private=False)}),
    "the provider's key, with one that is to be fetched": signed({"jku": "https://evil.example/jwks"}),
    "the provider's key, with a certificate": signed({"x5c": ["MIIB"]}),
    "the provider's key, packed": signed({"zip": "DEF"}),
    "a shared secret": forged(OctKey.generate_key(256), alg="HS256"),
    "the public key as a shared secret": with_public_key_as_secret(),
    "no signature, and says so": _stripped_of_signature({"alg": "none", "typ": "JWT"}),
    "no signature, and says so in capitals": _stripped_of_signature({"alg": "NONE"}),
    "no signature, and does not say so": altered(lambda parts: [parts[0], parts[1], ""]),
    "a signature that was cut": altered(lambda parts: [parts[0], parts[1], parts[2][:-8]]),
    "a signature with what is no base64": altered(lambda parts: [parts[0], parts[1], parts[2] + "!"]),
    "a signature with padding": altered(lambda parts: [parts[0], parts[1], parts[2] + "="]),
    "another payload": with_payload('{"sub": "admin-global", "roles": ["global_admin"]}'),
    "a payload that is no JSON": with_text(lambda text: text[:-1]),
    "a payload that is a list": with_text(lambda text: f"[{text}]"),
    "a payload that is no UTF-8": with_text(lambda text: text + "\\ud800"),
    "a payload as deep as it is long": with_text(lambda _: "[" * 5000),
    "a number that is none": with_text(lambda text: text[:-1] + ', "x": NaN}'),
    "a payload that names its subject twice": with_text(lambda text: text[:-1] + ', "sub": "admin-global"}'),
    "a payload that names a role twice": with_text(lambda text: text[:-1] + ', "roles": ["global_admin"]}'),
    "an expiry that is no number": with_text(lambda text: re.sub(r'"exp": \d+', '"exp": NaN', text)),
    "an expiry at no time": with_text(lambda text: re.sub(r'"exp": \d+', '"exp": Infinity', text)),
    "an expiry beyond all numbers": with_text(lambda text: re.sub(r'"exp": \d+', '"exp": 1e999', text)),
    "an expiry with too many digits": with_text(lambda text: re.sub(r'"exp": \d+', '"exp": ' + "9" * 4400, text)),
    "two parts": altered(lambda parts: parts[:2]),
    "four parts": altered(lambda parts: [*parts, parts[2]]),
    "five parts, as encrypted": altered(lambda parts: [*parts, parts[1], parts[2]]),
    "a header that is no JSON": with_header("{"),
    "a header that is a list": with_header("[]"),
    "a header as deep as it is long": with_header("[" * 380),
    "a header that is too long": signed({"x": "y" * 600}),
    "a header that names its algorithm twice": with_header('{"alg": "RS256", "alg": "none"}'),
    "a header without an algorithm": with_header('{"typ": "JWT"}'),
    "a header that says what must be understood": with_header('{"alg": "RS256", "crit": ["exp"], "exp": 1}'),
    "a payload that is not encoded": with_header('{"alg": "RS256", "b64": false, "crit": ["b64"]}'),
    "a key named by a number": with_header('{"alg": "RS256", "kid": 7}'),
    "a key named by a path": with_header('{"alg": "RS256", "kid": "../../dev/null"}'),
    "an algorithm in a list": with_header('{"alg": ["RS256"]}'),
}

HEADERS: Mapping[str, str] = {
    "no scheme": "{token}",
    "another scheme": "Basic {token}",
    "no token": "Bearer",
    "two tokens": "Bearer {token}, Bearer {token}",
    "a token and more": "Bearer {token} {token}",
    "a token in quotes": 'Bearer "{token}"',
    "too long": "Bearer {token}" + "x" * 9000,
}

GOOD: Mapping[str, Make] = {
    "as usual": signed(),
    "as RFC 9068 has it": signed({"typ": "at+jwt"}),
    "as RFC 9068 has it in full": signed({"typ": "application/at+JWT"}),
    "without a type": signed({"typ": None}),
    "of a provider with one key and no name for it": signed({"kid": None}),
    "for several": signed(aud=["another-api", AUDIENCE]),
    "of Keycloak, with a nonce": signed(typ="Bearer", nonce="n"),
    "of Cognito": signed(token_use="access"),
    "of another client": signed(azp="a-program", client_id="a-program"),
    "a moment ago, by another clock": signed(exp=Ahead(600), iat=Ahead(20), nbf=Ahead(20)),
    "with what nobody here knows": signed({"x5t": "y"}, scope="openid", tenant=1),
}


async def test_forged_stale_and_odd_tokens_are_refused_in_the_same_words(
    visitor: Visitor, identity: IdentityProcess
) -> None:
    answers = {
        name: await visitor.get(ADDRESS, Authorization=f"Bearer {await make(identity)}")
        for name, make in REFUSED.items()
    }
    assert {name: answer.status_code for name, answer in answers.items() if answer.status_code != 401} == {}
    assert len({answer.text for answer in answers.values()}) == 1
    assert {answer.headers["www-authenticate"] for answer in answers.values()} == {'Bearer error="invalid_token"'}
    assert len(REFUSED) >= 30


async def test_a_good_token_must_be_sent_as_one(visitor: Visitor, identity: IdentityProcess) -> None:
    token = await signed()(identity)
    answers = {
        name: await visitor.get(ADDRESS, Authorization=header.format(token=token)) for name, header in HEADERS.items()
    }
    assert {name: answer.status_code for name, answer in answers.items() if answer.status_code != 401} == {}
    twice = [("Authorization", f"Bearer {token}")] * 2
    assert (await visitor.http.get(ADDRESS, headers=twice)).status_code == 401
    assert (await visitor.get(f"{ADDRESS}?access_token={token}")).status_code == 401


async def test_good_tokens_are_believed(visitor: Visitor, identity: IdentityProcess) -> None:
    types = {}
    for name, make in GOOD.items():
        answer = await visitor.get(ADDRESS, Authorization=f"Bearer {await make(identity)}")
        types[name] = answer.json().get("type", "")
    assert {name: kind for name, kind in types.items() if not kind.endswith("/not-your-organization")} == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"roles": None},
        {"roles": []},
        {"roles": ["Global_Admin", "system", "admin"]},
        {"roles": "global_admin"},
        {"roles": [["global_admin"]]},
        {"roles": ["organization_admin"], "organizations": "hlf"},
        {"roles": ["organization_admin"], "organizations": ["a b"]},
        {"sub": "a\x00b"},
        {"sub": "x" * 201},
    ],
    ids=str,
)
async def test_who_has_no_role_here_is_told_so(
    visitor: Visitor, identity: IdentityProcess, changes: dict[str, object]
) -> None:
    token = await identity.sign(claims(identity, **changes))
    answer = await visitor.get(ADDRESS, Authorization=f"Bearer {token}")
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/no-role-here")


async def test_the_audience_is_the_clients_id_where_none_is_set(
    database_url: str, pool: Pool, identity: IdentityProcess
) -> None:
    settings = scene_settings(database_url, "localhost:1", "t-", {})
    token = await signed(aud=CLIENT_ID)(identity)
    id_token = await signed(aud=CLIENT_ID, nonce="n")(identity)
    async with running_service(settings, pool, identity, oidc_audience=None) as running, running.visitor() as client:
        assert (await client.get(ADDRESS, Authorization=f"Bearer {token}")).status_code == 403
        assert (await client.get(ADDRESS, Authorization=f"Bearer {id_token}")).status_code == 401


async def test_a_program_gets_its_token_and_uses_it(visitor: Visitor, identity: IdentityProcess) -> None:
    token = await identity.access_token("admin-hlf")
    answer = await visitor.get(ADDRESS, Authorization=f"Bearer {token}")
    assert answer.json()["type"] == "/problems/not-your-organization"
