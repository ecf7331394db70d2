"""Why a person did something: one line of text, which is kept in the sync log for ever."""

from worker.domain.sentences import Sentence, say

LONGEST = 500
LONGEST_FIELD = 10_000


def plain(reason: str) -> str:
    """Without what no eye sees; PostgreSQL can't store U+0000."""
    return " ".join("".join(one if one.isprintable() else " " for one in reason).split())


def mistake_in(reason: str) -> Sentence | None:
    """What to do about a reason that can't be kept."""
    if not plain(reason):
        return say("Enter a reason. It is kept in the sync log.")
    if len(plain(reason)) > LONGEST:
        return say("The reason is too long. Shorten it to 500 characters.")
    return None
