"""What clients may send: property names, types and lengths of purchase invoices, checked before anything
else.

Source: MicrosoftDocs/dynamics365smb-devitpro-pb, api-reference/v2.0/resources; lengths from Microsoft's
OpenAPI file. They are counted as .NET counts text, in UTF-16 units: no page states the unit.
"""

import json
import re
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from deploy.local.sandboxes.business_central.refusals import TOO_LONG, RefusedError

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _number(value: object) -> object:
    """Edm.Decimal is a JSON number: a string is refused."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("not a number")  # noqa: TRY004  pydantic takes only this one for a bad value
    return value


def _day(value: object) -> object:
    """Edm.Date has no time."""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("not a date")
    return value


def _within(longest: int) -> AfterValidator:
    """UTF-16 units; `StringConstraints` counts code points, and stands in the schema."""

    def checked(text: str) -> str:
        if len(text.encode("utf-16-le", "surrogatepass")) // 2 > longest:
            raise PydanticCustomError("string_too_long", "too long", {"max_length": longest})
        return text

    return AfterValidator(checked)


Number = Annotated[Decimal, BeforeValidator(_number)]
Day = Annotated[date, BeforeValidator(_day)]
Code20 = Annotated[str, StringConstraints(max_length=20), _within(20)]
Text100 = Annotated[str, StringConstraints(max_length=100), _within(100)]
Text50 = Annotated[str, StringConstraints(max_length=50), _within(50)]
Guid = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$")]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class DimensionSetLineBody(_Body):
    """The ids may come too; they must then be those of the codes. `parent_id` is not read: the path says it."""

    id: Guid | None = None
    code: Code20
    parent_id: Guid | None = None
    value_id: Guid | None = None
    value_code: Code20


class DimensionChangeBody(_Body):
    """What PATCH takes: the code stays what it is (page 30022)."""

    code: Code20 | None = None
    value_code: Code20


class LineBody(_Body):
    """Text lines without a type are comments in the real one; an adapter has no use for them here. `sequence` is the
    line's number; `location_id` names one of the company's locations, of which there are none here."""

    sequence: int | None = None
    line_type: Literal["Account"]
    line_object_number: Code20
    location_id: Guid | None = None
    quantity: Number = Decimal(0)
    unit_cost: Number = Decimal(0)
    description: Text100 = ""
    description2: Text50 = ""
    tax_code: Code20 | None = None
    dimension_set_lines: tuple[DimensionSetLineBody, ...] = ()


class AttachmentBody(_Body):
    parent_id: Guid
    parent_type: Literal["Purchase Invoice"]
    file_name: Annotated[str, StringConstraints(min_length=1, max_length=250), _within(250)]


class InvoiceChangeBody(_Body):
    """Also what PATCH takes: a property left out stays as it is."""

    vendor_id: Guid | None = None
    vendor_number: Code20 | None = None
    vendor_invoice_number: Annotated[str, StringConstraints(max_length=35), _within(35)] = ""
    invoice_date: Day | None = None
    posting_date: Day | None = None
    due_date: Day | None = None
    currency_code: Annotated[str, StringConstraints(max_length=10)] = ""
    shortcut_dimension1_code: Code20 = ""
    shortcut_dimension2_code: Code20 = ""


class InvoiceBody(InvoiceChangeBody):
    prices_include_tax: bool = False
    purchase_invoice_lines: tuple[LineBody, ...] = ()


Body = TypeVar("Body", bound=_Body)


def read_json(raw: bytes) -> object:
    """None where it isn't JSON. Numbers with a decimal point become `Decimal`."""
    try:
        return json.loads(raw, parse_float=Decimal)
    except ValueError:
        return None


def read_body(model: type[Body], value: object) -> Body:
    """Raises `RefusedError` with the first thing that is wrong."""
    if not isinstance(value, dict):
        raise RefusedError("Invalid Request Body")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        raise _refused(first["type"], str(first["loc"][-1]), first["input"]) from None


def _refused(kind: str, name: str, value: object) -> RefusedError:
    match kind:
        case "extra_forbidden":
            return RefusedError(f"The property '{name}' does not exist on type 'Microsoft.NAV'.")
        case "string_too_long":
            return RefusedError(f"The length of the string is {len(str(value))}: '{name}' is too long.", code=TOO_LONG)
        case "missing":
            return RefusedError(
                f"Field '{name}' must not be blank or empty.", code="BadRequest_RequiredParamNotProvided"
            )
        case _:
            return RefusedError(f"Cannot convert a value to the expected type of '{name}'.")
