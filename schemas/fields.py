"""The kinds of values that fields of our events hold, each checked in one pass by pydantic's compiled core.

Patterns are run by the Rust regex engine, where `$` matches at the very end only. Python's `re` would let a
trailing newline through.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Final

from pydantic import AfterValidator, Field, GetPydanticSchema, StringConstraints
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from schemas.currency import DECIMALS


def _schema(schema: CoreSchema) -> GetPydanticSchema:
    return GetPydanticSchema(lambda _source, _handler: schema)


def _parsed_text(pattern: str, parse: Callable[[str], object]) -> GetPydanticSchema:
    """A JSON string of this pattern, then parsed: numbers are never taken for amounts or times."""
    text = core_schema.str_schema(strict=True, pattern=pattern)
    return _schema(core_schema.chain_schema([text, core_schema.no_info_plain_validator_function(parse)]))


def _active_currency() -> GetPydanticSchema:
    codes = core_schema.literal_schema(sorted(DECIMALS))
    # The message of a literal lists all its members, which here are 165 currencies.
    message = "Input should be an active ISO 4217 currency code"
    return _schema(core_schema.custom_error_schema(codes, "currency", custom_error_message=message))


def _file_address() -> GetPydanticSchema:
    """Its parts are those of RFC 3986, without user, password and fragment."""
    host = r"https://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?|http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?"
    path = r"/[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]*"
    text = core_schema.str_schema(strict=True, max_length=2048, pattern=rf"^({host})({path})?$")
    message = "Input should be an https address without user, password and fragment, of at most 2048 characters"
    return _schema(core_schema.custom_error_schema(text, "file_address", custom_error_message=message))


def _amount(text: str) -> Decimal:
    amount = Decimal(text)
    if not amount:
        raise PydanticCustomError("amount", "Input should be above zero")
    return amount


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise PydanticCustomError("day", "Input should be a day of the calendar") from None


def _instant(text: str) -> datetime:
    # The messages of fromisoformat quote their input; before year 1 in UTC it is an OverflowError.
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise PydanticCustomError("instant", "Input should be a moment of the calendar") from None


def _by_name(dimensions: dict[str, str]) -> dict[str, str]:
    return dict(sorted(dimensions.items())) if len(dimensions) > 1 else dimensions


_DAY: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME: Final = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
_OFFSET: Final = r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"

Identifier = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9._:-]{1,64}$")]
ConnectorKind = Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z][a-z0-9_]{0,31}$")]
"""An open set: which connectors there are is not for the schemas to know."""

ShortText = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")
]
"""One line, without control characters."""

FreeText = Annotated[
    str,
    StringConstraints(strict=True, max_length=1000, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"),
]
"""What a person typed: any script, line breaks, no control characters. PostgreSQL can't store U+0000."""

Dimensions = Annotated[
    dict[Identifier, ShortText],
    Field(max_length=16, json_schema_extra={"additionalProperties": False}),
    AfterValidator(_by_name),
]
Currency = Annotated[str, _active_currency()]
Amount = Annotated[Decimal, _parsed_text(r"^[0-9]{1,13}(\.[0-9]{1,4})?$", _amount)]
"""Above zero, at most 13 digits before the point and 4 after it."""

Sha256 = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9a-f]{64}$")]
FileAddress = Annotated[str, _file_address()]
"""Plain http is for one's own machine alone: whether it may be asked at all is for the worker's settings to say."""

Day = Annotated[date, _parsed_text(rf"^{_DAY}$", _day), Field(json_schema_extra={"format": "date"})]
Instant = Annotated[
    datetime,
    _parsed_text(rf"^{_DAY}[Tt]{_TIME}{_OFFSET}$", _instant),
    Field(json_schema_extra={"format": "date-time"}),
]
"""RFC 3339 with an offset in, a datetime in UTC out, to the microsecond."""
