"""What has stood still, and for how long: the signs of what should move, looked at again and again."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sign:
    """What was seen of something that should move, and since when it has been the same (monotonic seconds)."""

    seen: Hashable
    since: float


def look_again(before: Mapping[str, Sign], signs: Mapping[str, Hashable], now: float) -> dict[str, Sign]:
    """What moved, or was not there, begins anew; what is not there any more is forgotten."""
    kept = {subject: before[subject] for subject, seen in signs.items() if _is_same(before.get(subject), seen)}
    return {subject: kept.get(subject, Sign(seen, now)) for subject, seen in signs.items()}


def standing(signs: Mapping[str, Sign], seconds: float, now: float) -> list[str]:
    """What has been the same for so long."""
    return [subject for subject, sign in signs.items() if now - sign.since >= seconds]


def _is_same(sign: Sign | None, seen: Hashable) -> bool:
    return sign is not None and sign.seen == seen
