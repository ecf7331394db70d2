"""Interleaved rounds: whatever the machine does meanwhile, it does to all subjects."""

from collections.abc import Awaitable, Callable, Mapping
from statistics import median

Measure = Callable[[], Awaitable[float]]


async def interleaved(
    subjects: Mapping[str, Measure], rounds: int, tell: Callable[[str], None], unit: str
) -> dict[str, float]:
    """The median of each subject's rounds, as {subject: value}. Every second round goes backwards."""
    found: dict[str, list[float]] = {name: [] for name in subjects}
    for number in range(rounds):
        names = list(subjects) if number % 2 == 0 else list(subjects)[::-1]
        for name in names:
            value = await subjects[name]()
            found[name].append(value)
            tell(f"  round {number + 1}, {name}: {value:,.1f} {unit}")
    return {name: median(values) for name, values in found.items()}
