"""Xledger. `factory` is what the entry point names."""

from collections.abc import Mapping

from connectors.account_mapping import AccountMapping
from connectors.configuration import check_credentials
from connectors.contract import AccountingConnector, ConnectorFactory, ConnectorKind, Environment
from connectors.xledger.connector import XledgerConnector
from connectors.xledger.settings import read_settings


class _Factory:
    kind = ConnectorKind("xledger")
    title = "Xledger"
    secret_fields = frozenset({"token"})
    ledger_fields: frozenset[str] = frozenset()  # the token alone decides which company it is

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
        return XledgerConnector(read, credentials["token"], mapping, hosts)


factory: ConnectorFactory = _Factory()
