"""A second factor for agents: six digits from an app (RFC 6238), each good once. Its secret is stored sealed."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Literal

import pyotp
from sqlalchemy import Connection, bindparam, select, update

from chat.audit import Audited
from chat.clock import Clock
from chat.errors import InvalidState, NotFound
from chat.sealing import BrokenSeal, Sealer
from chat.store import Scoped, Store
from chat.store.tables import accounts, agents

STEP_SECONDS = 30
WAITING = -1  # instead of the step that was last used: begun, but no code has shown yet that the app has the secret

State = Literal["off", "waiting", "on"]

_ROW = (
    select(agents.c.key, agents.c.totp, agents.c.totp_step)
    .join(accounts)
    .where(accounts.c.id == bindparam("account"), agents.c.id == bindparam("agent"))
)


class Totps:
    """Every method may raise Unavailable, and NotFound for an agent that isn't the account's."""

    def __init__(self, store: Store, clock: Clock, sealer: Sealer) -> None:
        self._store = store
        self._clock = clock
        self._sealer = sealer

    async def state(self, who: Scoped) -> State:
        return await self._store.inspect(lambda connection: _state(*_row(connection, who)[1:]))

    async def begin(self, who: Scoped) -> str:
        """A new secret for the app, which counts from `confirm` on. InvalidState when one counts already."""
        secret = pyotp.random_base32()

        def work(connection: Connection) -> None:
            key, sealed, step = _row(connection, who)
            if _state(sealed, step) == "on":
                raise InvalidState("There is a second factor already: turn it off first.")
            sealed = self._sealer.seal(secret.encode(), purpose(who[1]))
            connection.execute(update(agents).where(agents.c.key == key).values(totp=sealed, totp_step=WAITING))

        await self._store.administer(work)
        return secret

    async def confirm(self, who: Scoped, code: str, audit: Audited) -> bool:
        """From now on it counts, if the app shows this code. InvalidState unless it was begun."""

        def check(connection: Connection) -> None:
            if _state(*_row(connection, who)[1:]) != "waiting":
                raise InvalidState("No second factor is being set up.")

        await self._store.inspect(check)
        return await self._use(who, code, lambda connection: audit(connection, "totp.on", who[1], {}))

    async def check(self, who: Scoped, code: str) -> bool:
        """Whether the app shows this code and nobody has used it, nor any later one. From now on it is used."""
        return await self._use(who, code, lambda connection: None)

    async def off(self, who: Scoped, action: str, audit: Audited) -> None:
        """No second factor any more. Harmless when there is none."""

        def work(connection: Connection) -> None:
            key, sealed, step = _row(connection, who)
            if sealed is None:
                return
            connection.execute(update(agents).where(agents.c.key == key).values(totp=None, totp_step=0))
            if _state(sealed, step) == "on":
                audit(connection, action, who[1], {})

        await self._store.administer(work)

    async def _use(self, who: Scoped, code: str, then: Callable[[Connection], None]) -> bool:
        now = self._clock.now() // 1000 // STEP_SECONDS

        def work(connection: Connection) -> bool:
            key, sealed, used = _row(connection, who)
            if sealed is None:
                return False
            try:
                totp = pyotp.TOTP(self._sealer.open(sealed, purpose(who[1])).decode(), interval=STEP_SECONDS)
            except BrokenSeal:  # the server's secret was changed without `shopbell secret rotate`: an admin resets it
                return False
            for step in (now - 1, now, now + 1):  # phones' clocks are a little off
                if step > used and hmac.compare_digest(totp.at(step * STEP_SECONDS).encode(), _digits(code)):
                    connection.execute(update(agents).where(agents.c.key == key).values(totp_step=step))
                    then(connection)
                    return True
            return False

        return await self._store.administer(work)


def purpose(agent: str) -> str:
    """What an agent's secret is sealed for."""
    return f"totp:{agent}"


def reseal(connection: Connection, sealer: Sealer) -> int:
    """Seal every agent's secret with the sealer's newest key; returns how many. What can't be opened stays as it is."""
    count = 0
    for key, agent, sealed in connection.execute(
        select(agents.c.key, agents.c.id, agents.c.totp).where(agents.c.totp.is_not(None)).with_for_update()
    ).all():
        try:
            plain = sealer.open(sealed, purpose(agent))
        except BrokenSeal:
            continue
        fresh = sealer.seal(plain, purpose(agent))
        connection.execute(update(agents).where(agents.c.key == key).values(totp=fresh))
        count += 1
    return count


def _row(connection: Connection, who: Scoped) -> tuple[int, bytes | None, int]:
    row = connection.execute(_ROW, {"account": who[0], "agent": who[1]}).one_or_none()
    if row is None:
        raise NotFound(field="agent")
    return row[0], row[1], row[2]


def _state(sealed: bytes | None, step: int) -> State:
    if sealed is None:
        return "off"
    return "waiting" if step == WAITING else "on"


def _digits(code: str) -> bytes:
    """As people type it: 123 456."""
    return code.replace(" ", "").encode("utf-8", "replace")
