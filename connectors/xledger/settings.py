"""The configuration of an Xledger connector, as `connectors/README.md` describes it."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, StringConstraints

from connectors.configuration import Address, ConnectorSettings, allowed_hosts, check_addresses, validated
from connectors.contract import ConfigurationError, Environment
from connectors.hosts import AllowedHosts, is_loopback

OWN_HOSTS = ("www.xledger.net", "demo.xledger.net")
SHORTEST_QUARANTINE = 900
"""Seconds. Nothing else keeps a request that is applied late and the next try from both being booked."""

SourceCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,20}$")]
CurrencyCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class XledgerSettings(ConnectorSettings):
    """`company_currency` is the books' own: an amount in it needs no rate. `check_after_seconds` is how long an import
    usually takes, `import_limit_seconds` how long it may take before people are told. `vouchers_per_request` is how
    many share a mutation at the most, as far as 500 nodes go, and so how many are on their way for each of
    the requests at once.

    Limits: 20 requests in 5 s (error BURST_RATE_LIMIT_REACHED, xledger/graphql-samples). How many may run at once is
    not published, only that there is a limit (CONCURRENCY_LIMIT_REACHED): two is a cautious choice.
    """

    base_url: Address = "https://www.xledger.net/graphql"
    transaction_source: SourceCode = "AP"
    company_currency: CurrencyCode = "NOK"
    concurrency: int = Field(default=2, ge=1, le=10)
    vouchers_per_request: int = Field(default=100, ge=1, le=250)
    requests_per_5_seconds: int = Field(default=20, ge=1, le=1_000_000)
    check_after_seconds: float = Field(default=5, ge=0, le=3600)
    import_limit_seconds: int = Field(default=3600, ge=1, le=604_800)


def read_settings(settings: Mapping[str, object], environment: Environment) -> tuple[XledgerSettings, AllowedHosts]:
    """Raises `ConfigurationError`."""
    read = validated(XledgerSettings, settings)
    hosts = allowed_hosts(OWN_HOSTS, environment)
    check_addresses(hosts, {"base_url": read.base_url})
    _check_quarantine(read)
    return read, hosts


def _check_quarantine(read: XledgerSettings) -> None:
    """A sandbox on this machine may forget sooner. Raises `ConfigurationError`."""
    if read.quarantine_seconds < SHORTEST_QUARANTINE and not is_loopback(urlsplit(read.base_url).hostname or ""):
        told = f"quarantine_seconds must be at least {SHORTEST_QUARANTINE}: Xledger takes a voucher a second time."
        raise ConfigurationError([told])
