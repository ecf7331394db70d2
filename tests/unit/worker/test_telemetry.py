"""What reaches the log of the process."""

import json
import subprocess
import sys

SCRIPT = """
import logging
from worker.telemetry import configure_logging
configure_logging("json")
try:
    raise ValueError("Kari Nordmann, 1250.50")
except ValueError:
    logging.getLogger("asyncpg.pool").exception("Failed to restore %s", "Kari Nordmann")
logging.getLogger("aiokafka").info("told to nobody")
"""


def test_what_libraries_log_is_an_event_of_ours_without_arguments_or_texts_of_exceptions() -> None:
    told = subprocess.run([sys.executable, "-c", SCRIPT], check=True, capture_output=True, text=True).stderr
    (event,) = map(json.loads, told.splitlines())
    assert "Kari" not in told
    assert (event["event"], event["logger"], event["words"], event["error"], event["level"]) == (
        "library_log",
        "asyncpg.pool",
        "Failed to restore %s",
        "ValueError",
        "error",
    )
