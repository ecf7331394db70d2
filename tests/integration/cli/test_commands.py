"""What operators type, what they read, and the exit status that their scripts see."""

import asyncio
import json
from dataclasses import replace

import pytest

from deploy.local.configurations import SAMPLE_MAPPING, configuration
from deploy.local.database import create_database, drop_database
from deploy.local.services import Services
from tests.conftest import RUN, sibling
from tests.events import approval
from tests.integration.cli.command import CommandLine
from tests.integration.worker.rows import bring_to, take_in
from tests.scene import Scene
from worker.domain.switching import Phase

pytestmark = pytest.mark.asyncio(loop_scope="session")

EMPTY = f"cli_empty_{RUN}"
WHO = ("--actor", "user-9", "--reason", "Onboarding done")
ITEM = {
    "reimbursement_id", "state", "attempt", "total", "currency", "document", "reason", "waiting_for",
}  # fmt: skip
ENTRY = {"at", "actor", "organization_id", "connector", "change", "new_state", "reason"}
CONNECTOR = {
    "connector", "enabled", "phase", "in_flight", "changed_by", "changed_at", "reason",
}  # fmt: skip


def _file(scene: Scene, **more: object) -> str:
    return json.dumps(configuration(scene.erps["xledger"], **more))


async def test_an_organisation_from_its_first_day_until_it_is_switched_off_again(
    scene: Scene, sync: CommandLine
) -> None:
    added = await sync("organization", "add", "hlf", "--name", "HLF")
    assert (added.status, added.err) == (0, "")
    configured = await sync("connector", "configure", "hlf", "xledger", "--file", "-", "--json", stdin=_file(scene))
    assert configured.status == 0, configured.err
    assert configured.json == {"organization_id": "hlf", "connector": "xledger", "phase": "off"}
    await take_in(scene.pool, approval("R-1"))
    enabled = await sync("connector", "enable", "hlf", *WHO, "--json")
    assert (enabled.status, enabled.json["phase"], enabled.json["changed_by"]) == (0, "on", "user-9")
    assert enabled.json.keys() >= CONNECTOR
    assert enabled.json["waiting"][0]["count"] == 1
    listed = await sync("item", "list", "hlf", "--json")
    assert listed.json["next"] is None
    assert listed.json["items"][0].keys() >= ITEM
    assert (listed.json["items"][0]["total"], listed.json["items"][0]["waiting_for"]) == ("250.00", "its turn")
    disabled = await sync("connector", "disable", "hlf", *WHO)
    assert disabled.status == 0
    assert disabled.out.startswith("The Xledger connector for hlf is disabled.\n")
    log = await sync("log", "list", "hlf", "--json")
    assert log.json["next"] is None
    assert all(entry.keys() >= ENTRY for entry in log.json["entries"])
    newest = log.json["entries"][0]
    assert (newest["change"], newest["actor"], newest["actor_role"]) == (
        "connector_disabled", "user-9", "global_admin",
    )  # fmt: skip


async def test_the_first_enable_of_a_connector_that_is_not_ready_exits_1_with_a_table_of_what_is_wrong(
    scene: Scene, sync: CommandLine
) -> None:
    await scene.organization("hlf", "xledger", mapping={**SAMPLE_MAPPING, "counter_account": "9999"})
    refused = await sync("connector", "enable", "hlf", *WHO)
    assert (refused.status, refused.out.splitlines()[0].split()) == (1, ["WHAT", "WRONG"])
    assert "Xledger has no account 9999." in refused.out
    assert refused.err == (
        "The check before the first enable found 1 problem. Nothing was switched. Mend it and try again. "
        "Or enable it all the same: --unchecked\n"
    )
    in_json = await sync("connector", "enable", "hlf", *WHO, "--json")
    problem = {"subject": "account 9999", "message": "Xledger has no account 9999."}
    assert (in_json.status, in_json.json) == (1, {"ready": False, "problems": [problem]})
    preview = await sync("connector", "preview", "hlf", "--json")
    assert (preview.status, preview.json["problems"]) == (0, [problem])
    assert "Xledger has no account 9999." in (await sync("connector", "preview", "hlf")).out
    enabled = await sync("connector", "enable", "hlf", *WHO, "--unchecked", "--json")
    assert (enabled.status, enabled.json["phase"]) == (0, "on")
    newest = (await sync("log", "list", "hlf", "--json")).json["entries"]
    assert [entry["change"] for entry in newest[:3]] == ["sync_run_started", "connector_enabled", "toggle_refused"]
    assert newest[1]["detail"] == {"checked": False}


