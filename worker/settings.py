"""Settings from the environment, `.env` and secret files; what is wrong is told in one line each, before any start."""

import base64
import binascii
import re
import ssl
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from connectors.hosts import is_loopback
from worker.addresses import is_host_and_port, is_postgresql
from worker.addresses import is_safe_address as is_safe_address  # noqa: PLC0414  # the sign-in takes it from here

SECRETS_FOLDER = Path("/run/secrets")

KEY_BYTES = 32
TOPICS = ("approvals_topic", "toggles_topic", "dead_letter_topic", "outcomes_topic")
TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
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
        if not is_postgresql(value.get_secret_value()):
            raise ValueError("is not an address like postgresql://user:password@host:5432/database")
        return value

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _are_brokers(cls, value: str) -> str:
        brokers = [part.strip() for part in value.split(",") if part.strip()]
        if not brokers or not all(map(is_host_and_port, brokers)):
            raise ValueError("is not host:port[,host:port…], as in kafka.example.org:9092")
        return ",".join(brokers)

    @field_validator("kafka_ca_file")
    @classmethod
    def _holds_certificates(cls, value: Path | None) -> Path | None:
        """Read here, so that a wrong file does not pass for a broker that is away."""
        try:
            if value is not None:
                ssl.create_default_context(cafile=value)
        except ssl.SSLError:
            raise ValueError("holds no certificate in PEM") from None
        except OSError as error:
            raise ValueError(f"can't be read ({error.strerror})") from None
        return value

    @field_validator("kafka_group_id")
    @classmethod
    def _is_not_empty(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("is empty")
        return value

    @field_validator(*TOPICS)
    @classmethod
    def _is_topic(cls, value: str) -> str:
        if not TOPIC_NAME.fullmatch(value) or value in {".", ".."}:
            raise ValueError("is not a topic's name: 1 to 249 letters, digits and . _ -")
        return value

    @field_validator("erp_allowed_hosts", "receipt_allowed_hosts", "roles", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return frozenset(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("erp_allowed_hosts", "receipt_allowed_hosts")
    @classmethod
    def _have_ports(cls, value: frozenset[str]) -> frozenset[str]:
        """Another would allow nothing, and nobody would be told."""
        if not all(map(is_host_and_port, value)):
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
        *("public_url", "oidc_issuer", "oidc_client_id", "oidc_client_secret", "oidc_audience"),
        *("kafka_ca_file", "kafka_sasl_username", "kafka_sasl_password"),
        mode="before",
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
    except (UnicodeDecodeError, SourceError):
        files = [Path(".env"), *(sorted(secrets_folder.iterdir()) if secrets_folder.is_dir() else [])]
        garbled = [f"{file}: is not in UTF-8" for file in files if not _is_utf8(file)]
        if not garbled:
            raise
        raise SettingsError(garbled) from None


def _is_utf8(file: Path) -> bool:
    try:
        if file.is_file():
            file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _without_problems(settings: Settings, problems: Iterable[str]) -> Settings:
    lines = list(problems)
    if lines:
        raise SettingsError(lines)
    return settings


def _contradictions(settings: Settings) -> Iterator[str]:
    """What is right by itself and can't work together."""
    yield from _missing_for_kafka(settings)
    yield from _shared_topics(settings)
    if settings.oidc_issuer and not settings.oidc_client_id:
        yield "SYNC_OIDC_CLIENT_ID: is missing; sign-in with SYNC_OIDC_ISSUER needs it"
    if not settings.oidc_issuer and any((settings.oidc_client_id, settings.oidc_client_secret, settings.oidc_audience)):
        yield "SYNC_OIDC_ISSUER: is missing; the other SYNC_OIDC settings mean nothing without it"
    if settings.session_idle_seconds > settings.session_seconds:
        yield "SYNC_SESSION_IDLE_SECONDS: is longer than SYNC_SESSION_SECONDS, which ends every session"


def _missing_for_kafka(settings: Settings) -> Iterator[str]:
    if not settings.kafka_security_protocol.startswith("SASL"):
        return
    for name in ("kafka_sasl_username", "kafka_sasl_password"):
        if getattr(settings, name) is None:
            yield f"SYNC_{name.upper()}: is missing; {settings.kafka_security_protocol} signs in with it"


def _shared_topics(settings: Settings) -> Iterator[str]:
    taken: dict[str, str] = {}
    for name in TOPICS:
        other = taken.setdefault(getattr(settings, name), name)
        if other != name:
            yield f"SYNC_{name.upper()}: is the same as SYNC_{other.upper()}; each needs a topic of its own"


def _missing_for_roles(settings: Settings) -> Iterator[str]:
    signs_in = bool(settings.oidc_issuer) and WorkerRole.ADMIN in settings.roles
    if settings.credentials_key is None and WorkerRole.DISPATCH in settings.roles:
        # Without it every lane would find its credentials unreadable, and suspend its connector for all workers.
        yield f"SYNC_CREDENTIALS_KEY: is missing; the role dispatch reads credentials with it; {HOW_TO_MAKE_A_KEY}"
    elif settings.credentials_key is None and signs_in:
        yield f"SYNC_CREDENTIALS_KEY: is missing; sign-ins are sealed with it; {HOW_TO_MAKE_A_KEY}"
    if signs_in and settings.public_url is None and not is_loopback(settings.http_host):
        yield "SYNC_PUBLIC_URL: is missing; say what browsers know this service as, like https://sync.example.org"


def _line(location: tuple[int | str, ...], message: str) -> str:
    name = "SYNC_" + str(location[0]).upper()
    return f"{name}: {message.removeprefix('Value error, ')[:1].lower()}{message.removeprefix('Value error, ')[1:]}"


def _decoded(key: SecretStr) -> bytes:
    try:
        return base64.b64decode(key.get_secret_value(), validate=True)
    except (binascii.Error, ValueError):
        return b""
