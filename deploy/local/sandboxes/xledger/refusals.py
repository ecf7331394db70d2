"""How Xledger words its refusals: HTTP 200 with `{"errors": [{"message", "code", "extensions"}]}`.

Codes and the sentence on a badly formed token: grasp-labs/ds-provider-xledger-py-lib (utils/rules.py and its
tests) and xledger/graphql-samples (GraphQLClient.cs). What Xledger says of an unknown token was seen nowhere:
`UNAUTHENTICATED` is ours.
"""

from datetime import UTC, datetime

from graphql import GraphQLError

from deploy.local.sandboxes.answers import Answer, json_answer

INVALID_VALUE = "INVALID_VALUE"
BAD_FORMAT = 'Bad format for API Token. Expected header: "Authorization: token <your-token>"'

_VALIDATION_CODES = (
    ("Cannot query field", "FIELDS_ON_CORRECT_TYPE"),
    ("Unknown argument", "KNOWN_ARGUMENT_NAMES"),
    ("Syntax Error", "SYNTAX_ERROR"),
    ("Variable '$", INVALID_VALUE),
)
_TYPES = "ARGUMENTS_OF_CORRECT_TYPE"


class RefusedError(Exception):
    """A mutation or a query that Xledger refuses as a whole; nothing was changed."""

    def __init__(self, message: str, code: str = INVALID_VALUE) -> None:
        super().__init__(message)
        self.code = code

    def answer(self) -> Answer:
        return refusal(200, self.code, str(self))


def refusal(status: int, code: str | None, message: str) -> Answer:
    return json_answer({"errors": [_error(message, code or "UNHANDLED_ERROR")]}, status)


def out_of_credits(reset_at: float) -> Answer:
    moment = datetime.fromtimestamp(reset_at, UTC).isoformat().replace("+00:00", "Z")
    error = _error("Insufficient credits.", "BAD_REQUEST.INSUFFICIENT_CREDITS", resetAt=moment)
    return json_answer({"errors": [error]})


def graphql_errors(errors: list[GraphQLError]) -> Answer:
    return json_answer({"errors": [_error(each.message, _code_of(each)) for each in errors]})


def _error(message: str, code: str, **extensions: str) -> dict[str, object]:
    return {"message": message, "code": code, "extensions": {"code": code, **extensions}}


def _code_of(error: GraphQLError) -> str:
    """A value that doesn't fit is INVALID_VALUE in a variable and ARGUMENTS_OF_CORRECT_TYPE in the query's
    own text."""
    if isinstance(error.original_error, RefusedError):
        return error.original_error.code
    return next((code for start, code in _VALIDATION_CODES if error.message.startswith(start)), _TYPES)
