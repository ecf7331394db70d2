"""One claimed item on its way to the ERP: sent, or given up when the worker leaves. The answer is always a value."""

import asyncio
import time

import structlog

from connectors.contract import NotSent, Permit, Posting, PostOutcome, Rejected, Unknown
from worker import telemetry
from worker.adapters import Adapter
from worker.claiming import Claimed

log = structlog.get_logger(__name__)


class AttemptPermit:
    """A lane's permit, as one attempt uses it: it remembers whether anything may have left, or was kept back."""

    def __init__(self, lane: Permit) -> None:
        self._lane = lane
        self.was_granted = False
        self.was_refused = False

    def is_valid(self) -> bool:
        is_valid = self._lane.is_valid()
        self.was_granted |= is_valid
        self.was_refused |= not is_valid
        return is_valid


class Delivery:
    """The call to the ERP for one attempt."""

    def __init__(self, claimed: Claimed, lane: Permit) -> None:
        self.claimed = claimed
        self._permit = AttemptPermit(lane)
        self._call: asyncio.Timeout | None = None
        self._is_given_up = False

    async def outcome(self) -> PostOutcome:
        """What the ERP answers; what is known where the call was given up."""
        posting = self.claimed.posting
        if isinstance(posting, Rejected):
            return posting
        if self._is_given_up:
            return self._unanswered()
        began = time.perf_counter()
        try:
            async with asyncio.timeout(None) as self._call:
                return await _post(self.claimed.adapter, posting, self._permit)
        except TimeoutError:
            return self._unanswered()
        finally:
            self._call = None
            telemetry.POST_SECONDS.labels(self.claimed.attempt.connector).observe(time.perf_counter() - began)

    def give_up(self) -> None:
        """Nobody waits for the answer any longer."""
        self._is_given_up = True
        if self._call is not None:
            self._call.reschedule(asyncio.get_running_loop().time())

    def tells_of_the_erp(self, outcome: PostOutcome) -> bool:
        """False where nothing was sent for a reason of our own: the lane need not wait for its ERP because of that."""
        is_ours = self._is_given_up or self._permit.was_refused
        return not (is_ours and isinstance(outcome, NotSent))

    def _unanswered(self) -> PostOutcome:
        if self._permit.was_granted:
            return Unknown("The worker was asked to stop before the ERP answered.")
        return NotSent("The worker was asked to stop before anything was sent.")


async def _post(adapter: Adapter, posting: Posting, permit: Permit) -> PostOutcome:
    """An adapter raises only for bugs; what it had sent by then nobody knows."""
    try:
        return await adapter.connector.post(posting, permit)
    except Exception as error:  # noqa: BLE001  # whatever it is, the outcome is unknown and must be recorded as such
        log.error("adapter_failed", connector=adapter.kind, error=type(error).__name__)
        return Unknown(f"The adapter failed with {type(error).__name__}.")
