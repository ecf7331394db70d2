"""Items over HTTP: in pages, at length, and what a person decides about them."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import pytest

from tests.admin import admin_of
from tests.integration.admin.api.two import API, OF_EACH, OTHER, OWN, TwoOrganizations
from tests.integration.worker.rows import bring_to

pytestmark = pytest.mark.asyncio(loop_scope="session")

ITEMS = f"{API}/organizations/{OWN}/reimbursements"
NO_REASONS: Sequence[Mapping[str, object]] = (
    {},
    {"reason": ""},
    {"reason": " "},
    {"reason": None},
    {"reason": "x", "more": 1},
)
WHY = {"reason": "Mapping mended"}


async def test_pages_hold_every_item_once_in_the_order_of_arrival(two: TwoOrganizations) -> None:
    found: list[str] = []
    cursor: str | None = None
    async with two.admin.client(admin_of(OWN)) as client:
        while True:
            query = {"limit": "7"} | ({"cursor": cursor} if cursor else {})
            page = (await client.get(ITEMS, params=query)).json()
            assert len(page["items"]) <= 7
            found += [item["reimbursement_id"] for item in page["items"]]
            cursor = page["next"]
            if cursor is None:
                break
    assert found == list(await two.scene.states(OWN))


async def test_a_state_lists_what_is_in_it_alone(two: TwoOrganizations) -> None:
    async with two.admin.client(admin_of(OWN)) as client:
        rejected = (await client.get(ITEMS, params={"state": "rejected"})).json()["items"]
        synced = (await client.get(ITEMS, params={"state": "synced"})).json()
    assert len(rejected) == OF_EACH
    assert {item["state"] for item in rejected} == {"rejected"}
    assert synced == {"items": [], "next": None}


async def test_a_run_lists_what_it_left_to_a_person_alone(two: TwoOrganizations) -> None:
    await two.scene.fetch(
        "update item set run_id = $1::uuid where reimbursement_id ~ '^R-(rejected|pending)-[01]$'", two.runs[OWN]
    )
    async with two.admin.client(admin_of(OWN)) as client:
        left = (await client.get(ITEMS, params={"run": two.runs[OWN], "limit": "1"})).json()
        rest = (await client.get(ITEMS, params={"run": two.runs[OWN], "cursor": left["next"]})).json()
        others = [
            (await client.get(ITEMS, params=query)).json()
            for query in ({"run": two.runs[OTHER]}, {"run": two.runs[OWN], "state": "pending"})
        ]
        nonsense = await client.get(ITEMS, params={"run": "x"})
    assert [item["reimbursement_id"] for item in left["items"] + rest["items"]] == ["R-rejected-0", "R-rejected-1"]
    assert rest["next"] is None
    assert others == [{"items": [], "next": None}] * 2
    assert nonsense.status_code == HTTPStatus.UNPROCESSABLE_ENTITY


async def test_an_item_comes_with_every_attempt(two: TwoOrganizations) -> None:
    await two.scene.fetch(
        "insert into attempt_entry (organization_id, reimbursement_id, attempt, kind, connector, reference, "
        "claimed_at, recorded_by, outcome) select $1, 'R-rejected-0', number, 'settled', 'xledger', 'R', now(), "
        "gen_random_uuid(), 'rejected' from generate_series(1, 3) number",
        OWN,
    )
    async with two.admin.client(admin_of(OWN)) as client:
        item = (await client.get(f"{ITEMS}/R-rejected-0")).json()
    assert (item["reimbursement_id"], item["state"], item["total"], item["currency"], item["reason"]) == (
        "R-rejected-0", "rejected", "250.00", "NOK", "2025 is closed.",
    )  # fmt: skip
    assert [one["attempt"] for one in item["attempts"]] == [1, 2, 3]


async def test_a_rejected_item_that_is_retried_is_answered_as_pending(two: TwoOrganizations) -> None:
    async with two.admin.client(admin_of(OWN)) as client:
        retried = await client.post(f"{ITEMS}/R-rejected-0/retry", json=WHY)
        shown = await client.get(f"{ITEMS}/R-rejected-0")
    assert (retried.status_code, retried.json()["state"]) == (HTTPStatus.OK, "pending")
    assert retried.json() == shown.json()
    entry = await two.scene.logged("item_retried", OWN)
    assert (entry["actor"], entry["source"], entry["reason"]) == ("user-9", "http", "Mapping mended")


async def test_receipts_that_are_tried_again_are_answered_as_waiting_beside_an_item_that_stays(
    two: TwoOrganizations,
) -> None:
    await bring_to(two.scene.pool, "synced", "R-pending-0", organization_id=OWN)
    await two.scene.fetch(
        "insert into receipt (organization_id, reimbursement_id, position, state, reason) "
        "values ($1, 'R-pending-0', 1, 'given_up', 'It is away.')",
        OWN,
    )
    async with two.admin.client(admin_of(OWN)) as client:
        answers = [await client.post(f"{ITEMS}/R-pending-0/retry", json=WHY) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [HTTPStatus.OK, HTTPStatus.CONFLICT]
    item = answers[0].json()
    assert (item["state"], item["receipts"][0]["state"], item["receipts"][0]["tries"]) == ("synced", "waiting", 0)
    entry = await two.scene.logged("receipts_retried", OWN)
    assert (entry["actor"], entry["source"], entry["reason"]) == ("user-9", "http", "Mapping mended")


async def test_what_is_handled_elsewhere_is_answered_so_with_the_reason(two: TwoOrganizations) -> None:
    async with two.admin.client(admin_of(OWN)) as client:
        handed = (await client.post(f"{ITEMS}/R-pending-0/handled-elsewhere", json={"reason": "Voucher 20417"})).json()
    assert (handed["state"], handed["reason"]) == ("handled_elsewhere", "Voucher 20417")
    assert (await two.scene.logged("item_handled_elsewhere", OWN))["source"] == "http"


@pytest.mark.parametrize(
    ("state", "action", "change"),
    [
        ("synced", "retry", "retry_refused"),
        ("pending", "retry", "retry_refused"),
        ("synced", "handled-elsewhere", "handled_elsewhere_refused"),
        ("sending", "handled-elsewhere", "handled_elsewhere_refused"),
    ],
)
async def test_a_decision_that_comes_at_the_wrong_time_is_refused_and_logged(
    two: TwoOrganizations, state: str, action: str, change: str
) -> None:
    if state != "pending":
        await bring_to(two.scene.pool, state, "R-pending-0", organization_id=OWN)
    async with two.admin.client(admin_of(OWN)) as client:
        refused = await client.post(f"{ITEMS}/R-pending-0/{action}", json=WHY)
    assert (refused.status_code, refused.json()["type"]) == (HTTPStatus.CONFLICT, "/problems/not-possible-now")
    assert (await two.scene.logged(change, OWN))["reason"] == refused.json()["detail"]
    assert (await two.scene.states(OWN))["R-pending-0"] == state


@pytest.mark.parametrize("action", ["", "/retry", "/handled-elsewhere"])
async def test_a_reimbursement_that_is_not_there_is_not_found(two: TwoOrganizations, action: str) -> None:
    async with two.admin.client(admin_of(OWN)) as client:
        answer = await client.request("POST" if action else "GET", f"{ITEMS}/R-none{action}", json=WHY)
    assert (answer.status_code, answer.json()["type"]) == (HTTPStatus.NOT_FOUND, "/problems/not-found")
    assert "R-none" not in answer.text


@pytest.mark.parametrize("action", ["retry", "handled-elsewhere"])
async def test_a_decision_without_a_reason_decides_nothing(two: TwoOrganizations, action: str) -> None:
    async with two.admin.client(admin_of(OWN)) as client:
        for body in NO_REASONS:
            answer = await client.post(f"{ITEMS}/R-rejected-0/{action}", json=body)
            assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY, body
    assert (await two.scene.states(OWN))["R-rejected-0"] == "rejected"
