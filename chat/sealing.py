"""Secrets that must be read again are stored sealed: AES-GCM, by a key that follows from the server's secret."""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FORMAT = 1
NONCE = 12  # bytes; random: with one key, 2**32 seals are fine, and we make a few per inbox and agent


class BrokenSeal(Exception):
    """This wasn't sealed by any key at hand for this purpose, or it was changed since."""


class Sealer:
    """Seals with one key, and opens what it or an older one sealed.

    A sealed value is: format, the key's mark, nonce, ciphertext with tag. The purpose is bound in, so that what was
    sealed for one row opens for no other.
    """

    def __init__(self, key: bytes, *older: bytes) -> None:
        self._newest = _Key(key)
        self._keys = (self._newest, *(_Key(each) for each in older))

    def seal(self, value: bytes, purpose: str) -> bytes:
        nonce = secrets.token_bytes(NONCE)
        return bytes((FORMAT, self._newest.mark)) + nonce + self._newest.cipher.encrypt(nonce, value, purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """What was sealed. Raises BrokenSeal."""
        if len(sealed) < 2 + NONCE or sealed[0] != FORMAT:
            raise BrokenSeal
        nonce, text = sealed[2 : 2 + NONCE], sealed[2 + NONCE :]
        for key in self._keys:
            if key.mark != sealed[1]:  # two keys may have the same mark, so this only saves time
                continue
            try:
                return key.cipher.decrypt(nonce, text, purpose.encode())
            except InvalidTag:
                continue
        raise BrokenSeal


class _Key:
    def __init__(self, secret: bytes) -> None:
        derived = HKDF(SHA256(), 33, salt=None, info=b"shopbell:sealing").derive(secret)
        self.cipher = AESGCM(derived[:32])
        self.mark = derived[32]
