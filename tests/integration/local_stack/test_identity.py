"""The local identity provider: strict in everything but whom it believes one to be."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from deploy.local.identity.client import AUDIENCE, CLIENT_ID, IdentityProcess
from deploy.local.processes import Program, ServiceError, free_port
from deploy.local.run_folder import RunFolder
from tests.scene import PATIENCE

REPOSITORY = Path(__file__).resolve().parents[3]
PUBLIC_URL = "http://127.0.0.1:1"
CALLBACK = f"{PUBLIC_URL}/sign-in/callback"
VERIFIER = "v" * 43
CHALLENGE = "zdBFyPULlcx5-8F-zK6bDlchHAFYYPb8lAuaIjRr_GU"
"""Not that of the verifier."""


@pytest.fixture
async def identity(folder: RunFolder) -> IdentityProcess:
    return await IdentityProcess.start(folder, PUBLIC_URL)


@pytest.fixture
async def http(identity: IdentityProcess) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=identity.issuer, trust_env=False, timeout=PATIENCE) as client:
        yield client


def _query(**changes: str) -> dict[str, str]:
    usual = {
        "client_id": CLIENT_ID,
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid",
        "state": "s",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return usual | changes


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"client_id": "other"}, "client_id"),
        ({"redirect_uri": CALLBACK + "/more"}, "redirect_uri"),
        ({"redirect_uri": "https://evil.example"}, "redirect_uri"),
        ({"response_type": "token"}, "response_type"),
        ({"scope": "profile"}, "scope"),
        ({"code_challenge": ""}, "code_challenge"),
        ({"code_challenge_method": "plain"}, "code_challenge_method"),
    ],
)
async def test_a_request_that_is_not_as_registered_is_answered_on_the_spot(
    http: httpx2.AsyncClient, changes: dict[str, str], named: str
) -> None:
    for answer in (
        await http.get("/authorize", params=_query(**changes)),
        await http.post("/authorize", params=_query(**changes), data={"person": "admin-hlf"}),
    ):
        assert answer.status_code == 400
        assert f"Not as it should be: {named}." in answer.text


async def test_a_code_needs_its_verifier_and_the_clients_secret(
    http: httpx2.AsyncClient, identity: IdentityProcess
) -> None:
    async def redeem(secret: str) -> dict[str, Any]:
        chosen = await http.post("/authorize", params=_query(), data={"person": "admin-hlf"})
        code = httpx2.URL(chosen.headers["location"]).params["code"]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER}
        answer: dict[str, Any] = (await http.post("/token", data=form, auth=(CLIENT_ID, secret))).json()
        return answer

    assert await redeem(identity.client_secret) == {"error": "invalid_grant"}
    assert await redeem("guessed") == {"error": "invalid_client"}


async def test_programs_get_tokens_for_the_api(http: httpx2.AsyncClient, identity: IdentityProcess) -> None:
    told = await http.get("/userinfo", headers={"Authorization": f"Bearer {await identity.access_token('admin-both')}"})
    assert told.json() == {
        "sub": "admin-both",
        "name": "Bodil Vik",
        "roles": ["organization_admin"],
        "organizations": ["hlf", "blindeforbundet"],
    }
    assert identity.settings["SYNC_OIDC_AUDIENCE"] == AUDIENCE


async def test_nobody_is_sent_to_a_stranger_after_signing_out(http: httpx2.AsyncClient) -> None:
    stranger = await http.get("/end-session", params={"post_logout_redirect_uri": "https://evil.example"})
    own = await http.get("/end-session", params={"post_logout_redirect_uri": f"{PUBLIC_URL}/signed-out"})
    assert (stranger.status_code, own.headers.get("location")) == (200, f"{PUBLIC_URL}/signed-out")


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::", "8.8.8.8"])  # noqa: S104  # what must not be
async def test_it_listens_on_this_machine_alone(folder: RunFolder, host: str) -> None:
    arguments = ["--host", host, "--port", str(free_port()), "--public-url", PUBLIC_URL]
    process = folder.start(
        Program(
            name="exposed",
            arguments=[sys.executable, "-m", "deploy.local.identity", *arguments],
            working_directory=REPOSITORY,
        )
    )
    with pytest.raises(ServiceError, match="it listens on this machine alone"):
        await process.finished(timeout=PATIENCE)
