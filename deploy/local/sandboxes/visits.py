"""How many requests of each kind have arrived, refused ones too, and when."""

from collections import defaultdict
from datetime import UTC, datetime

from deploy.local.sandboxes.faults import Visit
from deploy.local.sandboxes.signals import Gauge


class Visits:
    def __init__(self) -> None:
        self.total = Gauge()
        self._by_kind: defaultdict[str, Gauge] = defaultdict(Gauge)
        self._moments: list[datetime] = []

    def arrive(self, visit: Visit) -> int:
        """The request's number, from 1."""
        for kind in visit.kinds:
            self._by_kind[kind].add(1)
        self._moments.append(datetime.now(UTC))
        self.total.add(1)
        return self.total.value

    def arrived_at(self, number: int) -> datetime:
        return self._moments[number - 1]

    def of_kind(self, kind: str) -> Gauge:
        return self._by_kind[kind]

    def by_kind(self) -> dict[str, int]:
        return {kind: gauge.value for kind, gauge in self._by_kind.items()}
