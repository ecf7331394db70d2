"""One broker, one PostgreSQL and both sandboxes a session; each test gets a database and topics of its own."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from itertools import count

import asyncpg
import hypothesis
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from deploy.local.choice import MissingError
from deploy.local.database import create_database, drop_database
from deploy.local.identity.client import IdentityProcess
from deploy.local.processes import free_port
from deploy.local.sandboxes.client import SandboxProcess
from deploy.local.services import Services
from deploy.local.topics import admin, create_topics
from tests.people import Service, Visitor, running_service
from tests.scene import PATIENCE, Scene, scene_settings
from worker.store.database import Pool, open_pool
from worker.store.migrate import migrate

hypothesis.settings.load_profile("ci")
"""The same examples in every run, and none of them is too slow: who lands a change meets no surprise of another's."""

RUN = secrets.token_hex(4)
"""In every name that is given on a server: a server from the environment may serve several runs at once."""
_NUMBERS = count(1)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def services() -> AsyncIterator[Services]:
    try:
        async with Services.start("test") as running:
            yield running
    except MissingError as missing:
        pytest.exit(str(missing), returncode=2)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def template(services: Services) -> AsyncIterator[str]:
    """The name of a migrated database that is cloned for each test."""
    name = f"sync_template_{RUN}"
    await create_database(services.database_url, name)
    connection = await asyncpg.connect(sibling(services.database_url, name))
    try:
        await migrate(connection)
    finally:
        await connection.close()
    yield name
    await drop_database(services.database_url, name)


@pytest_asyncio.fixture(loop_scope="session")
async def database_url(services: Services, template: str) -> AsyncIterator[str]:
    name = f"sync_test_{RUN}_{next(_NUMBERS)}"
    await create_database(services.database_url, name, template)
    yield sibling(services.database_url, name)
    await drop_database(services.database_url, name)


@pytest_asyncio.fixture(loop_scope="session")
async def pool(database_url: str) -> AsyncIterator[Pool]:
    pool = await open_pool(database_url)
    yield pool
    async with asyncio.timeout(PATIENCE):
        await pool.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def xledger_process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SandboxProcess]:
    ledger = tmp_path_factory.mktemp("xledger") / "ledger.jsonl"
    async with SandboxProcess("xledger", ledger=ledger) as process:
        await process.change_settings(import_delay=0.05)
        yield process


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def central_process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SandboxProcess]:
    ledger = tmp_path_factory.mktemp("central") / "ledger.jsonl"
    async with SandboxProcess("business_central", ledger=ledger) as process:
        yield process


def sibling(url: str, database: str) -> str:
    """The address of another database on the same server."""
    return url.rsplit("/", 1)[0] + "/" + database


CHANGE_SIGNALS = """
create function tell_test() returns trigger language plpgsql as $$
begin perform pg_notify('test_change', tg_table_name); return null; end $$;
create trigger tell_test after insert or update on item for each statement execute function tell_test();
create trigger tell_test after insert on sync_log for each statement execute function tell_test();
create trigger tell_test after insert on dead_letter for each statement execute function tell_test();
create trigger tell_test after insert or update on receipt for each statement execute function tell_test();
create trigger tell_test after insert or update on connector for each statement execute function tell_test();
create trigger tell_test after insert or update on intake_position for each statement execute function tell_test();
create trigger tell_test after insert or delete on outbox for each statement execute function tell_test();
create trigger tell_test after insert or update on sync_run for each statement execute function tell_test();
"""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def producer(services: Services) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=services.bootstrap_servers, max_request_size=4 * 1024 * 1024)
    await producer.start()
    yield producer
    await producer.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def scene(
    services: Services,
    database_url: str,
    pool: Pool,
    producer: AIOKafkaProducer,
    xledger_process: SandboxProcess,
    central_process: SandboxProcess,
) -> AsyncIterator[Scene]:
    erps = {"xledger": xledger_process, "business_central": central_process}
    prefix = f"t{RUN}-{next(_NUMBERS)}-"
    settings = scene_settings(database_url, services.bootstrap_servers, prefix, erps)
    topics = [settings.approvals_topic, settings.toggles_topic, settings.dead_letter_topic, settings.outcomes_topic]
    await create_topics(
        services.bootstrap_servers, dict.fromkeys(topics, 2), {"max.message.bytes": str(4 * 1024 * 1024)}
    )
    async with pool.acquire() as connection:
        await connection.execute(CHANGE_SIGNALS)
    yield Scene(settings, pool, producer, erps)
    for erp in erps.values():
        await erp.set_faults()
        await erp.release()
    if services.broker.cluster is None:  # somebody's own broker is left as it was
        async with admin(services.bootstrap_servers) as client:
            await client.delete_topics([topic for topic in await client.list_topics() if topic.startswith(prefix)])


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def identity_process(services: Services) -> IdentityProcess:
    """It knows the service by an address that one test after the other has."""
    return await IdentityProcess.start(services.folder, f"http://127.0.0.1:{free_port()}")


@pytest_asyncio.fixture(loop_scope="session")
async def identity(identity_process: IdentityProcess) -> AsyncIterator[IdentityProcess]:
    yield identity_process
    await identity_process.behave()


@pytest_asyncio.fixture(loop_scope="session")
async def service(database_url: str, pool: Pool, identity: IdentityProcess) -> AsyncIterator[Service]:
    """The screens and the API, with people who may sign in."""
    settings = scene_settings(database_url, "localhost:1", f"t{RUN}-", {})
    async with running_service(settings, pool, identity) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(service: Service) -> AsyncIterator[Visitor]:
    async with service.visitor() as opened:
        yield opened
