"""How many requests of each kind have arrived, refused ones too, and when."""

from collections import defaultdict

from deploy.local.sandboxes.faults import Visit
from deploy.local.sandboxes.punctuality import Arrival, arrival
from deploy.local.sandboxes.signals import Gauge


class Visits:
    def __init__(self) -> None:
        self.total = Gauge()
        self.refused_at_the_door = 0
        self._by_kind: defaultdict[str, Gauge] = defaultdict(Gauge)
        self._arrivals: list[Arrival] = []

    def arrive(self, visit: Visit) -> int:
        """The request's number, from 1."""
        for kind in visit.kinds:
            self._by_kind[kind].add(1)
        self._arrivals.append(arrival())
        self.total.add(1)
        return self.total.value

    def arrival(self, number: int) -> Arrival:
        return self._arrivals[number - 1]

    def of_kind(self, kind: str) -> Gauge:
        return self._by_kind[kind]

    def by_kind(self) -> dict[str, int]:
        return {kind: gauge.value for kind, gauge in self._by_kind.items()}
