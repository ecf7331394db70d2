"""Settings: what is wrong is told in one line each, without values."""

import base64
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from tests.e2e.worker_process import environment_of
from worker.settings import HOW_TO_MAKE_A_KEY, Settings, SettingsError, WorkerRole, read_settings, read_worker_settings

DATABASE = "postgresql://sync:p4ssw0rd@localhost/sync"
KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No `.env` of the developer's, and nothing but the database's address in the environment."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SYNC_{name.upper()}", raising=False)
    monkeypatch.setenv("SYNC_DATABASE_URL", DATABASE)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def ca_file(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(path)
    return path


def _lines(read: Callable[[], Settings] = read_settings) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        read()
    return refused.value.lines


def _set(monkeypatch: pytest.MonkeyPatch, settings: Mapping[str, str | None]) -> None:
    """None: not set."""
    for name, value in settings.items():
        if value is None:
            monkeypatch.delenv(f"SYNC_{name}", raising=False)
        else:
            monkeypatch.setenv(f"SYNC_{name}", value)


def test_the_defaults_are_the_interfaces() -> None:
    settings = read_settings()
    assert settings.kafka_group_id == "accounting-sync"
    assert settings.approvals_topic == "reimbursement-approved"
    assert settings.toggles_topic == "connector-toggled"
    assert settings.dead_letter_topic == "accounting-sync-dead-letter"
    assert settings.outcomes_topic == "accounting-sync-outcome"
    assert (settings.http_host, settings.http_port, settings.probe_port) == ("127.0.0.1", 8080, 8081)
    assert settings.roles == frozenset(WorkerRole)
    assert (settings.erp_allowed_hosts, settings.receipt_allowed_hosts) == (frozenset(), frozenset())
    assert settings.credentials_key_bytes is None
    assert (settings.stall_seconds, settings.kafka_session_seconds, settings.shutdown_seconds) == (180, 45, 20)


def test_every_setting_of_the_interface_is_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, ca_file: Path
) -> None:
    given = {
        "KAFKA_BOOTSTRAP_SERVERS": "broker:9093",
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": "PLAIN",
        "KAFKA_SASL_USERNAME": "sync",
        "KAFKA_SASL_PASSWORD": "secret",
        "KAFKA_CA_FILE": str(ca_file),
        "OIDC_ISSUER": "https://id.example",
        "OIDC_CLIENT_ID": "client",
        "OIDC_CLIENT_SECRET": "secret",
        "OIDC_AUDIENCE": "sync",
        "CREDENTIALS_KEY": KEY,
        "ERP_ALLOWED_HOSTS": "127.0.0.1:8443, erp.example:443,",
        "RECEIPT_ALLOWED_HOSTS": "files.example:443, 127.0.0.1:8444",
        "ROLES": "intake, dispatch",
        "LOG_FORMAT": "console",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"SYNC_{name}", value)
    settings = read_settings()
    assert settings.kafka_bootstrap_servers == "broker:9093"
    assert settings.kafka_ca_file == ca_file
    assert settings.erp_allowed_hosts == {"127.0.0.1:8443", "erp.example:443"}
    assert settings.receipt_allowed_hosts == {"127.0.0.1:8444", "files.example:443"}
    assert settings.roles == {WorkerRole.INTAKE, WorkerRole.DISPATCH}
    assert settings.credentials_key_bytes == bytes(range(32))
    assert settings.log_format == "console"


def test_what_the_tests_give_a_worker_process_is_read_as_the_same_settings(
    monkeypatch: pytest.MonkeyPatch, ca_file: Path
) -> None:
    settings = Settings(
        database_url=SecretStr(DATABASE),
        kafka_ca_file=ca_file,
        credentials_key=SecretStr(KEY),
        credentials_old_keys=(SecretStr(KEY), SecretStr(KEY)),
        public_url="https://sync.example",
        oidc_issuer="https://id.example",
        oidc_client_id="client",
        oidc_client_secret=SecretStr("secret"),
        session_idle_seconds=90.5,
        erp_allowed_hosts=frozenset({"127.0.0.1:8443", "erp.example:443"}),
        roles=frozenset({WorkerRole.ADMIN, WorkerRole.INTAKE}),
        http_port=0,
        log_format="console",
    )
    for name, value in environment_of(settings).items():
        monkeypatch.setenv(name, value)
    assert read_settings() == settings


