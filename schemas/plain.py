"""Content as plain dicts instead of a model's objects, by the same rules: a third less work, for who only stores it.

What validates a model is a tree of rules, its core schema. Here the objects are taken out of the tree, and with them
the checks that need them; the rules of every field stay as they are.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias, cast

from pydantic_core import CoreSchema, SchemaSerializer, SchemaValidator

from schemas.content import EventContent

Rule: TypeAlias = "Mapping[str, object]"

_INNER: Final = ("schema", "items_schema")
_OF_A_FIELD: Final = ("serialization_exclude_if",)
"""What a model's field says that a dict's has to say too."""


class PlainContent:
    """Reads and writes what one model does, but for the model's own checks over several fields."""

    def __init__(self, model: type[EventContent]) -> None:
        schema = cast("CoreSchema", _plain(cast("Rule", model.__pydantic_core_schema__)))
        self.read = SchemaValidator(schema).validate_python
        """Raises pydantic's ValidationError."""
        self.canonical = SchemaSerializer(schema).to_json
        """As the model's `canonical`."""


def _plain(rule: Rule) -> Rule:
    if rule["type"] == "model":
        return _typed_dict(rule)
    if rule["type"] == "function-after" and _inner(rule)["type"] == "model":
        return _plain(_inner(rule))
    return {name: _plain_inside(part) if name in _INNER else part for name, part in rule.items()}


def _plain_inside(part: object) -> object:
    """A rule, or several."""
    return [_plain(rule) for rule in part] if isinstance(part, list) else _plain(cast("Rule", part))


def _typed_dict(model: Rule) -> Rule:
    fields = cast("Mapping[str, Rule]", _inner(model)["fields"])
    plain = {name: _field(field, _plain(_inner(field))) for name, field in fields.items()}
    return {"type": "typed-dict", "fields": plain, "config": model["config"]}


def _field(field: Rule, rule: Rule) -> Rule:
    plain = {"type": "typed-dict-field", "schema": rule, "required": rule["type"] != "default"}
    return plain | {name: part for name, part in field.items() if name in _OF_A_FIELD}


def _inner(rule: Rule) -> Rule:
    return cast("Rule", rule["schema"])
