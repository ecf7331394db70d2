"""Setting up: checked before it is stored, secret once it is stored, and never a switch."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from connectors.contract import ConfigurationError
from tests.events import approval
from tests.integration.worker.rows import (
    ADMIN,
    KEY,
    TOKEN,
    adapters,
    add_organization,
    bring_to,
    central_file,
    configure,
    log_of,
    set_up,
    switch,
    take_in,
    xledger_file,
)
from worker import insights, setup
from worker.domain.sentences import Sentence
from worker.domain.switching import Actor, Phase, Role
from worker.store import connectors
from worker.store.database import Pool, acquire, transaction
from worker.suspension import suspend
from worker.vault import Vault, VaultError

pytestmark = pytest.mark.asyncio(loop_scope="session")

TEXTS = """
    select table_name, column_name from information_schema.columns
    where table_schema = 'public' and data_type in ('text', 'bytea', 'json', 'jsonb', 'ARRAY')
"""


def _without(file: dict[str, object], name: str) -> dict[str, object]:
    return {key: value for key, value in file.items() if key != name}


async def _flag(pool: Pool) -> tuple[bool, int]:
    async with acquire(pool) as connection:
        row = await connection.fetchrow("select enabled, version from connector")
    assert row is not None
    return row["enabled"], row["version"]


async def test_a_new_connector_is_off(pool: Pool) -> None:
    await add_organization(pool)
    assert await configure(pool) is Phase.OFF
    assert await _flag(pool) == (False, 1)
    assert [entry["change"] for entry in await log_of(pool)] == ["organization_added", "connector_configured"]


async def test_credentials_entered_again_leave_the_connector_as_it_was(pool: Pool) -> None:
    await set_up(pool)
    assert await configure(pool) is Phase.OFF
    assert await _flag(pool) == (False, 2)
    await switch(pool, True)
    assert await configure(pool) is Phase.ON
    assert await _flag(pool) == (True, 3)
    await switch(pool, False)
    assert await configure(pool, file=xledger_file(release_policy="next_sync")) is Phase.OFF
    assert await _flag(pool) == (False, 4)


async def test_configuring_while_switching_off_does_not_say_that_it_is_off(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, approval("R-1"))
    await switch(pool, True)
    await bring_to(pool, "sending", "R-1")
    await switch(pool, False)
    assert await configure(pool) is Phase.SWITCHING_OFF
    assert (await log_of(pool))[-1]["new_state"] == "switching_off"


async def test_new_credentials_end_the_workers_own_pause(pool: Pool) -> None:
    await set_up(pool)
    await switch(pool, True)
    async with transaction(pool) as connection:
        await suspend(connection, "hlf", "xledger", "The token expired.")
    assert await configure(pool) is Phase.ON


@pytest.mark.parametrize(("kind", "file"), [("xledger", xledger_file()), ("business_central", central_file())])
async def test_no_table_shows_a_credential(pool: Pool, kind: str, file: Mapping[str, object]) -> None:
    await add_organization(pool)
    await configure(pool, kind=kind, file=file)
    async with acquire(pool) as connection:
        columns = await connection.fetch(TEXTS)
        for table, column in columns:
            raw = f"convert_to({column}::text, 'UTF8')"
            found = await connection.fetchval(
                f"select count(*) from {table} where position($1::bytea in {raw}) > 0"
                f" or position(encode($1::bytea, 'hex') in {column}::text) > 0",
                TOKEN.encode(),
            )
            assert found == 0, f"{table}.{column}"
        assert len(columns) > 40
        assert await connection.fetchval("select count(*) from connector_secret") == len(_credentials(file))


def _credentials(file: Mapping[str, object]) -> Mapping[str, str]:
    credentials = file["credentials"]
    assert isinstance(credentials, dict)
    return credentials


async def test_the_search_would_find_a_credential_that_is_stored_openly(pool: Pool) -> None:
    await add_organization(pool)
    async with acquire(pool) as connection:
        await connection.execute("update organization set name = $1", f"<{TOKEN}>")
        hidden = "select count(*) from organization where position($1::bytea in convert_to(name::text, 'UTF8')) > 0"
        assert await connection.fetchval(hidden, TOKEN.encode()) == 1


async def test_credentials_are_read_back_for_their_own_connector(pool: Pool) -> None:
    await set_up(pool)
    async with acquire(pool) as connection:
        adapter = await adapters().make(connection, "hlf", "xledger")
    await adapter.connector.close()
    assert (adapter.kind, adapter.version, adapter.time_zone) == ("xledger", 1, "Europe/Oslo")


@pytest.mark.parametrize(
    "tampering",
    [
        "update connector_secret set ciphertext = set_byte(ciphertext, 3, get_byte(ciphertext, 3) # 1)",
        "update connector_secret set nonce = set_byte(nonce, 0, get_byte(nonce, 0) # 1)",
        """update connector_secret set (nonce, ciphertext) =
               (select nonce, ciphertext from connector_secret where organization_id = 'other')""",
    ],
    ids=["changed", "another nonce", "moved from another organisation"],
)
async def test_a_ciphertext_that_was_changed_or_moved_is_not_used(pool: Pool, tampering: str) -> None:
    await set_up(pool)
    await set_up(pool, "other")
    async with acquire(pool) as connection:
        await connection.execute(tampering + " where organization_id = 'hlf'")
        with pytest.raises(VaultError, match=r"^The credentials of hlf were changed or moved\. Configure"):
            await adapters().make(connection, "hlf", "xledger")


async def test_another_key_is_told(pool: Pool) -> None:
    await set_up(pool)
    async with acquire(pool) as connection:
        with pytest.raises(VaultError, match="Give the worker that key"):
            await adapters(bytes(32)).make(connection, "hlf", "xledger")


@pytest.mark.parametrize(
    ("file", "sentences"),
    [
        (xledger_file(colour="blue"), ["colour is not a known setting."]),
        (xledger_file(enabled=True), ["enabled is not a known setting."]),
        (_without(xledger_file(), "credentials"), ["credentials: Field required."]),
        (xledger_file(credentials={}), ["credentials.token is missing."]),
        (xledger_file(credentials={"token": ""}), ["credentials.token: String should have at least 1 character."]),
        (
            xledger_file(credentials={"token": TOKEN, "pin": TOKEN}),
            ["credentials holds 1 unknown fields."],
        ),
        (_without(xledger_file(), "mapping"), ["mapping: Field required."]),
        (
            xledger_file(schedule="at six"),
            ["The schedule is not a cron expression. Write five fields, such as 0 6 * * *."],
        ),
        (xledger_file(time_zone="Oslo"), ["The time zone is unknown. Use a name such as Europe/Oslo."]),
        (xledger_file(time_zone="../../etc"), ["The time zone is unknown. Use a name such as Europe/Oslo."]),
        (
            xledger_file(mapping={"expense_types": {}, "claimants": {"from": "the sky"}}),
            ['mapping → claimants must be {"from": "number"} or {"table": {…}}.'],
        ),
        (
            xledger_file(base_url="https://evil.example/graphql"),
            ["base_url leads to evil.example:443, which is not among the allowed hosts."],
        ),
        (
            xledger_file(base_url="http://www.xledger.net:443/graphql"),
            ["base_url must use https."],
        ),
        (
            xledger_file(release_policy="sometimes"),
            ["release_policy: Input should be 'on_enable' or 'next_sync'."],
        ),
    ],
)
async def test_a_file_with_a_mistake_is_refused_in_one_sentence_each_and_nothing_is_stored(
    pool: Pool, file: dict[str, object], sentences: list[str]
) -> None:
    await add_organization(pool)
    with pytest.raises(ConfigurationError) as refused:
        await configure(pool, file=file)
    assert list(refused.value.problems) == sentences
    assert TOKEN not in str(refused.value)
    async with acquire(pool) as connection:
        assert await connection.fetchval("select count(*) from connector") == 0
        assert await connection.fetchval("select count(*) from connector_secret") == 0
    assert [entry["change"] for entry in await log_of(pool)] == ["organization_added"]


async def test_all_mistakes_of_a_file_are_told_at_once(pool: Pool) -> None:
    await add_organization(pool)
    with pytest.raises(ConfigurationError) as refused:
        await configure(pool, file=xledger_file(schedule="never", mapping={}, base_url="https://elsewhere.example"))
    told = " ".join(refused.value.problems)
    assert all(part in told for part in ("cron", "expense_types", "claimants", "elsewhere.example"))


async def test_a_mistake_leaves_the_configuration_that_stands(pool: Pool) -> None:
    await set_up(pool)
    with pytest.raises(ConfigurationError):
        await configure(pool, file=xledger_file(colour="blue"))
    assert await _flag(pool) == (False, 1)


async def test_a_kind_that_is_not_installed_is_refused_with_those_there_are(pool: Pool) -> None:
    await add_organization(pool)
    with pytest.raises(
        ConfigurationError, match=r"^There is no sap connector\. Use one of: business_central, file, xledger\.$"
    ):
        await configure(pool, kind="sap")


async def test_an_organisation_that_was_not_added_is_refused(pool: Pool) -> None:
    with pytest.raises(ConfigurationError, match=r"^There is no organisation hlf\. Add it first"):
        await configure(pool)


async def test_without_a_key_nothing_is_stored(pool: Pool) -> None:
    await add_organization(pool)
    with pytest.raises(VaultError, match="SYNC_CREDENTIALS_KEY is not set"):
        async with transaction(pool) as connection:
            await setup.configure(
                connection,
                "hlf",
                "xledger",
                xledger_file(),
                adapters=adapters(),
                vault=Vault(None),
                actor=ADMIN,
                source="cli",
            )
    async with acquire(pool) as connection:
        assert await connection.fetchval("select count(*) from connector") == 0


async def test_an_organisation_is_added_once(pool: Pool) -> None:
    for expected in (True, False):
        async with transaction(pool) as connection:
            assert await setup.add_organization(connection, "hlf", "HLF", ADMIN, "cli") is expected
    assert len(await log_of(pool)) == 1


@pytest.mark.parametrize(
    ("text", "expected"), [("hlf", True), ("a.b_c:d-1", True), ("", False), ("a b", False), ("æ", False)]
)
async def test_what_may_name_an_organisation(text: str, expected: bool) -> None:
    assert setup.is_identifier(text) is expected
    assert not setup.is_identifier(text + "\n")


@pytest.mark.parametrize(("organization_id", "name"), [("hlf", " "), ("two words", "HLF"), ("", "HLF")])
async def test_an_organisation_without_a_usable_name_or_id_is_refused(
    pool: Pool, organization_id: str, name: str
) -> None:
    with pytest.raises(ConfigurationError):
        async with transaction(pool) as connection:
            await setup.add_organization(connection, organization_id, name, ADMIN, "cli")
    async with acquire(pool) as connection:
        assert await connection.fetchval("select count(*) from organization") == 0


async def test_another_ledger_is_refused_while_something_may_be_in_the_one_before(pool: Pool) -> None:
    """Looked for there, found nowhere, and sent again: a double entry that no ERP refuses."""
    await add_organization(pool)
    await configure(pool, kind="business_central", file=central_file())
    await take_in(pool, approval("R-1"))
    await bring_to(pool, "unknown", "R-1")
    async with acquire(pool) as connection:
        await connection.execute("update item set connector = 'business_central'")
    elsewhere = {**central_file(), "company_id": "00000000-0000-0000-0000-000000000009"}
    with pytest.raises(ConfigurationError, match="with no answer yet: 1"):
        await configure(pool, kind="business_central", file=elsewhere)
    await configure(pool, kind="business_central", file={**central_file(), "concurrency": 2})
    async with acquire(pool) as connection:
        await connection.execute("update item set state = 'handled_elsewhere', reason = 'Voucher 7'")
    await configure(pool, kind="business_central", file=elsewhere)


async def test_another_xledger_is_refused_while_something_may_be_in_the_one_before(pool: Pool) -> None:
    await set_up(pool)
    await take_in(pool, approval("R-1"))
    await bring_to(pool, "unknown", "R-1")
    elsewhere = xledger_file(base_url="https://demo.xledger.net/graphql")
    with pytest.raises(ConfigurationError, match="Once they are resolved, base_url can change"):
        await configure(pool, file=elsewhere)
    await configure(pool)
    async with acquire(pool) as connection:
        await connection.execute("update item set state = 'handled_elsewhere', reason = 'Voucher 7'")
    await configure(pool, file=elsewhere)


NEW_TOKEN = "n3w-token-that-nobody-may-read"
STRANGER = Actor("user-9", Role.ORGANIZATION_ADMIN, frozenset({"other"}))


async def _replace(
    pool: Pool, credentials: Mapping[str, str] | None = None, kind: str = "xledger", actor: Actor = ADMIN
) -> Phase:
    async with transaction(pool) as connection:
        return await setup.replace_credentials(
            connection,
            "hlf",
            kind,
            {"token": NEW_TOKEN} if credentials is None else credentials,
            adapters=adapters(),
            vault=Vault(KEY),
            actor=actor,
            source="http",
        )


async def _stored(pool: Pool) -> dict[str, str]:
    async with acquire(pool) as connection:
        secrets = await connectors.read_secrets(connection, "hlf", "xledger")
    return Vault(KEY).unlock("hlf", "xledger", secrets)


async def test_credentials_are_replaced_alone_and_lanes_make_their_adapters_anew(pool: Pool) -> None:
    await set_up(pool, schedule="0 6 * * *")
    async with acquire(pool) as connection:
        before = await connectors.views(connection, "hlf")
    assert await _replace(pool) is Phase.OFF
    assert await _stored(pool) == {"token": NEW_TOKEN}
    async with acquire(pool) as connection:
        assert await connectors.views(connection, "hlf") == [replace(before[0], version=2)]


async def test_replaced_credentials_end_a_suspension_and_switch_nothing(pool: Pool) -> None:
    await set_up(pool)
    await switch(pool, True)
    async with transaction(pool) as connection:
        await suspend(connection, "hlf", "xledger", "The token expired.")
        changed = await connection.fetchval("select changed_at from connector")
    assert await _replace(pool) is Phase.ON
    async with acquire(pool) as connection:
        (view,) = await connectors.views(connection, "hlf")
    assert (view.enabled, view.suspended_at, view.probe_at, view.changed_at) == (True, None, None, changed)


async def test_that_credentials_were_replaced_is_on_record_and_what_they_are_is_not(pool: Pool) -> None:
    await set_up(pool)
    await _replace(pool)
    entry = (await log_of(pool))[-1]
    assert (entry["change"], entry["actor"], entry["source"], entry["new_state"], entry["detail"]) == (
        "credentials_replaced",
        "admin-1",
        "http",
        "off",
        {},
    )
    assert NEW_TOKEN not in str(await log_of(pool))


@pytest.mark.parametrize(
    ("credentials", "problems"),
    [
        ({}, ("credentials.token is missing.",)),
        ({"token": ""}, ("credentials.token is empty.",)),
        ({"token": "t", "password": "p"}, ("credentials holds 1 unknown fields.",)),
    ],
)
async def test_credentials_that_are_not_whole_are_refused_and_the_old_ones_stay(
    pool: Pool, credentials: dict[str, str], problems: tuple[str, ...]
) -> None:
    await set_up(pool)
    with pytest.raises(ConfigurationError) as refused:
        await _replace(pool, credentials)
    assert refused.value.problems == problems
    assert all(isinstance(problem, Sentence) for problem in refused.value.problems)
    assert await _stored(pool) == {"token": TOKEN}


async def test_credentials_of_a_connector_that_is_not_configured_are_refused(pool: Pool) -> None:
    await set_up(pool)
    with pytest.raises(ConfigurationError, match="No business_central connector is configured for hlf"):
        await _replace(pool, {"client_id": "a", "client_secret": "b"}, "business_central")
    with pytest.raises(ConfigurationError, match="There is no sap connector"):
        await _replace(pool, {}, "sap")


async def test_a_stranger_replaces_no_credentials(pool: Pool) -> None:
    await set_up(pool)
    with pytest.raises(ConfigurationError, match="not their organisation"):
        await _replace(pool, actor=STRANGER)
    assert await _stored(pool) == {"token": TOKEN}


async def test_who_asks_is_told_which_credentials_there_are_and_when_they_were_replaced(pool: Pool) -> None:
    await set_up(pool)
    async with acquire(pool) as connection:
        first = await insights.credentials(connection, adapters(), "hlf", "xledger")
        other = await insights.credentials(connection, adapters(), "hlf", "business_central")
    assert (first.fields, first.replaced_by) == (["token"], "admin-1")
    assert (other.fields, other.replaced_at) == (["client_id", "client_secret"], None)
    await _replace(pool)
    await switch(pool, True)
    async with acquire(pool) as connection:
        second = await insights.credentials(connection, adapters(), "hlf", "xledger")
    entry = next(entry for entry in await log_of(pool) if entry["change"] == "credentials_replaced")
    assert second.replaced_at == entry["at"]
