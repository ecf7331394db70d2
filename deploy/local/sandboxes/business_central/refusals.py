"""How Business Central words its refusals: `{"error": {"code", "message"}}`, the message ending in a
correlation id.

Source: MicrosoftDocs/dynamics365smb-devitpro-pb, webservices/dynamics-error-codes.md.
"""

from http import HTTPStatus
from uuid import uuid4

from pydantic import BaseModel, ConfigDict

from deploy.local.sandboxes.answers import Answer, json_answer

DIALOG = "Application_DialogException"
TOO_LONG = "Application_StringExceededLength"
NO_RELATION = "Internal_InvalidTableRelation"
NOT_FOUND = "Internal_RecordNotFound"
CREDENTIALS = "Authentication_InvalidCredentials"

_CODES = {401: CREDENTIALS, 429: "Application_TooManyRequests", 503: "Internal_ServerError"}


class RefusedError(Exception):
    """A request that the ERP refuses; nothing was changed."""

    def __init__(self, message: str, *, code: str = "BadRequest", status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status

    def answer(self) -> Answer:
        return refusal(self.status, self.code, str(self))


class Refusal(BaseModel):
    """One that is told to it: no page says with which status each code comes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: int
    code: str
    message: str

    def error(self) -> RefusedError:
        return RefusedError(self.message, code=self.code, status=self.status)


def refusal(status: int, code: str | None, message: str) -> Answer:
    text = f"{message}  CorrelationId:  {uuid4()}."
    body = {"error": {"code": code or _CODES.get(status, "Unknown"), "message": text}}
    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'} if status == HTTPStatus.UNAUTHORIZED else {}
    return json_answer(body, status, headers)


def unrelated(field: str, table: str, value: str, related: str) -> RefusedError:
    message = (
        f"The field {field} of table {table} contains a value ({value})"
        f" that cannot be found in the related table ({related})."
    )
    return RefusedError(message, code=NO_RELATION)


def not_found(what: str) -> RefusedError:
    return RefusedError(f"The {what} does not exist.", code=NOT_FOUND, status=404)
