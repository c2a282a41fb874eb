"""The server's secret changes: what is sealed gets the new seal, sessions stay, socket tokens are asked for anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection

from chat import identities, totp
from chat.sealing import Sealer
from chat.store import Store
from gateway.secret import fresh, keep, kept_secrets


async def rotate(store: Store, data: Path) -> int:
    """Make a new secret in the data folder; returns how many values were sealed anew.

    Nobody else may have the store meanwhile. Interrupted at any moment, the folder has every secret that something is
    sealed with, and the next call brings it to its end.
    """
    new, older = fresh(), kept_secrets(data)
    keep(data, [new, *older])
    count = await reseal(store, [new, *older])
    keep(data, [new])
    return count


async def rotate_beside_servers(store: Store, data: Path) -> int | None:
    """The same in two steps, where servers may have the store meanwhile. The first puts a new secret beside the old
    one and returns None: servers are to be started anew then, so that they know both. The second ends it."""
    kept = kept_secrets(data)
    if len(kept) == 1:
        keep(data, [fresh(), *kept])
        return None
    count = await reseal(store, kept)
    keep(data, kept[:1])
    return count


async def reseal(store: Store, secrets: Sequence[bytes]) -> int:
    """Seal everything with the first of these; returns how many values. One transaction: all or nothing."""
    sealer = Sealer(*secrets)

    def work(connection: Connection) -> int:
        return identities.reseal(connection, sealer) + totp.reseal(connection, sealer)

    return await store.administer(work)
