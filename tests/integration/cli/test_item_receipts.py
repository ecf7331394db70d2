"""`item show` of what has receipts."""

import pytest

from tests.events import approval
from tests.integration.cli.command import CommandLine
from tests.receipt_shelf import TOKEN, receipt_shelf
from tests.scene import Scene, fresh

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_item_show_tells_what_became_of_each_receipt_and_not_where_it_lay(
    scene: Scene, sync: CommandLine
) -> None:
    (name,) = fresh(1)
    await scene.organization("hlf", "business_central", attach_receipts=True)
    await scene.switch(True, kind="business_central")
    async with receipt_shelf() as shelf, scene.worker(receipt_allowed_hosts=frozenset({shelf.host})):
        files = [shelf.put("1"), shelf.put("2")]
        shelf.put("2", b"another content")
        await scene.approve(approval(name, receipts=files))

        async def are_settled() -> bool:
            return bool(await scene.value("select count(*) = 2 from receipt where state in ('attached', 'given_up')"))

        await scene.until(are_settled)
    shown = await sync("item", "show", "hlf", name, "--json")
    table = await sync("item", "show", "hlf", name)
    told = [(one["receipt"], one["state"], one["tries"], one["due_at"]) for one in shown.json["receipts"]]
    assert told == [(1, "attached", 1, None), (2, "given_up", 1, None)]
    retried = await sync("item", "retry", "hlf", name, "--actor", "user-9", "--reason", "The file is mended")
    assert retried.out == f"The receipts of {name} that were given up wait to be tried again.\n"
    again = await sync("item", "retry", "hlf", name, "--actor", "user-9", "--reason", "Once more", "--json")
    assert (again.status, again.out) == (1, "")
    waiting = (await sync("item", "show", "hlf", name, "--json")).json["receipts"][1]
    assert (waiting["state"], waiting["tries"], waiting["reason"]) == ("waiting", 0, None)
    assert TOKEN not in shown.out + table.out + retried.out + again.err
    assert "SHA-256 differs" in table.out