def test_a_setting_may_stand_in_a_dotenv_file_and_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("SYNC_KAFKA_GROUP_ID=from-file\nSYNC_HTTP_PORT=9000\nOTHER=ignored\n")
    monkeypatch.setenv("SYNC_HTTP_PORT", "9001")
    settings = read_settings()
    assert (settings.kafka_group_id, settings.http_port) == ("from-file", 9001)


def test_a_secret_may_stand_in_a_file_of_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SYNC_DATABASE_URL")
    (tmp_path / "sync_database_url").write_text(DATABASE + "\n")
    assert read_settings(tmp_path).database_url.get_secret_value() == DATABASE


def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYNC_DATABASE_URL")
    assert _lines() == ["SYNC_DATABASE_URL: field required"]


def test_each_mistake_has_a_line_of_its_own_and_no_line_quotes_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = {
        "HTTP_PORT": "77777",
        "PROBE_PORT": "none-such",
        "KAFKA_SECURITY_PROTOCOL": "carrier-pigeon",
        "CREDENTIALS_KEY": "hunter2",
        "RECEIPT_ALLOWED_HOSTS": "files.example:443, portless.example",
        "LEASE_SECONDS": "0.25",
        "STALL_SECONDS": "0.5",
        "KAFKA_SESSION_SECONDS": "301",
        "SHUTDOWN_SECONDS": "-1",
    }
    for name, value in bad.items():
        monkeypatch.setenv(f"SYNC_{name}", value)
    lines = _lines()
    assert sorted(line.partition(":")[0] for line in lines) == sorted(f"SYNC_{name}" for name in bad)
    assert all("\n" not in line for line in lines)
    assert not any(value in line for line in lines for value in bad.values())


@pytest.mark.parametrize("key", ["hunter2", base64.b64encode(bytes(31)).decode(), KEY[:-4], KEY + "====", "", "ø"])
def test_a_key_that_is_not_256_bits_is_refused_with_how_to_make_one(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("SYNC_CREDENTIALS_KEY", key)
    assert _lines() == ["SYNC_CREDENTIALS_KEY: is not 32 bytes in base64; make one with: openssl rand -base64 32"]


@pytest.mark.parametrize("roles", ["", " , "])
def test_no_role_at_all_is_refused(monkeypatch: pytest.MonkeyPatch, roles: str) -> None:
    monkeypatch.setenv("SYNC_ROLES", roles)
    assert _lines() == ["SYNC_ROLES: names no role; use any of intake, dispatch, outbox, schedule, admin"]


def test_an_unknown_role_is_refused_with_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNC_ROLES", "intake,dance,sing")
    lines = _lines()
    assert {line.partition(":")[0] for line in lines} == {"SYNC_ROLES"}
    assert all("'intake', 'dispatch', 'outbox', 'schedule' or 'admin'" in line for line in lines)


def test_secrets_never_show_in_a_printed_settings_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNC_CREDENTIALS_KEY", KEY)
    monkeypatch.setenv("SYNC_KAFKA_SASL_PASSWORD", "k4fka")
    monkeypatch.setenv("SYNC_OIDC_ISSUER", "https://id.example")
    monkeypatch.setenv("SYNC_OIDC_CLIENT_ID", "client")
    monkeypatch.setenv("SYNC_OIDC_CLIENT_SECRET", "0idc")
    shown = repr(read_settings()) + str(read_settings()) + read_settings().model_dump_json()
    assert not any(secret in shown for secret in (KEY, "p4ssw0rd", "k4fka", "0idc"))


KAFKA = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_USERNAME": "sync", "KAFKA_SASL_PASSWORD": "k4fka"}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"KAFKA_CA_FILE": "/nowhere/ca.pem"}, "SYNC_KAFKA_CA_FILE: can't be read (No such file or directory)"),
        ({"KAFKA_CA_FILE": "/dev/null"}, "SYNC_KAFKA_CA_FILE: holds no certificate in PEM"),
        ({"KAFKA_GROUP_ID": ""}, "SYNC_KAFKA_GROUP_ID: is empty"),
        ({"KAFKA_SASL_USERNAME": ""}, "SYNC_KAFKA_SASL_USERNAME: is missing; SASL_SSL signs in with it"),
        ({"KAFKA_SASL_PASSWORD": None}, "SYNC_KAFKA_SASL_PASSWORD: is missing; SASL_SSL signs in with it"),
        ({"APPROVALS_TOPIC": ""}, "SYNC_APPROVALS_TOPIC: is not a topic's name: 1 to 249 letters, digits and . _ -"),
        ({"OUTCOMES_TOPIC": "a b"}, "SYNC_OUTCOMES_TOPIC: is not a topic's name: 1 to 249 letters, digits and . _ -"),
        ({"TOGGLES_TOPIC": ".."}, "SYNC_TOGGLES_TOPIC: is not a topic's name: 1 to 249 letters, digits and . _ -"),
        (
            {"OUTCOMES_TOPIC": "reimbursement-approved"},
            "SYNC_OUTCOMES_TOPIC: is the same as SYNC_APPROVALS_TOPIC; each needs a topic of its own",
        ),
    ],
)
def test_kafka_settings_that_can_not_work_are_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str | None], line: str
) -> None:
    _set(monkeypatch, {**KAFKA, **changes})
    assert _lines() == [line]


