"""Credentials at rest: AES-256-GCM, each field bound to its organisation, connector and name.

The same keys seal what leaves this service for a while and has to come back unread and unchanged, bound to its purpose.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from worker.store.connectors import Secret

_NONCE_BYTES = 12
_KEY_ID_BYTES = 8


class VaultError(Exception):
    """Credentials can't be read: no key, another key, or a ciphertext that was moved or changed."""


class Vault:
    """Encrypts with one key of 32 bytes; decrypts with that and with those that came before it."""

    def __init__(self, key: bytes | None, old_keys: Sequence[bytes] = ()) -> None:
        self._cipher = AESGCM(key) if key else None
        self.key_id = _key_id(key) if key else ""
        """Of the key that encrypts; it stands beside each ciphertext."""
        self._ciphers = {_key_id(one): AESGCM(one) for one in (*old_keys, *([key] if key else []))}

    def lock(self, organization_id: str, kind: str, credentials: Mapping[str, str]) -> list[Secret]:
        """Raises VaultError where there is no key."""
        cipher = self._open()
        secrets = []
        for field, value in credentials.items():
            nonce = os.urandom(_NONCE_BYTES)
            ciphertext = cipher.encrypt(nonce, value.encode(), _bound_to(organization_id, kind, field))
            secrets.append(Secret(field, self.key_id, nonce, ciphertext))
        return secrets

    def relock(self, organization_id: str, kind: str, secrets: list[Secret]) -> list[Secret]:
        """The same credentials, encrypted with the key of today. Raises VaultError where one can't be read."""
        return self.lock(organization_id, kind, self.unlock(organization_id, kind, secrets))

    def unlock(self, organization_id: str, kind: str, secrets: list[Secret]) -> dict[str, str]:
        """Raises VaultError where one can't be read."""
        return {secret.field: self._read(organization_id, kind, secret) for secret in secrets}

    def seal(self, purpose: str, text: str) -> bytes:
        """Raises VaultError where there is no key."""
        nonce = os.urandom(_NONCE_BYTES)
        return bytes.fromhex(self.key_id) + nonce + self._open().encrypt(nonce, text.encode(), _sealed_for(purpose))

    def unseal(self, purpose: str, sealed: bytes) -> str:
        """Raises VaultError for whatever was not sealed for this purpose, with a key that is still known."""
        head = _KEY_ID_BYTES + _NONCE_BYTES
        cipher = self._ciphers.get(sealed[:_KEY_ID_BYTES].hex())
        if cipher is None or len(sealed) < head:
            raise VaultError(f"This {purpose} was not sealed with a key that is known here.")
        try:
            return cipher.decrypt(sealed[_KEY_ID_BYTES:head], sealed[head:], _sealed_for(purpose)).decode()
        except InvalidTag:
            raise VaultError(f"This {purpose} was changed, or sealed for something else.") from None

    def _read(self, organization_id: str, kind: str, secret: Secret) -> str:
        self._open()
        cipher = self._ciphers.get(secret.key_id)
        if cipher is None:
            raise VaultError(
                f"The credentials of {organization_id} were encrypted with key {secret.key_id}, "
                f"but SYNC_CREDENTIALS_KEY is key {self.key_id}. Give the worker that key, or name it in "
                "SYNC_CREDENTIALS_OLD_KEYS."
            )
        try:
            plain = cipher.decrypt(secret.nonce, secret.ciphertext, _bound_to(organization_id, kind, secret.field))
        except InvalidTag:
            raise VaultError(
                f"The credentials of {organization_id} were changed or moved. Configure them again."
            ) from None
        return plain.decode()

    def _open(self) -> AESGCM:
        if self._cipher is None:
            raise VaultError("SYNC_CREDENTIALS_KEY is not set. Set it to 32 random bytes in base64.")
        return self._cipher


def _key_id(key: bytes) -> str:
    return hashlib.sha256(b"accounting-sync key id" + key).hexdigest()[:16]


def _bound_to(organization_id: str, kind: str, field: str) -> bytes:
    return f"accounting-sync\x00{organization_id}\x00{kind}\x00{field}".encode()


def _sealed_for(purpose: str) -> bytes:
    return f"accounting-sync sealed\x00{purpose}".encode()
