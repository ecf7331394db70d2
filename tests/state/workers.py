"""Two workers as the machine plays them: the product's own parts, and what they hold in their hands."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from connectors.contract import Attempted, Finding, Limits, NotSent, Permit, Posting, PostOutcome, Problem, Unavailable
from tests.state.books import Books, Request
from tests.state.model import House, Item
from tests.state.quiet_time import HOUR, LEASE
from worker.claiming import Claimed
from worker.lanes import Lane, LaneKeeper
from worker.settler import Settler
from worker.store.database import Pool

MOST_LANES = 4
MOST_AT_ONCE = 10


@dataclass(eq=False)
class Flight:
    """An attempt between its claim and its settlement. `request` is there once it left; `known`: it never will."""

    claimed: Claimed
    posting: Posting
    lane: Lane
    request: Request | None = None
    known: PostOutcome | None = None

    @property
    def name(self) -> str:
        attempt = self.claimed.attempt
        return f"{attempt.reimbursement_id}#{attempt.attempt}"

    @property
    def is_unsent(self) -> bool:
        return self.request is None and self.known is None


@dataclass(eq=False)
class Look:
    """A look-up that has its findings and waits to be let on. `asked`: the items as they were then."""

    house: House
    asked: Sequence[Item]
    desk: "Desk"
    task: asyncio.Task[NotSent | Unavailable | None]


@dataclass
class Desk:
    """A connector that asks the books. `findings`: what it saw, while it waits to be let on."""

    books: Books
    findings: Mapping[str, Finding] | None = None
    has_looked: asyncio.Event = field(default_factory=asyncio.Event)
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def limits(self) -> Limits:
        return Limits(MOST_AT_ONCE, HOUR, refuses_duplicates=self.books.refuses_duplicates)

    async def look_up(self, attempts: Sequence[Attempted]) -> Mapping[str, Finding] | NotSent | Unavailable:
        self.findings = {one.reference: self.books.finding(one) for one in attempts}
        self.has_looked.set()
        await self.goes_on.wait()
        return self.findings

    async def post(self, posting: Posting, permit: Permit) -> PostOutcome:
        raise NotImplementedError("the machine answers for the ERP")

    async def test(self) -> Sequence[Problem] | NotSent | Unavailable:
        return []

    async def close(self) -> None:
        pass


@dataclass(eq=False)
class Hand:
    """A worker process. A crash takes all of it but its number. `versions` of the configurations it has adapters of."""

    number: int
    keeper: LaneKeeper
    settler: Settler
    settling: asyncio.Task[None]
    worker_id: UUID
    flights: list[Flight] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)

    @classmethod
    async def start(cls, pool: Pool, number: int) -> "Hand":
        worker_id = uuid4()
        settler = Settler(pool, worker_id)
        settling = asyncio.create_task(settler.run())
        return cls(number, LaneKeeper(pool, worker_id, LEASE, MOST_LANES), settler, settling, worker_id)

    async def crash(self) -> None:
        tasks: list[asyncio.Task[None] | asyncio.Task[NotSent | Unavailable | None]] = [
            self.settling,
            *(look.task for look in self.looks),
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