@pytest.mark.parametrize(
    "servers",
    ["", " , ", "broker", "broker:", ":9092", "broker:0", "broker:65536", "broker:many", "kafka://broker:9092",
     "broker:9092/x", "broker:9092;other:9092", "one:9092,two", "us er:9092", "::1:9092"],
)  # fmt: skip
def test_brokers_that_are_no_addresses_are_refused(monkeypatch: pytest.MonkeyPatch, servers: str) -> None:
    monkeypatch.setenv("SYNC_KAFKA_BOOTSTRAP_SERVERS", servers)
    assert _lines() == ["SYNC_KAFKA_BOOTSTRAP_SERVERS: is not host:port[,host:port…], as in kafka.example.org:9092"]


@pytest.mark.parametrize(
    ("servers", "read"),
    [
        ("kafka-1.example.org:9092, 127.0.0.1:9093,", "kafka-1.example.org:9092,127.0.0.1:9093"),
        ("[::1]:9092", "[::1]:9092"),
        ("kafka_1:9092", "kafka_1:9092"),
    ],
)
def test_brokers_are_read_as_the_client_reads_them(monkeypatch: pytest.MonkeyPatch, servers: str, read: str) -> None:
    monkeypatch.setenv("SYNC_KAFKA_BOOTSTRAP_SERVERS", servers)
    assert read_settings().kafka_bootstrap_servers == read


def test_what_compose_writes_for_unset_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, {"KAFKA_CA_FILE": "", "KAFKA_SASL_USERNAME": "", "KAFKA_SASL_PASSWORD": ""})
    settings = read_settings()
    assert (settings.kafka_ca_file, settings.kafka_sasl_username, settings.kafka_sasl_password) == (None, None, None)


def test_a_file_of_settings_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("SYNC_KAFKA_GROUP_ID=hjørne\n".encode("latin-1"))
    assert _lines() == [".env: is not in UTF-8"]
    (tmp_path / ".env").unlink()
    (tmp_path / "sync_kafka_group_id").write_bytes(b"\xff\xfe")
    assert _lines(lambda: read_settings(tmp_path)) == [f"{tmp_path}/sync_kafka_group_id: is not in UTF-8"]


@pytest.mark.parametrize("setting", ["ERP_ALLOWED_HOSTS", "RECEIPT_ALLOWED_HOSTS"])
@pytest.mark.parametrize(
    "entry", ["erp.example", "https://erp.example:443", "erp.example:443/graphql", "*.example:443", "erp.example:0"]
)
def test_a_host_that_no_address_could_match_is_refused(
    monkeypatch: pytest.MonkeyPatch, setting: str, entry: str
) -> None:
    monkeypatch.setenv(f"SYNC_{setting}", f"127.0.0.1:8443, [::1]:8443, {entry}")
    assert _lines() == [f"SYNC_{setting}: holds something that is not host:port, as in files.example.org:443"]


