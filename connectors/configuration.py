"""What the configuration files of all connectors share, and how its mistakes are told: one sentence each, no values."""

from collections.abc import Iterable, Mapping
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from connectors.contract import ConfigurationError, Environment
from connectors.erp_text import one_line
from connectors.hosts import AllowedHosts

_LONGEST_CREDENTIAL = 4096
_LONGEST_NAME = 64
_OUTSIDE = "is outside its range"
_MISTAKES: Mapping[str, str] = {
    "missing": "is missing",
    "extra_forbidden": "is not a known setting",
    "literal_error": "is not one of the values it may have",
    "uuid_parsing": "must be a GUID",
    "uuid_type": "must be a GUID",
    "greater_than": _OUTSIDE,
    "greater_than_equal": _OUTSIDE,
    "less_than": _OUTSIDE,
    "less_than_equal": _OUTSIDE,
    "string_too_short": "must not be empty",
    "string_too_long": "is too long",
}
"""pydantic's kind of error → how the sentence about it goes on."""


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("not a time zone") from None
    return name


def _plain_address(address: str) -> str:
    if "?" in address or "#" in address:
        raise ValueError("has a query")
    return address.rstrip("/")


TimeZone = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_known_zone)]
Address = Annotated[
    str, StringConstraints(min_length=1, max_length=500, pattern=r"^[!-~]+$"), AfterValidator(_plain_address)
]


class ConnectorSettings(BaseModel):
    """Settings of every connector. `time_zone` dates the documents; `quarantine_seconds` is the longest
    life of a request."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    time_zone: TimeZone = "Europe/Oslo"
    quarantine_seconds: int = Field(default=900, ge=0, le=86_400)
    read_timeout_seconds: float = Field(default=60, gt=0, le=600)


SettingsT = TypeVar("SettingsT", bound=BaseModel)


def validated(model: type[SettingsT], settings: Mapping[str, object]) -> SettingsT:
    """Raises `ConfigurationError`."""
    try:
        return model.model_validate(dict(settings))
    except ValidationError as error:
        raise ConfigurationError(sentences(error)) from None


def check_addresses(hosts: AllowedHosts, addresses: Mapping[str, str]) -> None:
    """`addresses` is setting → address. Raises `ConfigurationError`."""
    refusals = {name: hosts.refusal(address) for name, address in addresses.items()}
    problems = [f"{name} {refusal}." for name, refusal in refusals.items() if refusal is not None]
    if problems:
        raise ConfigurationError(problems)


def check_credentials(credentials: Mapping[str, str], fields: Iterable[str]) -> None:
    """Each present, and printable ASCII without blanks, since they travel in headers. Raises `ConfigurationError`."""
    problems = [
        f"credentials.{name} is missing or holds characters that cannot be sent."
        for name in sorted(fields)
        if not _is_sendable(credentials.get(name, ""))
    ]
    if problems:
        raise ConfigurationError(problems)


def allowed_hosts(own: Iterable[str], environment: Environment) -> AllowedHosts:
    return AllowedHosts(own=frozenset(own), extra=environment.extra_allowed_hosts)


def sentences(error: ValidationError, root: str = "") -> list[str]:
    """One sentence for each mistake, with its place in words. Never the value: it may be a secret."""
    told = (_sentence(item["type"], _place(item["loc"], root)) for item in error.errors(include_input=False))
    return list(dict.fromkeys(told))


def _is_sendable(credential: str) -> bool:
    return 0 < len(credential) <= _LONGEST_CREDENTIAL and all("!" <= character <= "~" for character in credential)


def _place(location: tuple[int | str, ...], root: str) -> str:
    """On one line, whatever the keys of the file are."""
    words = [one_line(str(step), _LONGEST_NAME) for step in ([root] if root else []) + list(location)]
    return " → ".join(words) if words else "the configuration"


def _sentence(kind: str, place: str) -> str:
    return f"{place} {_MISTAKES.get(kind, 'has a value of the wrong form')}."
