"""Logs and metrics: static event names and identifiers, never free text, names or amounts."""

import json
import logging
import os
import sys
import traceback
from typing import Literal

import structlog
from prometheus_client import Counter, Gauge, Histogram

RECORDS = Counter("accounting_sync_records_total", "Kafka records stored, by what became of them", ["fate"])
ATTEMPTS = Counter("accounting_sync_attempts_total", "Attempts settled, by outcome", ["connector", "outcome"])
LOOK_UPS = Counter(
    "accounting_sync_look_ups_total", "Items looked up at the ERP, by what was found", ["connector", "outcome"]
)
RECEIPTS = Counter(
    "accounting_sync_receipts_total", "Tries to attach a receipt, by what came of it", ["connector", "state"]
)
POST_SECONDS = Histogram("accounting_sync_post_seconds", "Time an ERP took to answer", ["connector"])
OVERDUE_ITEMS = Gauge("accounting_sync_overdue_items", "In doubt for too long, or for a person to compare", ["state"])
LOOP_SECONDS = Gauge("accounting_sync_loop_seconds", "Since each loop came round, the longest of its kind", ["loop"])
LANES_HELD = Gauge("accounting_sync_lanes_held", "Lanes this worker holds")
EVENTS_PUBLISHED = Counter("accounting_sync_events_published_total", "Outcome events and dead letters published")


def configure_logging(form: Literal["json", "console"], level: int = logging.INFO) -> None:
    """Logs go to stderr, one event a line. What libraries log is kept to warnings, without the values in it."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(serializer=_json)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_LibraryLogs()], level=max(level, logging.WARNING), force=True)


_ENCODER = json.JSONEncoder(default=repr)


def _json(event: object, **_: object) -> str:
    """With one encoder for all lines: `json.dumps` would make one for each."""
    return _ENCODER.encode(event)


class _LibraryLogs(logging.Handler):
    """A library's log record as one of our events: its fixed words, never its arguments nor the text of an exception,
    which may quote a reimbursement."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[0] if record.exc_info else None
        structlog.get_logger().log(
            record.levelno,
            "library_log",
            logger=record.name,
            words=str(record.msg).partition("\n")[0],
            error=error.__name__ if error else None,
        )


def failure(error: BaseException) -> dict[str, object]:
    """What a log may say of an exception: its type and where it was raised. Its text may quote a reimbursement."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return {
        "error": type(error).__name__,
        "at": [f"{os.path.basename(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames],  # noqa: PTH119  # frames of frozen modules are no paths
    }
