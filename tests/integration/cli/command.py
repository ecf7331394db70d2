"""The real `accounting-sync`, as operators start it."""

import asyncio
import base64
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.scene import KEY, PATIENCE, Scene

PROGRAM = Path(sys.executable).with_name("accounting-sync")


@dataclass(frozen=True)
class Answer:
    """What the command wrote, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class CommandLine:
    """A shell with these settings in a folder without `.env`. No answer may ever hold one of `secrets`."""

    folder: Path
    settings: Mapping[str, str]
    secrets: frozenset[str] = field(default_factory=frozenset)

    async def __call__(self, *arguments: str, stdin: str = "") -> Answer:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SYNC_")}
        process = await asyncio.create_subprocess_exec(
            PROGRAM, *arguments, cwd=self.folder, env=kept | dict(self.settings), stdin=PIPE, stdout=PIPE, stderr=PIPE
        )
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate(stdin.encode())
        answer = Answer(process.returncode or 0, out.decode(), err.decode())
        assert "Traceback" not in answer.err, answer.err
        assert not [secret for secret in self.secrets if secret in answer.out + answer.err]
        return answer


def settings_of(scene: Scene) -> dict[str, str]:
    return {
        "SYNC_DATABASE_URL": scene.settings.database_url.get_secret_value(),
        "SYNC_CREDENTIALS_KEY": base64.b64encode(KEY).decode(),
        "SYNC_ERP_ALLOWED_HOSTS": ",".join(scene.settings.erp_allowed_hosts),
    }


def password_in(database_url: str) -> str:
    return database_url.partition("://")[2].partition("@")[0].partition(":")[2]
