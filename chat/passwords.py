"""Agents' passwords, by argon2: slow on purpose, so in threads, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from chat.errors import BadRequest, Busy

T = TypeVar("T")

AT_ONCE = 2  # each takes a core for 50 ms and 64 MiB
SHORTEST = 10  # characters: length is what makes guessing long
WAITING = 64  # beyond this a flood of logins would only make everybody wait


class Passwords:
    """Hashes and checks. Both raise Busy when too many are waiting already."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """What to store of a password."""
        return await self._in_turn(lambda: self._hasher.hash(_bytes(password)))

    async def match(self, stored: str | None, password: str) -> bool:
        """Whether this is the password. Without a stored one it takes as long, so that time tells nobody who exists."""
        return await self._in_turn(lambda: self._match(stored, password))

    def _match(self, stored: str | None, password: str) -> bool:
        if stored is None:
            self._nobodys = self._nobodys or self._hasher.hash(b"nobody")
        try:
            self._hasher.verify(stored or self._nobodys or "", _bytes(password))
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None

    async def _in_turn(self, work: Callable[[], T]) -> T:
        if self._waiting >= WAITING:
            raise Busy
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1


def check(password: str, email: str, field: str = "password") -> None:
    """BadRequest unless it may be the password of whoever has this e-mail address."""
    if len(password) < SHORTEST:
        raise BadRequest(f"A password has at least {SHORTEST} characters.", field=field)
    if password.strip().lower() in (email.lower(), email.lower().partition("@")[0]):
        raise BadRequest("The e-mail address is no password.", field=field)


def _bytes(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