SIGN_IN = {"OIDC_ISSUER": "https://id.example/realm", "OIDC_CLIENT_ID": "client", "CREDENTIALS_KEY": KEY}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"OIDC_CLIENT_ID": ""}, "SYNC_OIDC_CLIENT_ID: is missing; sign-in with SYNC_OIDC_ISSUER needs it"),
        ({"OIDC_ISSUER": ""}, "SYNC_OIDC_ISSUER: is missing; the other SYNC_OIDC settings mean nothing without it"),
        (
            {"SESSION_SECONDS": "600"},
            "SYNC_SESSION_IDLE_SECONDS: is longer than SYNC_SESSION_SECONDS, which ends every session",
        ),
    ],
)
def test_what_can_not_work_together_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str | None], line: str
) -> None:
    _set(monkeypatch, {**SIGN_IN, **changes})
    assert _lines() == [line]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"CREDENTIALS_KEY": None},
            "SYNC_CREDENTIALS_KEY: is missing; the role dispatch reads credentials with it; " + HOW_TO_MAKE_A_KEY,
        ),
        (
            {"CREDENTIALS_KEY": None, "ROLES": "admin"},
            "SYNC_CREDENTIALS_KEY: is missing; sign-ins are sealed with it; make one with: openssl rand -base64 32",
        ),
        (
            {"HTTP_HOST": "0.0.0.0"},  # noqa: S104  # as containers do
            "SYNC_PUBLIC_URL: is missing; say what browsers know this service as, like https://sync.example.org",
        ),
    ],
)
def test_what_a_worker_lacks_for_its_roles_is_told_before_it_starts_and_no_command_needs_it(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, str | None], line: str
) -> None:
    _set(monkeypatch, {**SIGN_IN, **changes})
    assert _lines(read_worker_settings) == [line]
    assert read_settings().oidc_issuer == "https://id.example/realm"


@pytest.mark.parametrize("roles", ["intake", "outbox,schedule", "admin,intake"])
def test_a_worker_whose_roles_read_no_credentials_starts_without_a_key(
    monkeypatch: pytest.MonkeyPatch, roles: str
) -> None:
    monkeypatch.setenv("SYNC_ROLES", roles)
    assert read_worker_settings().credentials_key is None


def test_a_process_without_the_screens_needs_nothing_for_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, {**SIGN_IN, "ROLES": "intake", "HTTP_HOST": "0.0.0.0", "CREDENTIALS_KEY": None})  # noqa: S104
    assert read_worker_settings().oidc_issuer == "https://id.example/realm"


@pytest.mark.parametrize(
    "issuer",
    [
        "http://id.example",
        "http://127.0.0.1.id.example",
        "http://localhost@id.example",
        "https://user:p4ss@id.example",
        "https://id.example/#realm",
        "https://id.example?realm=x",
        "https://id.example\\@evil.example",
        "https://",
        "id.example",
        "ftp://127.0.0.1",
        "https://id.example:0",
        "https://id.example:p4ss",
    ],
)
def test_an_issuer_that_is_not_safe_to_ask_is_refused(monkeypatch: pytest.MonkeyPatch, issuer: str) -> None:
    for name, value in {**SIGN_IN, "OIDC_ISSUER": issuer}.items():
        monkeypatch.setenv(f"SYNC_{name}", value)
    [line] = _lines()
    assert line.startswith("SYNC_OIDC_ISSUER: is not like https://id.example.org/realm")


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:9400", "http://localhost:9400/", "http://[::1]:9400"])
def test_an_issuer_on_this_machine_may_speak_http(monkeypatch: pytest.MonkeyPatch, issuer: str) -> None:
    for name, value in {**SIGN_IN, "OIDC_ISSUER": issuer}.items():
        monkeypatch.setenv(f"SYNC_{name}", value)
    assert read_settings().oidc_issuer == issuer


@pytest.mark.parametrize(
    "url", ["http://sync.example", "https://sync.example/app", "https://sync.example?x", "sync.example"]
)
def test_a_public_address_is_an_origin(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("SYNC_PUBLIC_URL", url)
    [line] = _lines()
    assert line.startswith("SYNC_PUBLIC_URL: is not like https://sync.example.org, without a path")


@pytest.mark.parametrize("url", ["https://Sync.Example/", "https://sync.example:443", "https://sync.example"])
def test_a_public_address_is_written_as_browsers_write_origins(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("SYNC_PUBLIC_URL", url)
    assert read_settings().public_url == "https://sync.example"


@pytest.mark.parametrize(
    "url",
    ["", "p4ss", "mysql://sync:p4ss@localhost/sync", "postgresql://u:p4ss@host:p4ss/db", "postgresql://u:p4/ss@h/d"],
)
def test_a_database_address_that_cannot_be_read_is_refused_without_quoting_it(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("SYNC_DATABASE_URL", url)
    assert _lines() == ["SYNC_DATABASE_URL: is not an address like postgresql://user:password@host:5432/database"]


@pytest.mark.parametrize(
    "url",
    [
        "postgres://h/d",
        "postgresql:///d?host=/run/postgresql",
        "postgresql://u:p@a:5432,b:5433/d",
        "postgresql://[::1]:5432/d",
    ],
)
def test_every_form_of_a_database_address_is_taken(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("SYNC_DATABASE_URL", url)
    assert read_settings().database_url.get_secret_value() == url
