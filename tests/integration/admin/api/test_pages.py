"""Lists of organisations, and the sync log: in pages, and no more than the caller's own."""

from http import HTTPStatus

import pytest

from tests.admin import Admin, admin_of, global_admin
from tests.integration.admin.api.two import API, OF_EACH, OTHER, OWN, TwoOrganizations

pytestmark = pytest.mark.asyncio(loop_scope="session")

ORGANIZATIONS = f"{API}/organizations"
LOG = f"{ORGANIZATIONS}/{OWN}/sync-log"


async def everything(admin: Admin, bearer: str, path: str, name: str, limit: int) -> list[dict[str, object]]:
    """All pages of so many, one after the other."""
    found: list[dict[str, object]] = []
    query = {"limit": str(limit)}
    async with admin.client(bearer) as client:
        while True:
            page = (await client.get(path, params=query)).json()
            assert 0 < len(page[name]) <= limit
            found += page[name]
            if page["next"] is None:
                return found
            query["cursor"] = page["next"]


async def test_a_global_administrator_sees_every_organisation_once(two: TwoOrganizations) -> None:
    await two.scene.fetch(
        "insert into organization select 'o-' || lpad(n::text, 4, '0'), 'O' from generate_series(1, 250) n"
    )
    found = await everything(two.admin, global_admin(), ORGANIZATIONS, "organizations", 100)
    assert [one["organization_id"] for one in found] == [
        row["organization_id"]
        for row in await two.scene.fetch("select organization_id from organization order by organization_id")
    ]


async def test_an_organisation_comes_with_its_connector_and_what_waits(two: TwoOrganizations) -> None:
    async with two.admin.client(admin_of(OWN)) as client:
        answer = (await client.get(ORGANIZATIONS)).json()
    assert answer["next"] is None
    (own,) = answer["organizations"]
    assert {name: own[name] for name in ("organization_id", "name", "connector", "enabled", "phase")} == {
        "organization_id": OWN, "name": "HLF", "connector": "xledger", "enabled": True, "phase": "on",
    }  # fmt: skip
    (waiting,) = own["waiting"]
    assert (waiting["count"], waiting["total"], waiting["currency"]) == (OF_EACH, f"{OF_EACH * 250}.00", "NOK")
    assert waiting["oldest"] == "2026-11-20T09:12:44Z"


async def test_an_administrator_of_several_sees_those(two: TwoOrganizations) -> None:
    await two.scene.fetch("insert into organization (organization_id, name) values ('third', 'Third')")
    found = await everything(two.admin, admin_of(OWN, OTHER, "not-set-up"), ORGANIZATIONS, "organizations", 1)
    assert [one["organization_id"] for one in found] == [OTHER, OWN]


async def test_an_administrator_of_none_sees_an_empty_list(two: TwoOrganizations) -> None:
    async with two.admin.client(admin_of()) as client:
        answer = await client.get(ORGANIZATIONS)
    assert (answer.status_code, answer.json()) == (HTTPStatus.OK, {"organizations": [], "next": None})


async def test_the_log_is_newest_first_and_whole_over_its_pages(two: TwoOrganizations) -> None:
    async with two.admin.client(admin_of(OWN)) as client:
        await client.post(f"{ORGANIZATIONS}/{OWN}/reimbursements/R-pending-0/retry", json={"reason": "why not"})
    found = await everything(two.admin, admin_of(OWN), LOG, "entries", 2)
    entries = [entry["entry_no"] for entry in await two.scene.log(OWN)]
    assert [entry["entry"] for entry in found] == entries[::-1]
    assert found[0]["change"] == "retry_refused"
    assert {entry["organization_id"] for entry in found} == {OWN}


QUERIES = (
    {"cursor": "neither one"}, {"cursor": "~1"}, {"cursor": "\x00"}, {"cursor": "x" * 5000}, {"cursor": "'; --"},
    {"limit": "0"}, {"limit": "-1"}, {"limit": "1001"}, {"limit": "9" * 40}, {"limit": "1e3"}, {"limit": "many"},
    {"limit": "\x00"},
)  # fmt: skip
STATES = ("nonsense", "", "PENDING", "\x00", "pending'")


@pytest.mark.parametrize("path", [ORGANIZATIONS, LOG, f"{ORGANIZATIONS}/{OWN}/reimbursements"])
async def test_a_page_that_can_not_be_is_refused_without_a_word_of_what_was_sent(
    two: TwoOrganizations, path: str
) -> None:
    async with two.admin.client(admin_of(OWN)) as client:
        for query in QUERIES:
            answer = await client.get(path, params=query)
            assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY, query
            assert answer.json()["type"] == "/problems/invalid-request"
            (sent,) = query.values()
            assert sent in {"0", "-1", "\x00"} or sent not in answer.text


async def test_a_state_that_there_is_not_is_refused_with_those_that_there_are(two: TwoOrganizations) -> None:
    async with two.admin.client(admin_of(OWN)) as client:
        for state in STATES:
            answer = await client.get(f"{ORGANIZATIONS}/{OWN}/reimbursements", params={"state": state})
            assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY, state
            assert "handled_elsewhere" in answer.json()["detail"]
