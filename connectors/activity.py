"""Whoever waits for a connector can be told that it moves: a slow ERP is not a worker that hangs."""

from collections.abc import Callable
from contextvars import ContextVar

Told = Callable[[float], None]
"""Gets the seconds that pass at the most until the connector is heard of again, or gives up by itself."""


def _nobody(_seconds: float) -> None: ...


told: ContextVar[Told] = ContextVar("told", default=_nobody)
"""Set by who calls the connector, for its own task and those that it starts."""


def is_heard_of(within: float = 0.0) -> None:
    """A request is about to wait or to leave, which may take so many seconds; nothing: one has come to its end."""
    told.get()(within)
