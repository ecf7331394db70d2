"""Why a person does something, by whichever door they come: text that is kept for ever, and shown on terminals too."""

LONGEST = 500


def plain(text: str) -> str:
    """One line without what no eye sees; empty where there is nothing to read."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())
