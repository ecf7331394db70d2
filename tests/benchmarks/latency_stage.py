"""What the subjects of the latency benchmark stand on: what each trial saw, and the peers' programs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count

from deploy.local.processes import Process, Program
from tests.benchmarks.dispatch_stage import LONGEST_RUN, SECONDS_TO_START, started_erp
from tests.benchmarks.ground import PEERS, Ground
from tests.benchmarks.results import percentile

_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Flow:
    """So many approvals at an even pace, to an ERP that answers after `seconds`.

    The first `warming` are not counted: lanes, connections and programs are warm after them. `backlog` waits in another
    organisation and is drained meanwhile.
    """

    approvals: int
    warming: int
    a_second: float
    seconds: float
    backlog: int = 0


@dataclass(frozen=True, slots=True)
class Delays:
    """Milliseconds until the ERP had read the request, one for each approval; `produced` is empty for the peers.

    `drained`: requests a second of the other organisation meanwhile.
    """

    stored: list[float]
    produced: list[float]
    drained: float = 0.0

    @property
    def p99(self) -> float:
        return percentile(self.produced or self.stored, 0.99)


def delays(flow: Flow, since: Mapping[str, float], until: Mapping[str, float]) -> list[float]:
    """Of each reference that counts, in milliseconds.

    A request may come before its client has been told of the commit: that counts as 0.
    """
    counted = sorted(since, key=since.__getitem__)[flow.warming :]
    return [max(until[reference] - since[reference], 0.0) * 1000 for reference in counted]


async def measure_peer(ground: Ground, name: str, flow: Flow) -> Delays:
    """A worker and, beside it, whoever enqueues."""
    async with ground.database(migrated=False) as url, started_erp(ground, flow.seconds) as erp:
        place = [url, erp.url, str(flow.approvals), str(flow.a_second)]
        await _start(ground, name, "install", *place).finished(timeout=SECONDS_TO_START)
        worker = _start(ground, name, "work", *place)
        try:
            await worker.line("ready", timeout=SECONDS_TO_START)
            feeding = _start(ground, name, "feed", *place)
            await feeding.finished(timeout=LONGEST_RUN)
            await erp.has_seen(flow.approvals)
        finally:
            await worker.kill()
        committed: dict[str, float] = json.loads(feeding.output().splitlines()[-1])
        return Delays(delays(flow, committed, await erp.arrivals()), [])


def _start(ground: Ground, name: str, what: str, *arguments: str) -> Process:
    program = Program(
        name=f"{name}-{what}-{next(_NUMBERS)}",
        arguments=[ground.peers_python, PEERS / f"latency_{name}.py", what, *arguments],
    )
    return ground.services.folder.start(program)
