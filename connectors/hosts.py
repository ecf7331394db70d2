"""Which addresses a connector may talk to: the ERP's own hosts, and what the operator listed as `host:port`."""

import ipaddress
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from yarl import URL

_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """`own` are the ERP's hosts, on https and port 443; `extra` is `host:port` from SYNC_ERP_ALLOWED_HOSTS."""

    own: frozenset[str]
    extra: frozenset[str] = frozenset()

    def refusal(self, url: str) -> str | None:
        """Why no request may go to this address, as the end of a sentence; None where it may. Quotes the host only."""
        return _refusal(self, url)

    def refusal_of(self, parts: SplitResult, port: int) -> str | None:
        host = parts.hostname or ""
        if parts.scheme not in _DEFAULT_PORTS or not host:
            return "must be a full https address"
        if parts.username is not None or parts.password is not None:
            return "must not hold a user name or password"
        if not self._is_listed(host, port):
            return f"leads to {host}:{port}, which is not among the allowed hosts"
        if parts.scheme == "http" and not (is_loopback(host) and self._is_extra(host, port)):
            return "must use https"
        return None

    def _is_listed(self, host: str, port: int) -> bool:
        return (host in self.own and port == _DEFAULT_PORTS["https"]) or self._is_extra(host, port)

    def _is_extra(self, host: str, port: int) -> bool:
        return f"{host}:{port}" in _normalised(self.extra)


@lru_cache(maxsize=1024)
def _refusal(hosts: AllowedHosts, url: str) -> str | None:
    """Remembered: a connector asks about the same few addresses for every request."""
    try:
        parts = urlsplit(url)
        port = _DEFAULT_PORTS.get(parts.scheme, 0) if parts.port is None else parts.port
        is_read_alike = _where_the_client_goes(url) == (parts.hostname or "", port)
    except ValueError:
        return "is not a valid address"
    return hosts.refusal_of(parts, port) or (None if is_read_alike else "is not a valid address")


def _where_the_client_goes(url: str) -> tuple[str, int]:
    """What we check must be what the HTTP client, which reads addresses by itself, connects to."""
    address = URL(url, encoded=True)
    return (address.host or "").lower(), address.port or 0


@lru_cache
def _normalised(entries: frozenset[str]) -> frozenset[str]:
    # An IPv6 address stands in brackets in a list, and without them in a parsed address.
    return frozenset(entry.strip().lower().replace("[", "").replace("]", "") for entry in entries)


def is_loopback(host: str) -> bool:
    """Whether it is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
