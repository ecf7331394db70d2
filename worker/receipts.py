"""Receipts of what is posted on their way to the ERP: take → fetch → attach → settle.

Best effort, beside the posting: no item waits for it, and none changes its state by it.
"""

import asyncio
import random
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import structlog

from connectors.contract import Attaching, AttachOutcome, ConfigurationError, NotSent, ReceiptFile, Unknown
from connectors.receipt_host import LONGEST_FETCH, ReceiptHosts
from schemas.approval import MediaType, Receipt, ReimbursementApproved
from worker import telemetry
from worker.adapters import Adapter, Adapters
from worker.clock import passing
from worker.delivery import AttemptPermit
from worker.domain.receipts import HeldBack, NotWanted, ReceiptOutcome, ReceiptState, ReceiptVerdict, judge_receipt
from worker.lanes import LeasePermit
from worker.progress import LoopName, Pulse
from worker.runs import WORKER
from worker.store import receipts, sync_log
from worker.store.database import DatabaseAwayError, Pool, acquire, transaction
from worker.store.receipts import TakenReceipt
from worker.store.sync_log import Change
from worker.telemetry import failure
from worker.vault import VaultError

log = structlog.get_logger(__name__)

AT_ONCE = 4
"""Each of another organisation: Business Central makes an invoice's incoming document with its first attachment, and
two first ones at once could make two."""

SENDING_SECONDS = 120.0
FETCH_HOLD = timedelta(seconds=LONGEST_FETCH + 30)
SENDING_HOLD = timedelta(seconds=SENDING_SECONDS + 30)

_EXTENSIONS: Final[Mapping[MediaType, str]] = {
    "application/pdf": "pdf",
    "image/gif": "gif",
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/tiff": "tif",
}