async def test_a_run_while_the_connector_is_off_exits_1_with_the_interfaces_sentence(
    scene: Scene, sync: CommandLine
) -> None:
    await scene.organization()
    refused = await sync("sync", "run", "hlf", "--actor", "user-9", "--json")
    assert (refused.status, refused.out) == (1, "")
    assert refused.err == (
        "The Xledger connector for hlf is disabled (it was never enabled). Nothing was synced. Enable it first.\n"
    )
    assert (await scene.log())[-1]["change"] == "sync_run_refused"


async def test_a_run_that_is_waited_for_exits_3_when_something_was_rejected(scene: Scene, sync: CommandLine) -> None:
    await scene.organization("hlf", "xledger", release_policy="next_sync")
    async with scene.worker():
        await scene.approve(approval("C-1"), approval("C-bad", claimant={"id": "nobody"}))
        await scene.counted("item", 2)
        await scene.switch(True)
        ran = await sync("sync", "run", "hlf", "--actor", "user-9", "--wait", "--json")
        assert (ran.status, ran.err) == (3, "")
        assert (ran.json["state"], ran.json["requested_by"], ran.json["kind"]) == ("finished", "user-9", "manual")
        assert ran.json["counts"] == {"synced": 1, "rejected": 1, "unknown": 0, "remaining": 0}
        shown = await sync("sync", "show", ran.json["run_id"], "--json")
        assert (shown.status, shown.json) == (0, ran.json)
        refused = await sync("item", "retry", "hlf", "C-1", *WHO)
        sentence = (
            "C-1 is synced, and only what was rejected or is unknown, or a receipt that was given up, can be retried.\n"
        )
        assert (refused.status, refused.err) == (1, sentence)
        handled = await sync("item", "handled-elsewhere", "hlf", "C-bad", *WHO, "--json")
        assert (handled.status, handled.json) == (0, {"reimbursement_id": "C-bad", "state": "handled_elsewhere"})
        ready = await sync("connector", "test", "hlf", "--json")
        assert (ready.status, ready.json) == (0, {"ready": True, "problems": []})


async def test_an_enable_that_is_waited_for_returns_once_its_run_is_finished_and_exits_3_when_something_was_rejected(
    scene: Scene, sync: CommandLine
) -> None:
    erp = scene.erps["xledger"]
    await scene.organization()
    await take_in(scene.pool, approval("E-1"), approval("E-bad", claimant={"id": "nobody"}))
    async with scene.worker():
        await erp.hold()
        waiting = asyncio.create_task(sync("connector", "enable", "hlf", *WHO, "--wait"))
        await erp.wait_held(1)
        assert not waiting.done()
        await erp.release()
        enabled = await waiting
        assert (enabled.status, enabled.err) == (3, "")
        facts = dict(line.split(None, 1) for line in enabled.out.splitlines() if line)
        assert (facts["state"], facts["synced"], facts["rejected"], facts["phase"]) == ("finished", "1", "1", "on")
        again = await sync("connector", "enable", "hlf", *WHO, "--wait", "--json")
        assert (again.status, again.json["phase"]) == (0, "on")


async def test_an_enable_that_starts_no_run_leaves_nothing_to_wait_for(scene: Scene, sync: CommandLine) -> None:
    await scene.organization("hlf", "xledger", release_policy="next_sync")
    await take_in(scene.pool, approval("E-2"))
    enabled = await sync("connector", "enable", "hlf", *WHO, "--wait", "--json")
    assert (enabled.status, enabled.json["phase"], enabled.json["waiting"][0]["count"]) == (0, "on", 1)


async def test_disable_with_wait_returns_once_nothing_is_in_flight(scene: Scene, sync: CommandLine) -> None:
    erp = scene.erps["xledger"]
    await scene.organization()
    async with scene.worker():
        await erp.hold()
        await scene.approve(approval("D-1"))
        await scene.switch(True)
        await erp.wait_held(1)
        assert (await scene.switch(False)).phase is Phase.SWITCHING_OFF
        still = await sync("connector", "disable", "hlf", *WHO, "--json")
        assert (still.json["phase"], still.json["in_flight"]) == ("switching_off", 1)
        await erp.release()
        quiet = await sync("connector", "disable", "hlf", *WHO, "--wait", "--json")
        assert (quiet.status, quiet.json["phase"], quiet.json["in_flight"]) == (0, "off", 0)


