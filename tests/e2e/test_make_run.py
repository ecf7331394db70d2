"""What `make run` and `make run ONCE=1` do, as processes on real services; and that nothing of them is left."""

import json
import shutil
import signal
import subprocess
from pathlib import Path

import httpx2

from deploy.local.run import SAMPLE
from deploy.local.sample.command_line import PROGRAM
from tests.e2e.a_run import EMBEDDED, a_run
from tests.scene import PATIENCE

GOOD = "Everything ended where it should."


def test_once_plays_the_sample_prints_the_table_and_leaves_nothing() -> None:
    with a_run("--once") as run:
        run.until("Worker: ready")
        left = run.what_it_has()
        assert len(left.ports) >= 6
        assert run.to_the_end() == 0, run.text
        assert GOOD in run.text
        way = "held while off → rejected: unmapped_expense_type → retried → posted"
        assert run.cells_of("hlf", "R-2026-000403")[2:5] == ["180.00 NOK", way, "synced"]
        assert run.cells_of("doveforbundet", "R-2026-000601")[2:] == [
            "510.00 NOK",
            "waits: not set up yet",
            "pending",
            "-",
            "yes",
        ]
        assert run.cells_of("conflicting_content")[1:] == ["1", "1"]
        assert "The Xledger connector for hlf is disabled (it was never enabled)" in run.text
        assert "DIFFERS" not in run.text
        left.assert_nothing_is_there()


def test_once_exits_with_1_and_says_what_differs_when_an_item_ends_elsewhere(tmp_path: Path) -> None:
    sample = tmp_path / "sample"
    shutil.copytree(SAMPLE, sample)
    expected = json.loads((sample / "expected.json").read_bytes())
    expected["items"][0]["state"] = "rejected"
    expected["dead_letters"]["too_large"] = 2
    (sample / "expected.json").write_text(json.dumps(expected))
    with a_run("--once", "--sample", str(sample), **EMBEDDED) as run:
        assert run.to_the_end() == 1, run.text
    assert [line for line in run.said if line.startswith("DIFFERS")] == [
        "DIFFERS  hlf R-2026-000401: expected the state “rejected”, found “synced”.",
        "DIFFERS  Dead letters stored, too_large: expected 2, found 1.",
        "DIFFERS  Dead letters on the topic, too_large: expected 2, found 1.",
    ]
    assert "3 things differ from what should be." in run.text
    assert "The worker's log ends with" in run.text


def test_run_on_embedded_services_stays_until_ctrl_c_and_then_leaves_nothing() -> None:
    with a_run(**EMBEDDED) as run:
        assert "EMBEDDED AND IN MEMORY, for looking only" in run.until("Kafka:")
        run.until("Running until Ctrl-C.")
        assert GOOD in run.text
        left = run.what_it_has()
        assert left.folder.stat().st_mode & 0o044 == 0
        assert _organizations(left.folder / "environment") == {"hlf", "blindeforbundet", "doveforbundet"}
        assert "admin-global, admin-hlf," in run.cells_of("sign in as")[1]
        _sign_in_is_offered(run.cells_of("screens")[1])
        run.process.send_signal(signal.SIGINT)
        assert run.to_the_end() == 130
        assert run.said[-1] == "Stopped."
        assert "Traceback" not in run.text
        left.assert_nothing_is_there()


def test_sigterm_while_starting_stops_in_order_and_leaves_nothing() -> None:
    with a_run() as run:
        run.until("PostgreSQL:")
        left = run.as_soon_as_it_listens()
        run.process.send_signal(signal.SIGTERM)
        assert run.to_the_end() == 143
        assert run.said[-1] == "Stopped."
        assert "Traceback" not in run.text
        left.assert_nothing_is_there()


def test_what_cannot_be_had_is_one_sentence() -> None:
    with a_run("--once", BROKER="environment", SYNC_KAFKA_BOOTSTRAP_SERVERS="") as run:
        assert run.to_the_end() == 1
    assert run.said == ["BROKER=environment cannot be had here: set SYNC_KAFKA_BOOTSTRAP_SERVERS."]


def test_a_sample_that_cannot_be_read_is_told_before_anything_starts(tmp_path: Path) -> None:
    with a_run("--once", "--sample", str(tmp_path)) as run:
        assert run.to_the_end() == 1
    assert run.text.startswith(f"The sample in {tmp_path} can't be read")


def _sign_in_is_offered(screens: str) -> None:
    """By the worker, and by the identity provider that it sends people to."""
    with httpx2.Client(follow_redirects=True, trust_env=False, timeout=PATIENCE) as http:
        page = http.get(f"{screens}sign-in")
    assert page.status_code == 200, page.text
    assert "For local use only" in page.text


def _organizations(environment: Path) -> set[str]:
    """What a person sees who does as the last lines say."""
    command = f". {environment} && {PROGRAM} organization list --json"
    answer = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True)
    return {one["organization_id"] for one in json.loads(answer.stdout)["organizations"]}
