"""Everything of `make run`, started in order and ended in order: services, ERPs, identity provider, the worker."""

import asyncio
import base64
import os
import secrets
import shlex
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from deploy.local.choice import Source
from deploy.local.configurations import allowed_host
from deploy.local.database import create_database, drop_database
from deploy.local.identity.client import IdentityProcess
from deploy.local.processes import Process, Program, ServiceError, free_port
from deploy.local.sample.command_line import PROGRAM, CommandLine
from deploy.local.sandboxes.client import Erp, SandboxProcess
from deploy.local.services import Services
from deploy.local.topics import admin, create_topics

Tell = Callable[[str], None]

ERPS: tuple[Erp, ...] = ("xledger", "business_central")
LARGEST_MESSAGE_BYTES = 3 * 1024 * 1024
READY_SECONDS = 60
LOOK_SECONDS = 0.05
IMPORT_SECONDS = 0.05
CREDENTIALS_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Topics:
    """Names. A broker that was given to us gets topics of our own, which go again at the end."""

    approvals: str = "reimbursement-approved"
    toggles: str = "connector-toggled"
    outcomes: str = "accounting-sync-outcome"
    dead_letters: str = "accounting-sync-dead-letter"

    @classmethod
    def of_our_own(cls) -> "Topics":
        plain, prefix = cls(), f"sample-{secrets.token_hex(4)}-"
        names = (plain.approvals, plain.toggles, plain.outcomes, plain.dead_letters)
        return cls(*(prefix + name for name in names))

    def partitions(self) -> dict[str, int]:
        """One for toggles: their order counts and they are few."""
        return {self.approvals: 6, self.toggles: 1, self.outcomes: 2, self.dead_letters: 1}


@dataclass(frozen=True, slots=True)
class Stack:
    """What runs. `settings` are the worker's, by their names in the environment."""

    services: Services
    database_url: str
    topics: Topics
    erps: Mapping[Erp, SandboxProcess]
    identity: IdentityProcess
    settings: Mapping[str, str]
    worker: Process
    command_line: CommandLine

    @property
    def probe_url(self) -> str:
        return f"http://127.0.0.1:{self.settings['SYNC_PROBE_PORT']}"

    @property
    def screens_url(self) -> str:
        return self.settings["SYNC_PUBLIC_URL"]

    @property
    def folder(self) -> Path:
        return self.services.folder.path

    @property
    def environment_file(self) -> Path:
        return self.folder / "environment"


@asynccontextmanager
async def running_stack(tell: Tell, environ: Mapping[str, str] = os.environ) -> AsyncIterator[Stack]:
    """All of it, usable. Raises MissingError and ServiceError, each with a sentence for people."""
    given = _broker_is_given(environ)
    topics = Topics.of_our_own() if given else Topics()
    async with AsyncExitStack() as stack:
        started = Services.start("run", topics={} if given else topics.partitions(), tell=tell, environ=environ)
        services = await stack.enter_async_context(started)
        if given:
            await stack.enter_async_context(_topics_of_our_own(services.bootstrap_servers, topics))
        database_url = await stack.enter_async_context(_database(services))
        erps = {erp: await stack.enter_async_context(_sandbox(erp, services.folder.path)) for erp in ERPS}
        http_port = free_port()
        identity = await IdentityProcess.start(services.folder, _public_url(http_port))
        settings = _settings(services, database_url, topics, erps) | _screens(http_port, identity)
        environment = {name: value for name, value in environ.items() if not name.startswith("SYNC_")} | settings
        command_line = CommandLine(environment, services.folder.path)
        tell(await command_line.done("migrate", "up"))
        worker = await stack.enter_async_context(_worker(services, environment))
        whole = Stack(services, database_url, topics, erps, identity, settings, worker, command_line)
        _write_environment(whole.environment_file, settings)
        await _until_ready(whole)
        tell(f"Worker: ready at {whole.probe_url}.")
        yield whole


def _broker_is_given(environ: Mapping[str, str]) -> bool:
    """Topics are named before the services decide, so this says in advance what `choice.py` will."""
    wish = environ.get("BROKER") or Source.ENVIRONMENT
    return bool(environ.get("SYNC_KAFKA_BOOTSTRAP_SERVERS")) and wish == Source.ENVIRONMENT


