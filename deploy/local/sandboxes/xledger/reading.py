"""One GraphQL request as text: what it asks for, which references it names, which documents it carries."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from graphql import (
    DocumentNode,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    execute_sync,
    get_operation_ast,
    parse,
    validate,
)

from deploy.local.sandboxes.ledger import Cargo
from deploy.local.sandboxes.tenants import XledgerTenant
from deploy.local.sandboxes.xledger.connections import Row
from deploy.local.sandboxes.xledger.imports import cargo_of
from deploy.local.sandboxes.xledger.intake import Fields, read_vouchers
from deploy.local.sandboxes.xledger.refusals import RefusedError

MUTATION = "addGLImportItems"
Resolver = Callable[..., Row | None]


@dataclass(frozen=True, slots=True)
class Query:
    """`errors` are those of syntax and validation; with any of them it is never run."""

    document: DocumentNode | None
    operation_name: str | None
    variables: Mapping[str, object]
    kinds: tuple[str, ...]
    errors: list[GraphQLError]


@dataclass(slots=True)
class Reading:
    """What a request names and carries: one list of cargo for each mutation field."""

    references: list[str] = field(default_factory=list)
    cargo: list[Cargo] = field(default_factory=list)


def read_query(schema: GraphQLSchema, body: object) -> Query:
    """Every body gives a query; one that isn't GraphQL gives one with errors."""
    if not isinstance(body, dict) or not isinstance(body.get("query"), str):
        return _unreadable(GraphQLError("A JSON object with a query is expected."))
    variables, name = body.get("variables"), body.get("operationName")
    try:
        document, errors = _understood(schema, body["query"])
    except GraphQLError as error:
        return _unreadable(error)
    return Query(
        document,
        name if isinstance(name, str) else None,
        variables if isinstance(variables, dict) else {},
        _root_fields(document, name),
        errors,
    )


@lru_cache(maxsize=100)
def _understood(schema: GraphQLSchema, text: str) -> tuple[DocumentNode, list[GraphQLError]]:
    """Values travel as variables, so there are few texts, and understanding one is most of a request's work.

    Raises `GraphQLError` for a text that is not GraphQL.
    """
    document = parse(text)
    return document, validate(schema, document)


def _unreadable(error: GraphQLError) -> Query:
    return Query(None, None, {}, ("unreadable",), [error])


def _root_fields(document: DocumentNode, name: str | None) -> tuple[str, ...]:
    operation = get_operation_ast(document, name)
    selections = operation.selection_set.selections if operation else ()
    return tuple(each.name.value for each in selections if isinstance(each, FieldNode)) or ("unreadable",)


def run(schema: GraphQLSchema, query: Query, resolvers: Mapping[str, Resolver]) -> ExecutionResult:
    if query.document is None:
        return ExecutionResult(None, query.errors)
    return execute_sync(
        schema,
        query.document,
        root_value=resolvers,
        variable_values=dict(query.variables),
        operation_name=query.operation_name,
    )


def read_contents(schema: GraphQLSchema, query: Query, tenant: XledgerTenant | None) -> Reading:
    """Runs it with resolvers that only listen, so that variables and literals are read alike. `tenant` is
    None for a request that is not signed in: what it carries is then known by its references alone."""
    reading = Reading()
    if not query.errors:
        listeners = {name: _listener(reading) for name in query.kinds}
        run(schema, query, {**listeners, MUTATION: _mutation_listener(reading, tenant)})
    if MUTATION in query.kinds and not reading.cargo:
        _collect_references(query.variables, reading.references)
        reading.cargo += _named_only(reading.references)
    return reading


def cargo_in(inputs: Sequence[Fields], tenant: XledgerTenant | None) -> list[Cargo]:
    """A mutation that will be refused is one cargo for each reference it names."""
    with contextlib.suppress(RefusedError):
        if tenant is not None:
            return [cargo_of(nodes) for nodes in read_vouchers(tenant, inputs)]
    named: list[str] = []
    _collect_references(inputs, named)
    return _named_only(named)


def _named_only(references: Sequence[str]) -> list[Cargo]:
    return [Cargo(reference=reference) for reference in references] or [Cargo()]


def _mutation_listener(reading: Reading, tenant: XledgerTenant | None) -> Resolver:
    def listen(_: object, inputs: Sequence[Fields]) -> None:
        _collect_references(inputs, reading.references)
        reading.cargo += cargo_in(inputs, tenant)

    return listen


def _listener(reading: Reading) -> Resolver:
    def listen(_: object, **arguments: object) -> None:
        _collect_references(arguments, reading.references)

    return listen


def _collect_references(value: object, found: list[str], key: str = "") -> None:
    """Everything under an `invoiceNumber` or `extIdentifier`, filters with a suffix too."""
    match value:
        case dict():
            for name, each in value.items():
                _collect_references(each, found, name)
        case list():
            for each in value:
                _collect_references(each, found, key)
        case str() if key.startswith(("invoiceNumber", "extIdentifier")) and value not in found:
            found.append(value)
