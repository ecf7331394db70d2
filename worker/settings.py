"""Settings from the environment, `.env` and secret files; what is wrong is told in one line each, before any start."""

import base64
import binascii
from collections.abc import Iterable, Iterator
from enum import StrEnum
from ipaddress import ip_address
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

SECRETS_FOLDER = Path("/run/secrets")

KEY_BYTES = 32
HOW_TO_MAKE_A_KEY = "make one with: openssl rand -base64 32"


class SettingsError(Exception):
    """Settings that can't work: one clear line each, without values."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class WorkerRole(StrEnum):
    INTAKE = "intake"
    DISPATCH = "dispatch"
    OUTBOX = "outbox"
    SCHEDULE = "schedule"
    ADMIN = "admin"


class Settings(BaseSettings):
    """Every name carries the prefix `SYNC_` in the environment; a file of that name in /run/secrets serves as well."""

    model_config = SettingsConfigDict(
        env_prefix="SYNC_", env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    database_url: SecretStr
    kafka_bootstrap_servers: str = "localhost:9092"
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ca_file: Path | None = None
    kafka_group_id: str = "accounting-sync"
    approvals_topic: str = "reimbursement-approved"
    toggles_topic: str = "connector-toggled"
    dead_letter_topic: str = "accounting-sync-dead-letter"
    outcomes_topic: str = "accounting-sync-outcome"
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535)
    public_url: str | None = None
    probe_port: int = Field(default=8081, ge=0, le=65535)
    credentials_key: SecretStr | None = None
    credentials_old_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    oidc_audience: str | None = None
    session_idle_seconds: float = Field(default=30 * 60.0, ge=60, le=24 * 3600)
    session_seconds: float = Field(default=8 * 3600.0, ge=60, le=24 * 3600)
    erp_allowed_hosts: Annotated[frozenset[str], NoDecode] = frozenset()
    receipt_allowed_hosts: Annotated[frozenset[str], NoDecode] = frozenset()
    roles: Annotated[frozenset[WorkerRole], NoDecode] = frozenset(WorkerRole)
    log_format: Literal["json", "console"] = "json"
    lease_seconds: float = Field(default=30.0, ge=1, le=600)
    shutdown_seconds: float = Field(default=20.0, gt=0, le=600)
    poll_seconds: float = Field(default=5.0, gt=0, le=60)
    stall_seconds: float = Field(default=180.0, ge=1, le=3600)
    kafka_session_seconds: float = Field(default=45.0, ge=1, le=300)

    @field_validator("database_url")
    @classmethod
    def _is_address(cls, value: SecretStr) -> SecretStr:
        """asyncpg quotes what it can't read, and that may be a part of the password."""
        if not _is_postgresql(value.get_secret_value()):
            raise ValueError("is not an address like postgresql://user:password@host:5432/database")
        return value

    @field_validator("erp_allowed_hosts", "receipt_allowed_hosts", "roles", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return frozenset(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("receipt_allowed_hosts")
    @classmethod
    def _have_ports(cls, value: frozenset[str]) -> frozenset[str]:
        """One without would allow nothing, and nobody would be told."""
        if not all(entry.rpartition(":")[2].isdecimal() for entry in value):
            raise ValueError("holds something that is not host:port, as in files.example.org:443")
        return value

    @field_validator("roles")
    @classmethod
    def _some_role(cls, value: frozenset[WorkerRole]) -> frozenset[WorkerRole]:
        if not value:
            raise ValueError("names no role; use any of intake, dispatch, outbox, schedule, admin")
        return value

    @field_validator("credentials_key")
    @classmethod
    def _is_256_bits(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(_decoded(value)) != KEY_BYTES:
            raise ValueError(f"is not 32 bytes in base64; {HOW_TO_MAKE_A_KEY}")
        return value

    @field_validator("credentials_old_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @field_validator("credentials_old_keys")
    @classmethod
    def _are_256_bits(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if any(len(_decoded(one)) != KEY_BYTES for one in value):
            raise ValueError("holds something that is not 32 bytes in base64; separate keys by commas")
        return value

    @field_validator(
        "public_url", "oidc_issuer", "oidc_client_id", "oidc_client_secret", "oidc_audience", mode="before"
    )
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        """As Compose and Kubernetes write what nobody has set."""
        return None if value == "" else value

    @field_validator("oidc_issuer")
    @classmethod
    def _is_issuer(cls, value: str | None) -> str | None:
        """Kept to the letter: it is compared with what the provider says of itself."""
        if value is not None and (not is_safe_address(value) or urlsplit(value).query):
            raise ValueError("is not like https://id.example.org/realm (http is for this machine alone)")
        return value

    @field_validator("public_url")
    @classmethod
    def _is_origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not is_safe_address(value) or urlsplit(value).path not in ("", "/") or urlsplit(value).query:
            raise ValueError("is not like https://sync.example.org, without a path (http is for this machine alone)")
        usual = ":443" if value.lower().startswith("https:") else ":80"
        return value.rstrip("/").lower().removesuffix(usual)

    @property
    def credentials_old_key_bytes(self) -> tuple[bytes, ...]:
        return tuple(map(_decoded, self.credentials_old_keys))

    @property
    def credentials_key_bytes(self) -> bytes | None:
        return _decoded(self.credentials_key) if self.credentials_key else None


def read_settings(secrets_folder: Path = SECRETS_FOLDER) -> Settings:
    """Raises SettingsError with one line for each setting that is wrong or missing."""
    settings = _read(secrets_folder)
    return _without_problems(settings, _contradictions(settings))


def read_worker_settings(secrets_folder: Path = SECRETS_FOLDER) -> Settings:
    """As `read_settings`, for the roles of a worker, which need what a command does not."""
    settings = _read(secrets_folder)
    return _without_problems(settings, chain(_contradictions(settings), _missing_for_roles(settings)))


def _read(secrets_folder: Path) -> Settings:
    try:
        return Settings(_secrets_dir=secrets_folder if secrets_folder.is_dir() else None)
    except ValidationError as error:
        raise SettingsError(
            [_line(problem["loc"], problem["msg"]) for problem in error.errors(include_input=False)]
        ) from None


def _without_problems(settings: Settings, problems: Iterable[str]) -> Settings:
    lines = list(problems)
    if lines:
        raise SettingsError(lines)
    return settings


def _contradictions(settings: Settings) -> Iterator[str]:
    """What is right by itself and can't work together."""
    if settings.oidc_issuer and not settings.oidc_client_id:
        yield "SYNC_OIDC_CLIENT_ID: is missing; sign-in with SYNC_OIDC_ISSUER needs it"
    if not settings.oidc_issuer and any((settings.oidc_client_id, settings.oidc_client_secret, settings.oidc_audience)):
        yield "SYNC_OIDC_ISSUER: is missing; the other SYNC_OIDC settings mean nothing without it"
    if settings.session_idle_seconds > settings.session_seconds:
        yield "SYNC_SESSION_IDLE_SECONDS: is longer than SYNC_SESSION_SECONDS, which ends every session"


def _missing_for_roles(settings: Settings) -> Iterator[str]:
    signs_in = bool(settings.oidc_issuer) and WorkerRole.ADMIN in settings.roles
    if settings.credentials_key is None and WorkerRole.DISPATCH in settings.roles:
        # Without it every lane would find its credentials unreadable, and suspend its connector for all workers.
        yield f"SYNC_CREDENTIALS_KEY: is missing; the role dispatch reads credentials with it; {HOW_TO_MAKE_A_KEY}"
    elif settings.credentials_key is None and signs_in:
        yield f"SYNC_CREDENTIALS_KEY: is missing; sign-ins are sealed with it; {HOW_TO_MAKE_A_KEY}"
    if signs_in and settings.public_url is None and not is_this_machine(settings.http_host):
        yield "SYNC_PUBLIC_URL: is missing; say what browsers know this service as, like https://sync.example.org"


def is_safe_address(url: str) -> bool:
    """https, or http to this machine, without a user, a password or a fragment."""
    try:
        parts = urlsplit(url)
        if not parts.hostname or parts.port == 0 or "@" in parts.netloc or "#" in url or not _is_plain(url):
            return False
    except ValueError:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and is_this_machine(parts.hostname))


def is_this_machine(host: str) -> bool:
    """By its name or its address alone: names that are looked up may lead anywhere."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_plain(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url and "\\" not in url


def _line(location: tuple[int | str, ...], message: str) -> str:
    name = "SYNC_" + str(location[0]).upper()
    return f"{name}: {message.removeprefix('Value error, ')[:1].lower()}{message.removeprefix('Value error, ')[1:]}"


def _is_postgresql(url: str) -> bool:
    """Several hosts may be named, separated by commas."""
    try:
        parts = urlsplit(url)
        hosts = [urlsplit(f"//{host}") for host in parts.netloc.rpartition("@")[2].split(",")]
        return parts.scheme in {"postgresql", "postgres"} and all(host.port != 0 for host in hosts)
    except ValueError:
        return False


def _decoded(key: SecretStr) -> bytes:
    try:
        return base64.b64decode(key.get_secret_value(), validate=True)
    except (binascii.Error, ValueError):
        return b""
