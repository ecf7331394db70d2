"""One GraphQL request, run against a company's books once the exchange lets it be applied."""

from collections.abc import Sequence

from graphql import GraphQLSchema

from deploy.local.sandboxes.answers import json_answer
from deploy.local.sandboxes.exchange import Verdict
from deploy.local.sandboxes.ledger import Effect
from deploy.local.sandboxes.xledger.connections import Filter, Row, connection, numbers_in
from deploy.local.sandboxes.xledger.imports import Importer
from deploy.local.sandboxes.xledger.intake import Fields, read_vouchers
from deploy.local.sandboxes.xledger.reading import MUTATION, Query, Resolver, cargo_in, run
from deploy.local.sandboxes.xledger.refusals import RefusedError, graphql_errors
from deploy.local.sandboxes.xledger.rows import Rows, staged_row
from deploy.local.sandboxes.xledger.schema import COLLECTIONS


class Execution:
    """Runs queries against one company's books."""

    def __init__(self, schema: GraphQLSchema, importer: Importer, rows: Rows) -> None:
        self._schema = schema
        self._importer = importer
        self._rows = rows

    def apply(self, query: Query, number: int, credentials: str) -> Verdict:
        self._importer.process_due()
        effects: list[Effect] = []
        if query.errors:
            return Verdict(graphql_errors(query.errors))
        result = run(self._schema, query, self._resolvers(number, credentials, effects))
        if result.errors:
            return Verdict(graphql_errors(result.errors), effects)
        return Verdict(json_answer({"data": result.data}), effects)

    def _resolvers(self, number: int, credentials: str, effects: list[Effect]) -> dict[str, Resolver]:
        def add(_: object, inputs: Sequence[Fields]) -> Row:
            try:
                vouchers = read_vouchers(self._importer.tenant, inputs)
            except RefusedError as error:
                effects.extend([Effect(applied=False, note=error.code)] * len(cargo_in(inputs, self._importer.tenant)))
                raise
            staged = self._importer.add(vouchers, number, credentials)
            effects.extend([Effect(applied=True)] * len(staged))
            items = [item for voucher in staged for item in voucher]
            return {"edges": [{"clientId": item.node.client_id, "node": staged_row(item)} for item in items]}

        return {MUTATION: add, **{each.name: self._lister(each.name) for each in COLLECTIONS}}

    def _lister(self, name: str) -> Resolver:
        def rows(
            _: object,
            first: int | None = None,
            after: str | None = None,
            filter: Filter | None = None,  # noqa: A002  the argument's name in the schema
            objectStatus: str | None = None,  # noqa: N803, ARG001  likewise; all that is known is open
        ) -> Row:
            return connection(self._rows.of(name, numbers_in(filter)), first, after, filter)

        return rows
