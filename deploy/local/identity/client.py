"""The local identity provider from the outside: starts it, and tells its control port what to do."""

import json
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp

from deploy.local.identity.application import Behaviour
from deploy.local.processes import Process, Program, free_port
from deploy.local.run_folder import RunFolder

CLIENT_ID = "accounting-sync"
AUDIENCE = "accounting-sync-api"
SECONDS_TO_START = 20

_REPOSITORY = Path(__file__).resolve().parents[3]


class IdentityProcess:
    """`settings` are those of the service whose people sign in here."""

    def __init__(self, process: Process, port: int, control_port: int, client_secret: str, public_url: str) -> None:
        self.public_url = public_url
        self._process = process
        self._control = f"http://127.0.0.1:{control_port}"
        self.issuer = f"http://127.0.0.1:{port}"
        self.client_secret = client_secret

    @classmethod
    async def start(cls, folder: RunFolder, public_url: str) -> Self:
        """`folder` ends it, and keeps its log. Raises ServiceError where it does not start."""
        port, control_port, client_secret = free_port(), free_port(), secrets.token_urlsafe(16)
        arguments = {
            "--port": port,
            "--control-port": control_port,
            "--public-url": public_url,
            "--client-id": CLIENT_ID,
            "--client-secret": client_secret,
            "--audience": AUDIENCE,
        }
        flat = [f"{name}={value}" for name, value in arguments.items()]  # a secret may begin with a hyphen
        process = folder.start(
            Program(
                name=f"identity-{port}",
                arguments=[sys.executable, "-m", "deploy.local.identity", *flat],
                working_directory=_REPOSITORY,
            )
        )
        await process.line("identity provider ready", timeout=SECONDS_TO_START)
        return cls(process, port, control_port, client_secret, public_url)

    @property
    def settings(self) -> Mapping[str, str]:
        return {
            "SYNC_OIDC_ISSUER": self.issuer,
            "SYNC_OIDC_CLIENT_ID": CLIENT_ID,
            "SYNC_OIDC_CLIENT_SECRET": self.client_secret,
            "SYNC_OIDC_AUDIENCE": AUDIENCE,
        }

    async def stop(self) -> None:
        await self._process.stop()

    async def behave(self, behaviour: Behaviour | None = None) -> None:
        """From now on; without one as usual again."""
        await self._post("/behaviour", (behaviour or Behaviour()).model_dump())

    async def rotate(self) -> None:
        """A new key signs, and the old one is not published any more."""
        await self._post("/rotate", {})

    async def sign(self, payload: Mapping[str, object] | str, header: Mapping[str, object] | None = None) -> str:
        """A token with the provider's own signature, whatever it says. `header` goes over the usual one."""
        text = payload if isinstance(payload, str) else json.dumps(payload)
        answer = await self._post("/sign", {"payload": text, "header": dict(header or {})})
        token: str = answer["token"]
        return token

    async def visits(self) -> Mapping[str, int]:
        """Requests so far, by path."""
        async with aiohttp.ClientSession() as http, http.get(f"{self._control}/visits") as answer:
            counted: Mapping[str, int] = await answer.json()
        return counted

    async def access_token(self, person: str) -> str:
        """As a program gets it: by client credentials."""
        own = {"client_id": CLIENT_ID, "client_secret": self.client_secret}
        form = {"grant_type": "client_credentials", "person": person, **own}
        async with aiohttp.ClientSession() as http, http.post(f"{self.issuer}/token", data=form) as answer:
            answer.raise_for_status()
            token: str = (await answer.json())["access_token"]
        return token

    async def _post(self, path: str, body: Mapping[str, object]) -> Any:  # JSON whose shape the asking method knows
        async with aiohttp.ClientSession() as http, http.post(self._control + path, json=body) as answer:
            answer.raise_for_status()
            return await answer.json() if answer.content_type == "application/json" else None
