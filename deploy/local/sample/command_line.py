"""The real `accounting-sync`, each call a process of its own, as an operator types it."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.processes import ServiceError

PROGRAM = Path(sys.executable).with_name("accounting-sync")
CALL_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """`said` is standard output, `complaint` standard error."""

    status: int
    said: str
    complaint: str


@dataclass(frozen=True, slots=True)
class CommandLine:
    """`environment` holds the settings; `folder` is where it is called, so that no `.env` is picked up."""

    environment: Mapping[str, str]
    folder: Path

    async def __call__(self, *arguments: str, file: Mapping[str, object] | None = None) -> Answer:
        """What it answers, whatever the status. `file` goes in as JSON by standard input."""
        child = await asyncio.create_subprocess_exec(
            PROGRAM,
            *arguments,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=self.environment,
            cwd=self.folder,
            start_new_session=True,  # Ctrl-C is for us, who end it in order
        )
        try:
            async with asyncio.timeout(CALL_SECONDS):
                said, complaint = await child.communicate(json.dumps(file).encode() if file else b"")
        except TimeoutError:
            raise ServiceError(f"accounting-sync {' '.join(arguments)} took longer than {CALL_SECONDS} s.") from None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        return Answer(child.returncode or 0, said.decode().strip(), complaint.decode().strip())

    async def done(self, *arguments: str, file: Mapping[str, object] | None = None) -> str:
        """What it says. Raises ServiceError where it fails."""
        answer = await self(*arguments, file=file)
        if answer.status != 0:
            raise ServiceError(f"accounting-sync {' '.join(arguments)} ended with {answer.status}: {answer.complaint}")
        return answer.said