async def test_off_says_how_many_outcomes_are_unknown_and_a_dead_worker_does_not_keep_the_command_waiting(
    scene: Scene, sync: CommandLine
) -> None:
    await scene.organization()
    await take_in(scene.pool, approval("D-2"), approval("D-3"))
    await scene.switch(True)
    await bring_to(scene.pool, "unknown", "D-2")
    await bring_to(scene.pool, "sending", "D-3")
    quiet = await sync("connector", "disable", "hlf", *WHO, "--wait")
    assert (quiet.status, quiet.err) == (0, "")
    facts = dict(line.split(None, 1) for line in quiet.out.splitlines() if line.startswith("phase"))
    assert facts == {"phase": "off, 2 outcomes unknown"}
    shown = await sync("connector", "show", "hlf", "--json")
    assert (shown.json["phase"], shown.json["outcome_unknown"]) == ("off", 2)
    retried = await sync("item", "retry", "hlf", "D-2", *WHO)
    assert retried.out == "The outcome of D-2 is unknown; it is looked up at the ERP once more.\n"


async def test_bad_settings_exit_2_with_one_line_each_before_anything_starts(sync: CommandLine) -> None:
    bad = {"SYNC_CREDENTIALS_KEY": "hunter2", "SYNC_HTTP_PORT": "many", "SYNC_ROLES": "", "SYNC_DATABASE_URL": "p4ss"}
    answer = await replace(sync, settings=bad, secrets=frozenset({"hunter2", "many", "p4ss"}))("organization", "list")
    assert (answer.status, answer.out) == (2, "")
    names = [line.partition(": ")[0] for line in answer.err.splitlines()]
    assert sorted(names) == ["SYNC_CREDENTIALS_KEY", "SYNC_DATABASE_URL", "SYNC_HTTP_PORT", "SYNC_ROLES"]


async def test_a_database_that_is_away_exits_1_without_its_password(sync: CommandLine) -> None:
    settings = {**sync.settings, "SYNC_DATABASE_URL": "postgresql://sync:p4ss@127.0.0.1:9/sync"}
    answer = await replace(sync, settings=settings, secrets=frozenset({"p4ss"}))("organization", "list", "--json")
    assert (answer.status, answer.out) == (1, "")
    assert answer.err.startswith("PostgreSQL could not be reached")
    assert answer.err.endswith("Check SYNC_DATABASE_URL.\n")


async def test_an_empty_database_is_told_and_then_migrated(services: Services, sync: CommandLine) -> None:
    await create_database(services.database_url, EMPTY)
    try:
        settings = {**sync.settings, "SYNC_DATABASE_URL": sibling(services.database_url, EMPTY)}
        fresh = replace(sync, settings=settings)
        empty = await fresh("organization", "list")
        sentence = "The database has no tables yet. Run: accounting-sync migrate up\n"
        assert (empty.status, empty.err) == (1, sentence)
        without_tables = replace(fresh, settings={**settings, "SYNC_PROBE_PORT": "0", "SYNC_HTTP_PORT": "0"})
        worker = await without_tables("worker", "run")
        assert (worker.status, worker.err) == (1, sentence)
        applied = await fresh("migrate", "up", "--json")
        assert applied.json["applied"][0] == "0001_initial.pre.sql"
        standings = (await fresh("migrate", "status", "--json")).json["migrations"]
        assert all(one["applied_at"] for one in standings)
    finally:
        await drop_database(services.database_url, EMPTY)


async def test_a_cursor_that_no_page_gave_exits_2(sync: CommandLine) -> None:
    answer = await sync("item", "list", "hlf", "--after", "xyz")
    sentence = "That is no cursor that a page gave as its next. Leave it out to begin anew.\n"
    assert (answer.status, answer.out, answer.err) == (2, "", sentence)


async def test_a_configuration_with_mistakes_exits_1_with_a_sentence_each(scene: Scene, sync: CommandLine) -> None:
    await scene.organization()
    answer = await sync(
        "connector", "configure", "hlf", "xledger", "--file", "-", stdin=_file(scene, colour="blue", concurrency=99)
    )
    assert (answer.status, answer.out) == (1, "")
    assert sorted(answer.err.splitlines()) == ["colour is not a known setting.", "concurrency is outside its range."]


