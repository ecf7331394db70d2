"""What we ask of Xledger, and what its sandbox takes, measured by what others have recorded of the real one."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from graphql import (
    FieldNode,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    is_leaf_type,
    parse,
    validate,
)

from connectors.xledger import queries
from connectors.xledger.documents import Books, voucher
from deploy.local.sandboxes.xledger.schema import COLLECTIONS, xledger_schema
from tests.contract.recorded import recorded
from tests.unit.connectors.samples import posting

TEXTS = [text for name, text in vars(queries).items() if name.isupper()]
RECORDED = {
    "accounts",
    "apTransactions",
    "glImportItemErrors",
    "glImportItems",
    "journalEntries",
    "objectValues",
    "periodStatusItems",
    "suppliers",
}
OF_ANOTHER_LIBRARY = {
    ("apTransactions", "currency_code"),
    ("journalEntries", "currency_code"),
    ("journalEntries", "currency_description"),
    ("journalEntries", "account_code"),
    ("apTransactions", "account_code"),
}
"""omniboost/go-xledger (`types.go`) reads accounts and currencies with their codes."""

FIELDS_OF_PROJECTS = "fromDate toDate dbId code description modifiedAt extIdentifier allowPosting xgl { dbId code }"
FULL_SYNC = f"""query ($after: String) {{
  projects(first: 10000, after: $after) {{
    edges {{ cursor node {{ {FIELDS_OF_PROJECTS} }} }} pageInfo {{ hasNextPage }}
  }}
}}"""
LATEST_CHANGES = f"""query ($after: String, $since: DateTimeString) {{
  projects(first: 10000, after: $after, filter: {{ modifiedAt_gte: $since }}) {{
    edges {{ cursor node {{ {FIELDS_OF_PROJECTS} glObject5 {{ dbId code }} }} }} pageInfo {{ hasNextPage }}
  }}
}}"""
"""In the form of xledger/graphql-samples (`Queries.cs`)."""

TAX_RULES = """query ($objectKindId: Int!, $after: String) {
  objectValues(filter: {objectKindDbId: $objectKindId}, first: 500, after: $after) {
    pageInfo { hasNextPage } edges { cursor node { dbId code description } }
  }
}"""
ONE_ITEM = """mutation ($node: AddGLImportItemsInputNode!) {
  addGLImportItems(inputs: {node: $node}) { edges { node { dbId } } }
}"""
"""In the form of omniboost/go-xledger's tests."""


def selected(selections: SelectionSetNode, prefix: str = "") -> Iterator[str]:
    """Leaves, as the record names them."""
    for field in selections.selections:
        assert isinstance(field, FieldNode)
        name = f"{prefix}{field.name.value}"
        yield from [name] if field.selection_set is None else selected(field.selection_set, f"{name}_")


def asked() -> Iterator[tuple[str, str]]:
    """Every collection and field that our queries name, and every field by which they filter."""
    for text in TEXTS:
        (operation,) = parse(text).definitions
        assert isinstance(operation, OperationDefinitionNode)
        for root in operation.selection_set.selections:
            assert isinstance(root, FieldNode)
            assert root.selection_set is not None
            fields = selected(root.selection_set)
            yield from ((root.name.value, f.removeprefix("edges_node_")) for f in fields if f.startswith("edges_node_"))
            yield from ((root.name.value, name) for name in _filtered(root))


def _filtered(root: FieldNode) -> Iterator[str]:
    for argument in root.arguments or ():
        if argument.name.value == "filter":
            fields: Any = argument.value
            yield from (field.name.value.partition("_")[0] for field in fields.fields)


@pytest.mark.parametrize(("collection", "field"), sorted({one for one in asked() if one[0] in RECORDED}))
def test_every_field_we_ask_for_is_recorded(collection: str, field: str) -> None:
    assert field in recorded(f"{collection}.read") or (collection, field) in OF_ANOTHER_LIBRARY


def test_whatever_else_is_asked_for_is_named_here() -> None:
    assert {collection for collection, _ in asked()} - RECORDED == {"addGLImportItems", "objectKinds"}


def test_every_field_of_a_voucher_is_recorded_and_every_value_is_of_the_recorded_type() -> None:
    fields = recorded("glImportItems.create")
    nodes = voucher(posting(), date(2026, 12, 1), Books("AP", "NOK", {"AVD": "glObject1"}), "7")
    assert isinstance(nodes, list)
    for node in nodes:
        for name, value in node.items():
            names = [f"{name}_{part}" for part in value] if isinstance(value, dict) else [name]
            assert all(fields[each] in {"string", "datetime"} for each in names)
            assert isinstance(value, str | dict)


@pytest.mark.parametrize(
    "collection", [each for each in COLLECTIONS if each.name in RECORDED], ids=lambda one: one.name
)
def test_the_sandbox_knows_no_field_that_nobody_has_recorded(collection: Any) -> None:
    known, schema = recorded(f"{collection.name}.read"), xledger_schema()
    invented = {name for name in leaves(schema, collection.node) if name not in known}
    assert {(collection.name, name) for name in invented} <= OF_ANOTHER_LIBRARY | CODES_OF_REFERENCES


CODES_OF_REFERENCES = {
    ("journalEntries", f"{name}_{part}")
    for name in ("glObject1", "glObject2", "glObject3", "glObject4", "glObject5", "taxRule", "transactionSource")
    for part in ("code", "description", "ownerDbId")
} | {
    (collection, f"{name}_{part}")
    for collection in ("journalEntries", "apTransactions")
    for name, part in (("currency", "description"), ("transactionHeader", "transactionSource_description"))
}
"""A reference to another record has its code, as in xledger/graphql-samples (`glObject1 { code }`)."""


def leaves(schema: GraphQLSchema, name: str, prefix: str = "") -> Iterator[str]:
    kind = schema.type_map[name]
    assert isinstance(kind, GraphQLObjectType)
    for field, definition in kind.fields.items():
        inner = get_named_type(definition.type)
        if is_leaf_type(inner):
            yield f"{prefix}{field}"
        elif inner.name != "Account":  # recorded by itself
            yield from leaves(schema, inner.name, f"{prefix}{field}_")


def test_the_sandbox_takes_every_field_that_was_recorded_for_the_import_and_no_other() -> None:
    node = xledger_schema().type_map["AddGLImportItemsInputNode"]
    assert isinstance(node, GraphQLInputObjectType)
    assert set(node.fields) == {name.partition("_")[0] for name in recorded("glImportItems.create")}


@pytest.mark.parametrize("text", [*TEXTS, FULL_SYNC, LATEST_CHANGES, TAX_RULES, ONE_ITEM])
def test_what_we_and_others_send_in_production_is_valid_to_the_sandbox(text: str) -> None:
    assert validate(xledger_schema(), parse(text)) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("postedDate", "postedDato"),
        ("(first: 10000", "(frist: 10000"),
        ("invoiceNumber_in", "extIdentifier_in"),
        ("[String!]!", "[Float!]!"),
    ],
)
def test_a_slip_of_the_pen_in_a_query_is_refused(right: str, wrong: str) -> None:
    assert right in queries.FIND_VOUCHERS
    assert validate(xledger_schema(), parse(queries.FIND_VOUCHERS.replace(right, wrong)))
