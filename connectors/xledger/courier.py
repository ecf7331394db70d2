"""Vouchers that are ready at once travel in one mutation: Xledger counts requests, and charges for them.

Nothing waits for company: whoever comes first leaves with the next request that the pace lets go, and takes along what
has come until then.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.activity import is_heard_of
from connectors.contract import Accepted, NotSent, Permit, Posting, PostOutcome, Rejected, Unavailable, Unknown
from connectors.http import Uncertain
from connectors.pacing import LONGEST_WAIT, Pace
from connectors.xledger.answers import Reply, refused_mutation
from connectors.xledger.documents import MOST_NODES, Node
from connectors.xledger.vouchers import added_ids

Inputs = Sequence[Mapping[str, object]]
Send = Callable[[Inputs, Permit], Awaitable[Reply | NotSent | Unavailable | Uncertain]]
Take = Callable[[Posting, Sequence[str]], Accepted]


@dataclass(slots=True)
class Parcel:
    """One voucher on its way. `alone`: it was in a mutation that failed, and nobody knows because of which."""

    posting: Posting
    nodes: Sequence[Node]
    permit: Permit
    outcome: asyncio.Future[PostOutcome]
    alone: bool = False

    @property
    def is_given_up(self) -> bool:
        return self.outcome.done()

    @property
    def registration(self) -> object:
        return self.nodes[0]["trRegNumber"]

    def settle(self, outcome: PostOutcome) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)

    def fail(self, error: Exception) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)


@dataclass(frozen=True, slots=True)
class SharedPermit:
    """Of all parcels of one request: it ends with the first that ends, and when somebody no longer waits."""

    parcels: Sequence[Parcel]

    def is_valid(self) -> bool:
        if any(parcel.is_given_up for parcel in self.parcels):
            return False
        answers = [parcel.permit.is_valid() for parcel in self.parcels]  # each is asked: it remembers that it was
        return all(answers)


class Courier:
    """Carries the vouchers of one connector."""

    def __init__(
        self,
        pace: Pace,
        send: Send,
        taken: Take,
        now: Callable[[], datetime],
        most_requests: int,
        most_vouchers: int = MOST_NODES,
    ) -> None:
        """`send` makes one request, within the pace; `taken` is the outcome of a voucher whose rows were all added."""
        self._pace = pace
        self._send = send
        self._taken = taken
        self._now = now
        self._most_requests = most_requests
        self._most_vouchers = most_vouchers
        self._waiting: deque[Parcel] = deque()
        self._rounds: set[asyncio.Task[None]] = set()
        self._apart: set[str] = set()

    async def add(self, posting: Posting, nodes: Sequence[Node], permit: Permit) -> PostOutcome:
        """Cancelled before it leaves, it never leaves."""
        outcome: asyncio.Future[PostOutcome] = asyncio.get_running_loop().create_future()
        parcel = Parcel(posting, nodes, permit, outcome, alone=posting.reference in self._apart)
        self._waiting.append(parcel)
        if len(self._rounds) < self._most_requests:
            self._rounds.add(asyncio.create_task(self._go_round()))
        is_heard_of(within=LONGEST_WAIT)
        return await parcel.outcome

    async def close(self) -> None:
        for a_round in self._rounds:
            a_round.cancel()
        await asyncio.gather(*self._rounds, return_exceptions=True)
        self._rounds.clear()
        self._waiting.clear()

    async def _go_round(self) -> None:
        """A bug on the way is raised where each voucher is waited for, so that none waits for ever."""
        parcels: Sequence[Parcel] = ()
        try:
            while self._waiting:
                async with self._pace:
                    parcels = load(self._waiting, self._most_vouchers)
                    if parcels:
                        await self._deliver(parcels)
        except Exception as error:  # noqa: BLE001  # see above
            for parcel in (*parcels, *self._waiting):
                parcel.fail(error)
        finally:
            # Nothing is awaited since nothing was found waiting: what comes from here on starts a round of its own.
            self._rounds -= {asyncio.current_task()}

    async def _deliver(self, parcels: Sequence[Parcel]) -> None:
        reply = await self._send(inputs_of(parcels), SharedPermit(parcels))
        outcomes = self._outcomes(parcels, reply)
        if len(parcels) > 1 and any(isinstance(outcome, Rejected) for outcome in outcomes):
            self._try_each_alone(parcels)
            return
        for parcel, outcome in zip(parcels, outcomes, strict=True):
            self._keep_apart(parcel, outcome, is_shared=len(parcels) > 1)
            parcel.settle(outcome)

    def _keep_apart(self, parcel: Parcel, outcome: PostOutcome, *, is_shared: bool) -> None:
        """That a mutation failed without a word on which voucher is at fault does not say that none of it is in, so
        nothing goes again now. When it does, one that is at fault must not take the others along once more."""
        reference = parcel.posting.reference
        if isinstance(outcome, Unknown) and is_shared:
            self._apart.add(reference)
        elif isinstance(outcome, Accepted | Rejected):
            self._apart.discard(reference)

    def _try_each_alone(self, parcels: Sequence[Parcel]) -> None:
        """A mutation is taken whole or refused whole, so none of these is in; one is at fault."""
        for parcel in parcels:
            parcel.alone = True
        self._waiting.extendleft(reversed(parcels))

    def _outcomes(
        self, parcels: Sequence[Parcel], reply: Reply | NotSent | Unavailable | Uncertain
    ) -> list[PostOutcome]:
        if isinstance(reply, Uncertain):
            return [Unknown(f"Adding the voucher: {reply.evidence}.")] * len(parcels)
        if not isinstance(reply, Reply):
            return [reply] * len(parcels)
        added = added_ids(reply.data)
        return [self._outcome(parcel, added.get(str(number), ()), reply) for number, parcel in enumerate(parcels)]

    def _outcome(self, parcel: Parcel, ids: Sequence[str], reply: Reply) -> PostOutcome:
        if len(ids) == len(parcel.nodes):
            return self._taken(parcel.posting, ids)
        refused = refused_mutation(reply, parcel.posting, self._now())
        return refused or Unknown("Adding the voucher: the answer does not name every row.")


def load(waiting: deque[Parcel], most: int = MOST_NODES) -> list[Parcel]:
    """Takes the next parcels that go in one mutation, oldest first; those that were given up are dropped."""
    loaded: list[Parcel] = []
    while waiting and len(loaded) < most:
        if waiting[0].is_given_up:
            waiting.popleft()
        elif _goes_along(waiting[0], loaded):
            loaded.append(waiting.popleft())
        else:
            break
    return loaded


def inputs_of(parcels: Sequence[Parcel]) -> Inputs:
    """`clientId` says whose a row is: the parcel's place, and the row's."""
    return [
        {"clientId": f"{number}.{row}", "node": node}
        for number, parcel in enumerate(parcels)
        for row, node in enumerate(parcel.nodes)
    ]


def _goes_along(parcel: Parcel, loaded: Sequence[Parcel]) -> bool:
    """Two vouchers with the same registration number would be one to Xledger."""
    if not loaded:
        return True
    has_room = sum(len(one.nodes) for one in loaded) + len(parcel.nodes) <= MOST_NODES
    is_free = all(one.registration != parcel.registration for one in loaded)
    return has_room and is_free and not parcel.alone and not loaded[0].alone
