"""A connector is checked at the ERP before its first enable; whoever reads the preview sees what is wrong."""

import asyncio
import json

import pytest

from connectors.contract import Problem
from deploy.local.configurations import SAMPLE_MAPPING
from deploy.local.sandboxes.faults import Action, FaultRule
from tests.events import approval
from tests.integration.worker.rows import take_in
from tests.scene import ADMIN, Scene
from worker import readiness
from worker.bootstrap import make_adapters
from worker.domain.switching import Actor, Phase, Role, Toggle, Verdict
from worker.readiness import NotReady
from worker.toggles import Toggled

pytestmark = pytest.mark.asyncio(loop_scope="session")

WRONG = {**SAMPLE_MAPPING, "expense_types": {"travel": {"account": "9999"}, "meals": {"account": "9998"}}}
PROBLEMS = [Problem(f"account {account}", f"Xledger has no account {account}.") for account in ("9998", "9999")]
STRANGER = Actor("user-9", Role.ORGANIZATION_ADMIN, frozenset({"other"}))


async def enable(
    scene: Scene, *, actor: Actor = ADMIN, reason: str = "a test", unchecked: bool = False
) -> Toggled | NotReady:
    toggle = Toggle("hlf", "xledger", enabled=True, reason=reason, actor=actor)
    return await readiness.switch(scene.pool, make_adapters(scene.settings), toggle, "http", unchecked=unchecked)


async def asked(scene: Scene) -> int:
    total, _ = await scene.erps["xledger"].requests_at_the_door()
    return total


async def test_the_first_enable_is_refused_with_all_problems_switches_nothing_and_is_on_record(scene: Scene) -> None:
    await scene.organization("hlf", "xledger", mapping=WRONG)
    refused = await enable(scene)
    assert isinstance(refused, NotReady)
    assert refused.problems == PROBLEMS
    assert not await scene.value("select enabled from connector")
    entry = (await scene.log())[-1]
    assert (entry["change"], entry["actor"], entry["new_state"]) == ("toggle_refused", "admin-1", "off")
    assert json.loads(entry["detail"])["answer"] == refused.sentence


async def test_once_it_is_mended_the_first_enable_goes_through_and_says_that_it_was_checked(scene: Scene) -> None:
    await scene.organization("hlf", "xledger", mapping=WRONG)
    await enable(scene)
    await scene.configure()
    switched = await enable(scene)
    assert isinstance(switched, Toggled)
    assert switched.phase is Phase.ON
    assert json.loads((await scene.logged("connector_enabled"))["detail"]) == {"checked": True}


async def test_who_wants_it_unchecked_gets_it_without_a_request_and_the_log_says_so(scene: Scene) -> None:
    await scene.organization("hlf", "xledger", mapping=WRONG)
    before = await asked(scene)
    switched = await enable(scene, unchecked=True)
    assert isinstance(switched, Toggled)
    assert switched.phase is Phase.ON
    assert await asked(scene) == before
    assert json.loads((await scene.logged("connector_enabled"))["detail"]) == {"checked": False}


async def test_only_the_first_enable_is_checked(scene: Scene) -> None:
    await scene.organization()
    await enable(scene)
    await scene.switch(False)
    await scene.configure("hlf", "xledger", mapping=WRONG)
    before = await asked(scene)
    assert isinstance(await enable(scene), Toggled)
    assert await asked(scene) == before


@pytest.mark.parametrize(("actor", "reason"), [(STRANGER, "a test"), (ADMIN, " ")])
async def test_a_toggle_that_is_refused_anyway_has_nothing_asked_at_the_erp(
    scene: Scene, actor: Actor, reason: str
) -> None:
    await scene.organization()
    before = await asked(scene)
    refused = await enable(scene, actor=actor, reason=reason)
    assert isinstance(refused, Toggled)
    assert refused.decision.verdict is Verdict.REFUSED
    assert await asked(scene) == before


async def test_an_erp_that_refuses_the_credentials_is_a_problem_of_the_connection(scene: Scene) -> None:
    await scene.organization("hlf", "xledger", credentials={"token": "made-up"})
    refused = await enable(scene)
    assert isinstance(refused, NotReady)
    (problem,) = refused.problems
    assert problem.subject == "connection"
    assert "configure the connector again" in problem.message


async def test_no_transaction_is_open_while_the_erp_is_asked(scene: Scene) -> None:
    erp = scene.erps["xledger"]
    await scene.organization()
    before = (await erp.requests()).get("periodStatusItems", 0)
    await erp.set_faults(FaultRule(action=Action.DELAY_BEFORE, kind="periodStatusItems", seconds=1))
    enabling = asyncio.create_task(enable(scene))
    await erp.wait_requests("periodStatusItems", before + 1)
    open_ones = await scene.value(
        "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'"
    )
    assert not enabling.done()
    assert isinstance(await enabling, Toggled)
    assert open_ones == 0


async def test_the_preview_shows_what_would_be_sent_and_what_is_wrong_at_the_erp(scene: Scene) -> None:
    await scene.organization("hlf", "xledger", mapping=WRONG)
    await take_in(scene.pool, approval("R-1"))
    preview = await readiness.preview(scene.pool, make_adapters(scene.settings), "hlf")
    assert preview is not None
    assert (preview.count, preview.would_be_rejected) == (1, [])
    assert preview.problems is not None
    assert [problem.subject for problem in preview.problems] == ["account 9998", "account 9999"]


async def test_the_preview_is_shown_also_where_no_adapter_can_be_made(scene: Scene) -> None:
    await scene.organization()
    keyless = scene.settings.model_copy(update={"credentials_key": None})
    preview = await readiness.preview(scene.pool, make_adapters(keyless), "hlf")
    assert preview is not None
    assert preview.problems is not None
    assert [problem.subject for problem in preview.problems] == ["credentials"]


async def test_without_a_connector_there_is_no_preview(scene: Scene) -> None:
    assert await readiness.preview(scene.pool, make_adapters(scene.settings), "hlf") is None
