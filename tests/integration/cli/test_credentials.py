"""A new key for the credentials, while everything goes on."""

import base64
from dataclasses import replace

import pytest

from tests.integration.cli.command import CommandLine
from tests.scene import KEY, Scene

pytestmark = pytest.mark.asyncio(loop_scope="session")

NEW_KEY = base64.b64encode(bytes(range(32, 64))).decode()
OLD_KEY = base64.b64encode(KEY).decode()
ROTATE = ("credentials", "rotate", "--actor", "ops-1")


def under_the_new_key(sync: CommandLine, *, knows_the_old: bool = True) -> CommandLine:
    old = {"SYNC_CREDENTIALS_OLD_KEYS": OLD_KEY} if knows_the_old else {}
    secrets = sync.secrets | {NEW_KEY, OLD_KEY}
    return replace(sync, settings={**sync.settings, "SYNC_CREDENTIALS_KEY": NEW_KEY, **old}, secrets=secrets)


async def test_rotating_shows_what_it_would_do_then_does_it_and_the_old_key_is_needed_no_more(
    scene: Scene, sync: CommandLine
) -> None:
    for name in ("hlf", "nbf"):
        await scene.organization(name)
    anew = under_the_new_key(sync)
    shown = await anew(*ROTATE)
    assert (shown.status, shown.out) == (
        0,
        "Connectors whose credentials would be encrypted anew: 2. Run it with --yes to do it.\n",
    )
    done = await anew(*ROTATE, "--yes", "--json")
    assert (done.status, done.json) == (0, {"waiting": 0, "rotated": 2, "problems": []})
    without = under_the_new_key(sync, knows_the_old=False)
    assert (await without("connector", "test", "hlf")).status == 0
    (key,) = (await without("credentials", "status", "--json")).json["keys"]
    assert (key["is_current"], key["connectors"]) == (True, 2)
    assert (await without(*ROTATE)).out == "All credentials are under the key of today. There is nothing to do.\n"
    logged = (await sync("log", "list", "hlf", "--json")).json["entries"][0]
    assert (logged["change"], logged["actor"], logged["connector"]) == ("credentials_rekeyed", "ops-1", "xledger")
    assert (await sync("log", "verify", "hlf")).status == 0


async def test_what_cannot_be_read_is_named_and_holds_up_nothing_else(scene: Scene, sync: CommandLine) -> None:
    for name in ("hlf", "nbf"):
        await scene.organization(name)
    await scene.fetch("update connector_secret set ciphertext = nonce where organization_id = 'hlf'")
    done = await under_the_new_key(sync)(*ROTATE, "--yes")
    assert done.status == 3
    assert done.err == "The credentials of hlf were changed or moved. Configure them again.\n"
    assert done.out == "Connectors with credentials encrypted anew: 1. Left as they were: 1.\n"
    again = await under_the_new_key(sync)(*ROTATE, "--yes", "--json")
    assert (again.status, again.json["waiting"], again.json["rotated"]) == (1, 1, 0)


async def test_without_the_old_key_nothing_is_changed_and_the_sentence_says_what_is_missing(
    scene: Scene, sync: CommandLine
) -> None:
    await scene.organization("hlf")
    refused = await under_the_new_key(sync, knows_the_old=False)(*ROTATE, "--yes")
    assert refused.status == 1
    assert "name it in SYNC_CREDENTIALS_OLD_KEYS" in refused.err
    assert (await sync("connector", "test", "hlf")).status == 0


async def test_an_old_key_that_is_no_key_is_told_before_anything_starts(sync: CommandLine) -> None:
    broken = replace(sync, settings={**sync.settings, "SYNC_CREDENTIALS_OLD_KEYS": f"{OLD_KEY}, s3cret"})
    refused = await broken("credentials", "status")
    assert refused.status == 2
    assert refused.err.startswith("SYNC_CREDENTIALS_OLD_KEYS: holds something that is not 32 bytes in base64")
    assert "s3cret" not in refused.err
