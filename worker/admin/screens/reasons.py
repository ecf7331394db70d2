"""Why a person did something: one line of text, which is kept in the sync log for ever."""

from worker.domain.reasons import LONGEST, plain
from worker.domain.sentences import Sentence, say

__all__ = ["LONGEST_FIELD", "mistake_in", "plain"]

LONGEST_FIELD = 10_000


def mistake_in(reason: str) -> Sentence | None:
    """What to do about a reason that can't be kept."""
    if not plain(reason):
        return say("Enter a reason. It is kept in the sync log.")
    if len(plain(reason)) > LONGEST:
        return say("The reason is too long. Shorten it to 500 characters.")
    return None
