"""A command line on the scene's database."""

from pathlib import Path

import pytest_asyncio

from tests.integration.cli.command import CommandLine, password_in, settings_of
from tests.scene import Scene


@pytest_asyncio.fixture(loop_scope="session")
async def sync(scene: Scene, tmp_path: Path) -> CommandLine:
    settings = settings_of(scene)
    secrets = {password_in(settings["SYNC_DATABASE_URL"]), settings["SYNC_CREDENTIALS_KEY"]}
    secrets |= {tenant.token for tenant in scene.erps["xledger"].tenants.xledger}
    return CommandLine(tmp_path, settings, frozenset(secrets))
