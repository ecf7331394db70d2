"""Files for an accounting system that takes them. `factory` is what the entry point names."""

from collections.abc import Mapping

from connectors.account_mapping import AccountMapping
from connectors.contract import AccountingConnector, ConnectorFactory, ConnectorKind, Environment
from connectors.file.connector import FileConnector
from connectors.file.settings import read_settings


class _Factory:
    kind = ConnectorKind("file")
    title = "File"
    secret_fields: frozenset[str] = frozenset()  # the operating system says who may write into the folder
    ledger_fields = frozenset({"folder"})

    def validate(self, settings: Mapping[str, object], environment: Environment) -> None:  # noqa: ARG002  # the contract's; no host is talked to
        read_settings(settings)

    def connect(
        self,
        settings: Mapping[str, object],
        credentials: Mapping[str, str],  # noqa: ARG002  # there are none
        mapping: AccountMapping,  # noqa: ARG002  # nobody is there to ask about it
        environment: Environment,  # noqa: ARG002  # no host is talked to
    ) -> AccountingConnector:
        return FileConnector(read_settings(settings))


factory: ConnectorFactory = _Factory()