@asynccontextmanager
async def _topics_of_our_own(bootstrap_servers: str, topics: Topics) -> AsyncIterator[None]:
    await create_topics(bootstrap_servers, topics.partitions(), {"max.message.bytes": str(LARGEST_MESSAGE_BYTES)})
    try:
        yield
    finally:
        async with admin(bootstrap_servers) as client:
            await client.delete_topics(list(topics.partitions()))


@asynccontextmanager
async def _database(services: Services) -> AsyncIterator[str]:
    """On a server that was given to us, a database of our own, so that the sample meets nothing of somebody else's."""
    url = services.database_url
    if services.choices.database.source is not Source.ENVIRONMENT:
        yield url
        return
    name = f"accounting_sync_sample_{secrets.token_hex(4)}"
    await create_database(url, name)
    try:
        yield urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    finally:
        await drop_database(url, name)


@asynccontextmanager
async def _sandbox(erp: Erp, folder: Path) -> AsyncIterator[SandboxProcess]:
    process = SandboxProcess(erp, ledger=folder / f"{erp}.ledger.jsonl")
    try:
        await process.start()
    except (RuntimeError, TimeoutError) as error:
        raise ServiceError(f"The {erp} sandbox did not start: {error}") from None
    try:
        if erp == "xledger":
            await process.change_settings(import_delay=IMPORT_SECONDS)
        yield process
    finally:
        await process.stop()


def _settings(
    services: Services, database_url: str, topics: Topics, erps: Mapping[Erp, SandboxProcess]
) -> dict[str, str]:
    return {
        "SYNC_DATABASE_URL": database_url,
        "SYNC_KAFKA_BOOTSTRAP_SERVERS": services.bootstrap_servers,
        "SYNC_KAFKA_GROUP_ID": f"accounting-sync-{services.folder.path.name}",
        "SYNC_APPROVALS_TOPIC": topics.approvals,
        "SYNC_TOGGLES_TOPIC": topics.toggles,
        "SYNC_OUTCOMES_TOPIC": topics.outcomes,
        "SYNC_DEAD_LETTER_TOPIC": topics.dead_letters,
        "SYNC_CREDENTIALS_KEY": base64.b64encode(secrets.token_bytes(CREDENTIALS_KEY_BYTES)).decode(),
        "SYNC_ERP_ALLOWED_HOSTS": ",".join(allowed_host(erp) for erp in erps.values()),
        "SYNC_PROBE_PORT": str(free_port()),
        "SYNC_LOG_FORMAT": "json",
    }


def _screens(http_port: int, identity: IdentityProcess) -> dict[str, str]:
    return {"SYNC_HTTP_PORT": str(http_port), "SYNC_PUBLIC_URL": _public_url(http_port), **identity.settings}


def _public_url(http_port: int) -> str:
    return f"http://127.0.0.1:{http_port}"


@asynccontextmanager
async def _worker(services: Services, environment: Mapping[str, str]) -> AsyncIterator[Process]:
    folder = services.folder
    program = Program(
        name="worker",
        arguments=[PROGRAM, "worker", "run"],
        environment=environment,
        working_directory=folder.path,  # where no `.env` is
    )
    process = folder.start(program)
    try:
        yield process
    finally:
        await process.stop()


async def _until_ready(stack: Stack) -> None:
    deadline = time.monotonic() + READY_SECONDS
    async with aiohttp.ClientSession() as session:
        while not await _is_ready(session, f"{stack.probe_url}/readyz"):
            if not stack.worker.running:
                raise stack.worker.failure("ended while starting")
            if time.monotonic() > deadline:
                raise stack.worker.failure(f"was not ready within {READY_SECONDS} s")
            await asyncio.sleep(LOOK_SECONDS)


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.ok
    except (aiohttp.ClientError, OSError):
        return False


def _write_environment(file: Path, settings: Mapping[str, str]) -> None:
    """For `source`. It holds the key of the credentials, so nobody else may read it."""
    file.touch(mode=0o600)
    file.write_text("".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items()))
