"""What happened to an item on its way, in short words; derived from its history, pure."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from deploy.local.sample.evidence import LogLine, Step, StoredItem

WORDS = {
    "posted": "posted",
    "found": "posted",  # what a look-up found: Xledger's import made the document
    "not_sent": "not sent",
    "unknown": "outcome unknown",
    "item_retried": "retried",
}
UNTOLD = frozenset({"accepted"})  # Xledger's staged import: a step of every posting


class Window(NamedTuple):
    """A time in which a connector was on; `end` None: it still is."""

    start: datetime
    end: datetime | None

    def holds(self, moment: datetime) -> bool:
        return self.start <= moment and (self.end is None or moment <= self.end)


def on_windows(log: Iterable[LogLine], organization: str) -> list[Window]:
    """When the organisation's connector was on. It is over once it is off, not while it is switching off."""
    windows: list[Window] = []
    for line in log:
        if line.organization != organization:
            continue
        if line.change == "connector_enabled":
            windows.append(Window(line.at, None))
        elif line.change in ("connector_disabled", "connector_quiesced") and line.new_state == "off" and windows:
            windows[-1] = windows[-1]._replace(end=line.at)
    return windows


def was_held(item: StoredItem, log: Sequence[LogLine]) -> bool:
    return not any(window.holds(item.received_at) for window in on_windows(log, item.key[0]))


def way_of(item: StoredItem, log: Sequence[LogLine]) -> str:
    """Such as `held while off → posted`."""
    if not any(line.organization == item.key[0] and line.change == "connector_configured" for line in log):
        return "waits: not set up yet"
    held = ["held while off"] if was_held(item, log) else []
    steps = [_word(step) for step in item.steps if step.what not in UNTOLD]
    return " → ".join(held + steps) if held or steps != ["posted"] else "posted at once"


def _word(step: Step) -> str:
    return f"rejected: {step.code}" if step.what == "rejected" else WORDS.get(step.what, step.what)