class ReceiptCourier:
    """This worker's share of all receipts."""

    def __init__(
        self,
        pool: Pool,
        adapters: Adapters,
        hosts: ReceiptHosts,
        *,
        poll: timedelta,
        shutdown: timedelta,
        pulse: Pulse,
    ) -> None:
        """`shutdown`: how long what is under way gets to come to its end once the worker is asked to stop."""
        self._pool = pool
        self._adapters = adapters
        self._hosts = hosts
        self._poll = poll.total_seconds()
        self._shutdown = shutdown.total_seconds()
        self._pulse = pulse
        self._beat = pulse.of(LoopName.RECEIPTS)
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set. What is left unsettled then is tried again by whoever takes it next."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                await self._try_once()
                self._beat(rests=self._poll)
                await asyncio.wait(
                    {stopping, *self._under_way}, timeout=self._poll, return_when=asyncio.FIRST_COMPLETED
                )
            await self._let_finish()
        finally:
            stopping.cancel()
            await self._hosts.close()

    async def _try_once(self) -> None:
        try:
            await self._run_once()
            self._beat(in_vain=False)
        except DatabaseAwayError as error:
            log.warning("receipts_wait_for_database", error=str(error))
            self._beat(in_vain=True)

    async def _run_once(self) -> None:
        """Starts what is due, as far as there is room."""
        room = AT_ONCE - len(self._under_way)
        if room <= 0:
            return
        async with transaction(self._pool) as connection:
            due = await receipts.take_due(connection, room, FETCH_HOLD)
        for taken in due:
            task = asyncio.create_task(self._carry(taken))
            self._under_way.add(task)
            task.add_done_callback(self._land)

    def _land(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("receipt_failed", **failure(error))

    async def _let_finish(self) -> None:
        if not self._under_way:
            return
        _, late = await asyncio.wait(self._under_way, timeout=self._shutdown)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _carry(self, taken: TakenReceipt) -> None:
        """A database that goes away in between is no harm: the next try finds what this one left."""
        subject = f"{taken.organization_id}, {taken.reimbursement_id}, {taken.position}"
        with self._pulse.watching(LoopName.RECEIPT, subject):
            try:
                outcome, life = await self._outcome(taken)
                verdict = judge_receipt(outcome, taken.tries, life, random.random())  # noqa: S311  # spreads, hides nothing
                await self._settle(taken, verdict)
            except DatabaseAwayError as error:
                log.warning("receipt_waits_for_database", error=str(error), **_identity(taken))

    async def _outcome(self, taken: TakenReceipt) -> tuple[ReceiptOutcome, timedelta]:
        """With how long a request may live at that ERP."""
        try:
            async with acquire(self._pool) as connection:
                adapter = await self._adapters.make(connection, taken.organization_id, taken.connector)
        except (ConfigurationError, VaultError) as error:
            return NotSent(str(error)), timedelta()
        life = adapter.connector.limits.longest_request_life
        try:
            return await self._sent(taken, adapter), life
        except DatabaseAwayError:
            raise
        except Exception as error:  # noqa: BLE001  # a bug: it must be recorded, and tried a bounded number of times
            log.error("receipt_failed", **failure(error), **_identity(taken))
            return Unknown(f"The worker failed with {type(error).__name__}."), life
        finally:
            await adapter.connector.close()

    async def _sent(self, taken: TakenReceipt, adapter: Adapter) -> ReceiptOutcome:
        if adapter.attaching is None:
            return NotWanted()
        receipt = ReimbursementApproved.from_canonical(taken.content).receipts[taken.position - 1]
        content = await self._hosts.content_of(receipt)
        if not isinstance(content, bytes):
            return content
        permit = await self._permit(taken, adapter)
        if permit is None:
            return HeldBack()
        return await _attach(adapter.attaching, taken, _file(taken, receipt, content), permit)

    async def _permit(self, taken: TakenReceipt, adapter: Adapter) -> AttemptPermit | None:
        """The flag re-read under lock. Whoever switches off from now on waits until this is settled."""
        deadline = passing() + SENDING_SECONDS
        retry_in = SENDING_HOLD + adapter.connector.limits.longest_request_life
        async with transaction(self._pool) as connection:
            is_ours = await receipts.begin_sending(connection, taken, adapter.version, SENDING_HOLD, retry_in)
        return AttemptPermit(LeasePermit(deadline)) if is_ours else None

    async def _settle(self, taken: TakenReceipt, verdict: ReceiptVerdict) -> None:
        is_given_up = verdict.state is ReceiptState.GIVEN_UP
        async with transaction(self._pool) as connection:
            if not await receipts.settle(connection, taken, verdict):
                return
            if is_given_up:
                await sync_log.append(connection, taken.organization_id, _given_up(taken, verdict))
        telemetry.RECEIPTS.labels(taken.connector, verdict.state).inc()
        tell = log.error if is_given_up else log.info
        tell("receipt_tried", state=verdict.state, code=verdict.code, tries=taken.tries, **_identity(taken))


async def _attach(connector: Attaching, taken: TakenReceipt, file: ReceiptFile, permit: AttemptPermit) -> AttachOutcome:
    """Given up in time, so that nothing is on the wire any more once nobody holds it."""
    try:
        async with asyncio.timeout(SENDING_SECONDS):
            return await connector.attach(taken.document_id, file, permit)
    except TimeoutError:
        reason = "The accounting system took too long to take the receipt."
        return Unknown(reason) if permit.was_granted else NotSent(reason)


def _file(taken: TakenReceipt, receipt: Receipt, content: bytes) -> ReceiptFile:
    """Its name follows from its place and its content, so that each try looks for the same."""
    extension = _EXTENSIONS[receipt.media_type]
    return ReceiptFile(f"receipt-{taken.position:02}-{receipt.sha256[:12]}.{extension}", receipt.media_type, content)


def _given_up(taken: TakenReceipt, verdict: ReceiptVerdict) -> Change:
    return Change(
        actor=WORKER.id,
        actor_role=WORKER.role,
        source="worker",
        change="receipt_given_up",
        connector=taken.connector,
        reason=verdict.reason,
        detail={"reimbursement_id": taken.reimbursement_id, "receipt": taken.position, "code": verdict.code},
    )


def _identity(taken: TakenReceipt) -> dict[str, object]:
    return {
        "organization_id": taken.organization_id,
        "reimbursement_id": taken.reimbursement_id,
        "receipt": taken.position,
        "connector": taken.connector,
    }
