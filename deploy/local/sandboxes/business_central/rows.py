"""The GUIDs of what lives in the company's tables."""

from uuid import NAMESPACE_URL, uuid5


def row_id(*parts: str) -> str:
    """The same row has the same GUID after every start."""
    return str(uuid5(NAMESPACE_URL, "/".join(parts)))
