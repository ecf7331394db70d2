"""The admin role of a worker: its port, and what it does without an identity provider."""

import socket

import httpx2
import pytest
from structlog.testing import capture_logs

from deploy.local.processes import free_port
from tests.people import running_admin_side
from tests.scene import PATIENCE, Scene, scene_settings
from worker.bootstrap import Worker, run_worker
from worker.settings import Settings, SettingsError, WorkerRole
from worker.store.database import Pool

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADMIN_ONLY = frozenset({WorkerRole.ADMIN})


@pytest.fixture
def settings(database_url: str) -> Settings:
    return scene_settings(database_url, "localhost:1", "t-", {})


async def test_without_a_provider_it_is_up_and_lets_nobody_in(settings: Settings, pool: Pool) -> None:
    with capture_logs() as logs:
        async with (
            running_admin_side(settings, pool) as url,
            httpx2.AsyncClient(base_url=url, trust_env=False, timeout=PATIENCE) as http,
        ):
            for headers in ({}, {"Authorization": "Bearer x"}, {"Cookie": "__Host-session=x"}):
                answer = await http.get("/api/v1/organizations/hlf/connector", headers=headers)
                assert (answer.status_code, answer.json()["type"]) == (503, "/problems/sign-in-not-configured")
            page = await http.get("/sign-in")
            assert page.status_code == 503
            assert "SYNC_OIDC_ISSUER" in page.text
            assert (await http.get("/sign-in/callback?code=x&state=y")).status_code == 503
            assert (await http.post("/sign-out")).status_code == 200
    assert {"event": "sign_in_not_configured", "log_level": "warning"}.items() <= logs[0].items()


async def test_a_port_that_is_taken_is_one_line(settings: Settings, pool: Pool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = settings.model_copy(update={"http_port": other.getsockname()[1], "roles": ADMIN_ONLY})
        with pytest.raises(SettingsError) as refused:
            Worker(taken, pool)
    [line] = refused.value.lines
    assert line.startswith("SYNC_HTTP_PORT: can't listen there (Address already in use")


async def test_a_probe_port_that_is_taken_is_one_line_too(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = settings.model_copy(update={"probe_port": other.getsockname()[1]})
        with pytest.raises(SettingsError) as refused:
            await run_worker(taken)
    [line] = refused.value.lines
    assert line.startswith("SYNC_PROBE_PORT: can't listen there (")


async def test_a_worker_without_the_role_opens_no_port(settings: Settings, pool: Pool) -> None:
    posting = settings.model_copy(update={"roles": frozenset({WorkerRole.OUTBOX}), "http_port": free_port()})
    worker = Worker(posting, pool)
    assert worker.admin is None
    assert not {"admin", "sessions"} & worker.loops().keys()


async def test_it_is_served_by_a_worker_of_all_roles_and_stops_with_it(scene: Scene) -> None:
    async with scene.worker() as worker:
        assert worker.admin
        async with httpx2.AsyncClient(trust_env=False, timeout=PATIENCE) as http:
            answer = await http.get(f"{worker.admin.public_url}/api/v1/organizations/hlf/connector")
    assert answer.status_code == 503
