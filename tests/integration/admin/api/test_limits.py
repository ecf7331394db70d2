"""How often one caller may change something."""

import asyncio
from collections import Counter
from http import HTTPStatus

import pytest

from tests.admin import Admin, admin_of, global_admin
from tests.integration.admin.api.two import API, is_whole
from worker.admin.limits import BURST, SECONDS_EACH_QUESTION

pytestmark = pytest.mark.asyncio(loop_scope="session")

ENABLED = f"{API}/organizations/hlf/connector/enabled"
TOGGLES = 1000
AT_ONCE = 20


async def test_a_thousand_toggles_of_one_administrator_are_all_answered_and_the_excess_is_refused(admin: Admin) -> None:
    await admin.scene.organization()
    await admin.scene.switch(True)
    began = asyncio.get_running_loop().time()
    async with admin.client(admin_of("hlf")) as client:

        async def toggle_often(first: int) -> list[int]:
            bodies = [{"enabled": n % 2 == 0, "reason": f"toggle {n}"} for n in range(first, TOGGLES, AT_ONCE)]
            return [(await client.put(ENABLED, json=body)).status_code for body in bodies]

        answers = await asyncio.gather(*map(toggle_often, range(AT_ONCE)))
    seconds = asyncio.get_running_loop().time() - began
    counts = Counter(status for some in answers for status in some)
    assert set(counts) == {HTTPStatus.OK, HTTPStatus.TOO_MANY_REQUESTS}
    assert counts.total() == TOGGLES
    assert BURST <= counts[HTTPStatus.OK] <= BURST + seconds + 1
    entries = [entry for entry in await admin.scene.log() if entry["source"] == "http"]
    assert sum(entry["change"] != "sync_run_started" for entry in entries) == counts[HTTPStatus.OK]
    assert await is_whole(admin.scene)


async def test_whoever_is_too_fast_is_told_when_to_come_back_and_nobody_else_has_to_wait(admin: Admin) -> None:
    await admin.scene.organization()
    body = {"enabled": False, "reason": "x"}
    async with admin.client(admin_of("hlf")) as client:
        refused = next(
            answer
            for answer in [await client.put(ENABLED, json=body) for _ in range(BURST * 3)]
            if answer.status_code != HTTPStatus.OK
        )
        read = await client.get(f"{API}/organizations/hlf/connector")
    async with admin.client(global_admin()) as client:
        others = await client.put(ENABLED, json=body)
    assert (refused.status_code, refused.json()["type"]) == (429, "/problems/too-many-requests")
    assert refused.headers["retry-after"] == "1"
    assert (read.status_code, others.status_code) == (HTTPStatus.OK, HTTPStatus.OK)


async def test_a_stranger_can_not_flood_anothers_log(admin: Admin) -> None:
    await admin.scene.organization("other")
    began = asyncio.get_running_loop().time()
    async with admin.client(admin_of("hlf")) as client:
        body = {"enabled": True, "reason": "flood"}
        path = f"{API}/organizations/other/connector/enabled"
        answers = Counter([(await client.put(path, json=body)).status_code for _ in range(BURST * 3)])
    seconds = asyncio.get_running_loop().time() - began
    assert set(answers) == {HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}
    assert answers[HTTPStatus.FORBIDDEN] <= BURST + seconds + 1

    async def all_written() -> bool:
        written = [entry for entry in await admin.scene.log("other") if entry["change"] == "toggle_refused"]
        return len(written) == answers[HTTPStatus.FORBIDDEN]

    await admin.scene.until(all_written)


@pytest.mark.parametrize("address", [f"{API}/organizations/hlf/release-preview", "/organizations/hlf/connector/switch"])
async def test_the_erp_is_asked_only_so_often_for_one_caller(admin: Admin, address: str) -> None:
    await admin.scene.organization()
    asked = {"connector": "xledger"} | ({} if address.startswith(API) else {"enabled": "on"})
    async with admin.client(admin_of("hlf")) as client:
        answers = [(await client.get(address, params=asked)) for _ in range(BURST + 1)]
        while answers[-1].status_code == HTTPStatus.OK and len(answers) < BURST * 3:
            answers.append(await client.get(address, params=asked))
        read = await client.get(f"{API}/organizations/hlf/connector")
    async with admin.client(global_admin()) as client:
        others = await client.get(address, params=asked)
    assert {answer.status_code for answer in answers[:BURST]} == {HTTPStatus.OK}
    assert answers[-1].status_code == HTTPStatus.TOO_MANY_REQUESTS
    assert int(answers[-1].headers["retry-after"]) <= SECONDS_EACH_QUESTION
    assert (read.status_code, others.status_code) == (HTTPStatus.OK, HTTPStatus.OK)
