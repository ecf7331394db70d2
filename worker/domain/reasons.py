"""Why a person does something, by whichever door they come: text that is kept for ever, and shown on terminals too."""

import unicodedata

LONGEST = 500
_LINE_ENDS_AND_TABS = frozenset("\t\r\n")


def plain(text: str) -> str:
    """One line without what no eye sees; empty where there is nothing to read."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def is_proper(text: str) -> bool:
    """Something to read, and nothing that acts on terminals or turns text around: control and format characters, among
    them U+009B, which is ESC and [ to some terminals."""
    return bool(plain(text)) and all(_is_kept(one) for one in text)


def _is_kept(one: str) -> bool:
    return one.isprintable() or one in _LINE_ENDS_AND_TABS or unicodedata.category(one) == "Zs"
