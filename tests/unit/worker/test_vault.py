"""Credentials at rest: bound to their place, unreadable anywhere else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.vault import Vault, VaultError

KEY = bytes(range(32))
VAULT = Vault(KEY)
CREDENTIALS = {"client_id": "app-1", "client_secret": "s3cret-of-hlf"}


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(codec="utf-8"))))
def test_what_was_locked_is_unlocked_as_it_was(credentials: dict[str, str]) -> None:
    assert VAULT.unlock("hlf", "xledger", VAULT.lock("hlf", "xledger", credentials)) == credentials


def test_neither_the_ciphertext_nor_the_printed_secret_shows_the_credential() -> None:
    for secret in VAULT.lock("hlf", "business_central", CREDENTIALS):
        assert b"s3cret" not in secret.ciphertext + secret.nonce
        assert "s3cret" not in repr(secret)


def test_the_same_credential_is_never_encrypted_alike_twice() -> None:
    secrets = [VAULT.lock("hlf", "xledger", {"token": "same"})[0] for _ in range(50)]
    assert len({secret.nonce for secret in secrets}) == len({secret.ciphertext for secret in secrets}) == 50


@pytest.mark.parametrize(("organization", "kind"), [("other", "business_central"), ("hlf", "xledger")])
def test_a_ciphertext_moved_to_another_organisation_or_connector_is_refused(organization: str, kind: str) -> None:
    secrets = VAULT.lock("hlf", "business_central", CREDENTIALS)
    with pytest.raises(VaultError, match=r"were changed or moved\. Configure them again\.$"):
        VAULT.unlock(organization, kind, secrets)


def test_a_ciphertext_moved_to_another_field_is_refused() -> None:
    one, other = VAULT.lock("hlf", "business_central", CREDENTIALS)
    with pytest.raises(VaultError, match="were changed or moved"):
        VAULT.unlock("hlf", "business_central", [replace(one, field=other.field)])


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_any_changed_byte_is_found(place: int, flip: int) -> None:
    secret = VAULT.lock("hlf", "xledger", {"token": "t0ken"})[0]
    changed = bytearray(secret.ciphertext)
    changed[place % len(changed)] ^= flip
    with pytest.raises(VaultError, match="were changed or moved"):
        VAULT.unlock("hlf", "xledger", [replace(secret, ciphertext=bytes(changed))])


def test_another_key_is_told_apart_from_a_changed_ciphertext() -> None:
    secrets = VAULT.lock("hlf", "xledger", {"token": "t0ken"})
    with pytest.raises(VaultError, match=r"were encrypted with key [0-9a-f]{16}, but SYNC_CREDENTIALS_KEY is key"):
        Vault(bytes(32)).unlock("hlf", "xledger", secrets)


def test_a_keys_name_does_not_tell_the_key() -> None:
    name = VAULT.lock("hlf", "xledger", {"token": "t0ken"})[0].key_id
    assert len(name) == 16
    assert name not in KEY.hex()


def test_without_a_key_nothing_is_locked_or_unlocked() -> None:
    for work in (
        lambda: Vault(None).lock("hlf", "xledger", {"token": "t0ken"}),
        lambda: Vault(None).unlock("hlf", "xledger", VAULT.lock("hlf", "xledger", {"token": "t0ken"})),
    ):
        with pytest.raises(VaultError, match=r"^SYNC_CREDENTIALS_KEY is not set\. Set it to 32 random bytes"):
            work()


def test_without_credentials_no_key_is_needed_to_read() -> None:
    assert Vault(None).unlock("hlf", "xledger", []) == {}


def test_a_key_of_yesterday_reads_and_todays_writes() -> None:
    old = Vault(bytes(32)).lock("hlf", "xledger", {"token": "t0ken"})
    vault = Vault(KEY, [bytes(32)])
    assert vault.unlock("hlf", "xledger", old) == {"token": "t0ken"}
    anew = vault.relock("hlf", "xledger", old)
    assert [secret.key_id for secret in anew] == [VAULT.key_id]
    assert VAULT.unlock("hlf", "xledger", anew) == {"token": "t0ken"}


def test_an_old_key_alone_does_not_encrypt() -> None:
    with pytest.raises(VaultError, match="SYNC_CREDENTIALS_KEY is not set"):
        Vault(None, [KEY]).lock("hlf", "xledger", {"token": "t0ken"})


@given(st.text(st.characters(codec="utf-8")))
def test_what_was_sealed_comes_back_as_it_was(text: str) -> None:
    assert VAULT.unseal("sign-in", VAULT.seal("sign-in", text)) == text


def test_what_was_sealed_is_good_for_its_purpose_alone() -> None:
    with pytest.raises(VaultError, match="sealed for something else"):
        VAULT.unseal("ID token", VAULT.seal("sign-in", "text"))


@pytest.mark.parametrize("place", range(0, 40, 3))
def test_whatever_was_changed_in_what_was_sealed_is_refused(place: int) -> None:
    sealed = bytearray(VAULT.seal("sign-in", "text"))
    sealed[place % len(sealed)] ^= 1
    with pytest.raises(VaultError):
        VAULT.unseal("sign-in", bytes(sealed))


@pytest.mark.parametrize("length", [0, 1, 7, 8, 19, 20, 30])
def test_a_part_of_what_was_sealed_is_refused(length: int) -> None:
    with pytest.raises(VaultError):
        VAULT.unseal("sign-in", VAULT.seal("sign-in", "text")[:length])


def test_what_was_sealed_with_an_old_key_is_read_and_with_a_strangers_is_not() -> None:
    new = Vault(bytes(32), [KEY])
    assert new.unseal("sign-in", VAULT.seal("sign-in", "text")) == "text"
    with pytest.raises(VaultError, match="not sealed with a key that is known here"):
        VAULT.unseal("sign-in", new.seal("sign-in", "text"))


def test_nothing_is_sealed_without_a_key() -> None:
    with pytest.raises(VaultError, match="SYNC_CREDENTIALS_KEY is not set"):
        Vault(None).seal("sign-in", "text")
