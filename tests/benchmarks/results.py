"""What a section of the benchmarks found: tables, pictures and goals, ready to be written down."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` hold text that is formatted already; the first column names the subject."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Chart:
    """Horizontal bars, longest value to the right. `name` is the picture's file name, without its ending."""

    name: str
    title: str
    unit: str
    bars: Sequence[tuple[str, float]]
    highlighted: str = "worker"


@dataclass(frozen=True, slots=True)
class Goal:
    """What had to be reached, and what was measured in the same run."""

    wanted: str
    measured: str
    is_reached: bool


@dataclass(frozen=True, slots=True)
class Section:
    """`notes`: how it was measured, in whole sentences."""

    name: str
    title: str
    tables: Sequence[Table] = ()
    charts: Sequence[Chart] = ()
    goals: Sequence[Goal] = ()
    notes: Sequence[str] = field(default_factory=tuple)


def at_least(wanted: str, ratio: float, bound: float) -> Goal:
    return Goal(wanted, f"{ratio:.2f}", ratio >= bound)


def at_most(wanted: str, value: float, bound: float, unit: str = "") -> Goal:
    return Goal(wanted, f"{value:.2f} {unit}".strip(), value <= bound)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` (0 to 1) of all values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]


def middle(rounds: Sequence[float]) -> float:
    return median(rounds)


def count(number: float) -> str:
    """`12,345`, and `12.3` below a hundred."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
