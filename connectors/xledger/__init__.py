"""Xledger. `factory` is what the entry point names."""

from collections.abc import Mapping

from connectors.account_mapping import AccountMapping
from connectors.configuration import check_credentials
from connectors.contract import AccountingConnector, ConnectorFactory, ConnectorKind, Environment
from connectors.pacing import Pace, SharedPaces
from connectors.xledger.connector import XledgerConnector
from connectors.xledger.settings import read_settings

_FIVE_SECONDS = 5.0


class _Factory:
    kind = ConnectorKind("xledger")
    title = "Xledger"
    secret_fields = frozenset({"token"})
    ledger_fields = frozenset({"base_url"})  # within it, the token alone decides which company it is

    def __init__(self) -> None:
        self._paces = SharedPaces(_pace)

    def validate(self, settings: Mapping[str, object], environment: Environment) -> None:
        read_settings(settings, environment)

    def connect(
        self,
        settings: Mapping[str, object],
        credentials: Mapping[str, str],
        mapping: AccountMapping,
        environment: Environment,
    ) -> AccountingConnector:
        read, hosts = read_settings(settings, environment)
        check_credentials(credentials, self.secret_fields)
        pace = self._paces.of([credentials["token"]], read.requests_per_5_seconds, read.concurrency)
        return XledgerConnector(read, credentials["token"], mapping, hosts, pace)


def _pace(requests: int, concurrency: int) -> Pace:
    return Pace(requests=requests, seconds=_FIVE_SECONDS, concurrency=concurrency)


factory: ConnectorFactory = _Factory()
