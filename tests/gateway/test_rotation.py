"""Rotation: what is sealed opens by the new secret alone, old tokens stop, sessions stay, a cut loses nothing."""

from collections.abc import Sequence
from pathlib import Path

import pyotp
import pytest

from chat.audit import unheard
from chat.identities import Identities
from chat.sealing import Sealer
from chat.totp import STEP_SECONDS, Totps
from gateway import rotation
from gateway.auth import Doorkeeper, Tokens, Unauthorized
from gateway.rotation import rotate, rotate_beside_servers
from gateway.secret import keep, kept_secrets
from tests.shop import TOKEN_LIFE, Shop, in_a_shop


class Kept:
    """What a server with these secrets can open of what was sealed before."""

    def __init__(self, shop: Shop, secrets: Sequence[bytes]) -> None:
        self.shop = shop
        self.door = (shop.mine.id, shop.mine.door.id)
        self.me = (shop.mine.id, shop.mine.agent.id)
        self.identities = Identities(shop.store, shop.clock, Sealer(*secrets))
        self.totps = Totps(shop.store, shop.clock, Sealer(*secrets))

    async def fill(self) -> tuple[str, str]:
        """An inbox key's secret and an agent's."""
        _, key = await self.identities.add_key(self.door)
        totp = await self.totps.begin(self.me)
        await self.totps.confirm(self.me, self.code(totp), unheard)
        return key, totp

    async def opens(self, key: str, totp: str) -> tuple[bool, bool]:
        self.shop.clock.move(STEP_SECONDS)  # a code counts once
        found = list((await self.identities.live_keys(self.shop.mine.door.id)).values())
        return found == [key.encode()], await self.totps.check(self.me, self.code(totp))

    def code(self, totp: str) -> str:
        return pyotp.TOTP(totp).at(self.shop.clock.now() // 1000)


@in_a_shop
async def test_what_was_sealed_opens_by_the_new_secret_alone(shop: Shop) -> None:
    old = kept_secrets(shop.folder)
    filled = await Kept(shop, old).fill()

    assert await rotate(shop.store, shop.folder) == 2

    new = kept_secrets(shop.folder)
    assert len(new) == 1
    assert await Kept(shop, new).opens(*filled) == (True, True)
    assert await Kept(shop, old).opens(*filled) == (False, False)


@in_a_shop
async def test_old_tokens_stop_and_sessions_stay(shop: Shop) -> None:
    secret, session = await shop.sessions.open_for_contact(shop.mine.door)
    [old] = kept_secrets(shop.folder)
    token = Tokens(old, shop.clock, TOKEN_LIFE).mint(session)

    await rotate(shop.store, shop.folder)

    tokens = Tokens(kept_secrets(shop.folder)[0], shop.clock, TOKEN_LIFE)
    doorkeeper = Doorkeeper(tokens, shop.sessions)
    with pytest.raises(Unauthorized):
        await doorkeeper.identify(token)
    assert await shop.sessions.by_secret(secret) == session
    assert (await doorkeeper.identify(tokens.mint(session))).session == session.id
    await doorkeeper.close()


@in_a_shop
async def test_while_nodes_change_over_each_believes_the_other(shop: Shop) -> None:
    old, new = b"o" * 40, b"n" * 40
    _, session = await shop.sessions.open_for_contact(shop.mine.door)
    both = Tokens(new, shop.clock, TOKEN_LIFE, [old])

    assert both.verify(Tokens(old, shop.clock, TOKEN_LIFE).mint(session))["ses"] == session.id
    assert Tokens(new, shop.clock, TOKEN_LIFE).verify(both.mint(session))["ses"] == session.id
    with pytest.raises(Unauthorized):
        both.verify(Tokens(b"x" * 40, shop.clock, TOKEN_LIFE).mint(session))


@pytest.mark.parametrize("survived", [0, 1], ids=["before the seals", "after the seals"])
@in_a_shop
async def test_interrupted_it_loses_nothing_and_is_ended_by_the_next(
    shop: Shop, survived: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = await Kept(shop, kept_secrets(shop.folder)).fill()
    real = keep
    kept = 0

    def cut(data: Path, secrets: Sequence[bytes]) -> None:
        nonlocal kept
        kept += 1
        if kept == 2:
            raise KeyboardInterrupt
        real(data, secrets)

    async def cut_reseal(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(rotation, "keep", cut)
        if survived == 0:
            patched.setattr(rotation, "reseal", cut_reseal)
        try:
            await rotate(shop.store, shop.folder)
            pytest.fail("it wasn't interrupted")
        except KeyboardInterrupt:
            pass

    assert len(kept_secrets(shop.folder)) == 2
    assert await Kept(shop, kept_secrets(shop.folder)).opens(*filled) == (True, True)
    await rotate(shop.store, shop.folder)
    assert len(kept_secrets(shop.folder)) == 1
    assert await Kept(shop, kept_secrets(shop.folder)).opens(*filled) == (True, True)


@in_a_shop
async def test_beside_servers_both_secrets_are_known_before_anything_gets_the_new_seal(shop: Shop) -> None:
    old = kept_secrets(shop.folder)
    filled = await Kept(shop, old).fill()

    assert await rotate_beside_servers(shop.store, shop.folder) is None
    both = kept_secrets(shop.folder)
    assert both[1:] == old
    assert await Kept(shop, old).opens(*filled) == (True, True)  # who wasn't started anew yet
    assert await rotate_beside_servers(shop.store, shop.folder) == 2

    assert kept_secrets(shop.folder) == both[:1]
    assert await Kept(shop, both).opens(*filled) == (True, True)  # who was, and goes on
    assert await Kept(shop, both[:1]).opens(*filled) == (True, True)
    assert await Kept(shop, old).opens(*filled) == (False, False)
