"""Addresses in settings, judged by how they are written: no name is looked up."""

import re
from urllib.parse import urlsplit

from connectors.hosts import is_loopback

_HOST_AND_PORT = re.compile(r"(?:[\w.-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[1-9][0-9]{0,4})")
_LAST_PORT = 65535


def is_host_and_port(text: str) -> bool:
    """`files.example.org:443`, `[::1]:443`: no scheme, no path, no star."""
    found = _HOST_AND_PORT.fullmatch(text)
    return found is not None and int(found["port"]) <= _LAST_PORT


def is_postgresql(url: str) -> bool:
    """Several hosts may be named, separated by commas."""
    try:
        parts = urlsplit(url)
        hosts = [urlsplit(f"//{host}") for host in parts.netloc.rpartition("@")[2].split(",")]
        return parts.scheme in {"postgresql", "postgres"} and all(host.port != 0 for host in hosts)
    except ValueError:
        return False


def is_safe_address(url: str) -> bool:
    """https, or http to this machine, without a user, a password or a fragment."""
    try:
        parts = urlsplit(url)
        if not parts.hostname or parts.port == 0 or "@" in parts.netloc or "#" in url or not _is_plain(url):
            return False
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname))


def _is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url and "\\" not in url