async def test_a_log_that_was_tampered_with_exits_1(scene: Scene, sync: CommandLine) -> None:
    await scene.organization("hlf")
    await scene.organization("whole")
    async with scene.pool.acquire() as connection:
        await connection.execute("alter table sync_log disable trigger sync_log_is_written_once")
        await connection.execute("update sync_log set actor = 'x' where organization_id = 'hlf' and entry_no = 1")
    answer = await sync("log", "verify", "--json")
    broken = {"hlf": "Entry 1 was changed after it was written."}
    assert (answer.status, answer.json) == (1, {"verified": 1, "broken": broken})
    assert answer.err == "1 of 2 logs is not whole: hlf.\n"


async def test_a_check_that_finds_something_says_so_beside_its_table(scene: Scene, sync: CommandLine) -> None:
    await scene.organization("hlf", "xledger", mapping={**SAMPLE_MAPPING, "counter_account": "9999"})
    answer = await sync("connector", "test", "hlf")
    assert (answer.status, answer.err) == (1, "The check found 1 problem. Mend it and test again.\n")
    assert "Xledger has no account 9999." in answer.out


async def test_approvals_of_an_organisation_that_is_not_set_up_are_found_in_the_list_of_all(
    scene: Scene, sync: CommandLine
) -> None:
    await scene.organization()
    await take_in(scene.pool, approval("R-1", organization_id="stranger"), approval("R-2", organization_id="stranger"))
    listed = (await sync("organization", "list", "--json")).json["organizations"]
    assert [one["organization_id"] for one in listed] == ["hlf", "stranger"]
    stranger = listed[1]
    assert {key: stranger[key] for key in ("name", "connector", "enabled", "phase")} == {
        "name": None, "connector": None, "enabled": False, "phase": None,
    }  # fmt: skip
    assert stranger.keys() == listed[0].keys()
    assert stranger["waiting"][0]["count"] == 2
    row = (await sync("organization", "list")).out.splitlines()[-1]
    assert row.split() == ["stranger", "-", "-", "-", "2", "500.00", "NOK"]


async def test_nothing_that_is_stored_moves_an_operators_cursor(scene: Scene, sync: CommandLine) -> None:
    nasty = "A\x1b[2J\u009b2J\u202eB\nC"
    added = await sync("organization", "add", "odd", "--name", nasty)
    assert added.status == 0
    await scene.organization()
    refused = await sync("connector", "enable", "hlf", "--actor", nasty, "--reason", nasty, "--unchecked")
    shown = [
        added,
        refused,
        await sync("organization", "list"),
        await sync("log", "list", "hlf"),
        await sync("connector", "show", "hlf"),
    ]
    written = "".join(one.out + one.err for one in shown)
    assert [letter for letter in written if not letter.isprintable() and letter != "\n"] == []
    assert "A[2J2JB C" in written
    assert (await sync("organization", "list", "--json")).json["organizations"][-1]["name"] == nasty


async def test_a_worker_that_can_read_no_credentials_exits_2_before_anything_starts(
    scene: Scene, sync: CommandLine
) -> None:
    await scene.organization()
    bare = {name: value for name, value in sync.settings.items() if name != "SYNC_CREDENTIALS_KEY"}
    keyless = replace(sync, settings={**bare, "SYNC_ROLES": "dispatch", "SYNC_PROBE_PORT": "0"})
    refused = await keyless("worker", "run")
    assert (refused.status, refused.out, len(refused.err.splitlines())) == (2, "", 1)
    assert refused.err.startswith("SYNC_CREDENTIALS_KEY: is missing; the role dispatch reads credentials with it")
    assert (await keyless("connector", "show", "hlf")).status == 0


async def test_what_no_eye_sees_is_left_out_of_a_reason(scene: Scene, sync: CommandLine) -> None:
    await scene.organization()
    disabled = await sync(
        "connector", "disable", "hlf", "--actor", "user-9", "--reason", "\x1b[2JNew\u202e keys\u200b\n"
    )
    assert disabled.status == 0
    assert (await scene.log())[-1]["reason"] == "[2JNew keys"
    empty = await sync("connector", "disable", "hlf", "--actor", "user-9", "--reason", "\u200b")
    assert (empty.status, empty.err) == (1, "A reason is required. Say why the connector is switched, and try again.\n")
