"""Passwords: the right one opens, nothing else does, and a flood of them is refused."""

import asyncio

import pytest
from argon2 import PasswordHasher

from chat import passwords
from chat.errors import BadRequest, Busy
from chat.passwords import Passwords, check


def quick() -> Passwords:
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


def test_only_the_password_itself_matches() -> None:
    async def play() -> list[bool]:
        doors = quick()
        stored = await doors.hash("correct horse")
        return [
            await doors.match(stored, "correct horse"),
            await doors.match(stored, "correct horse "),
            await doors.match(stored, "\ud800"),
            await doors.match("not a hash", "correct horse"),
        ]

    assert asyncio.run(play()) == [True, False, False, False]


def test_the_stored_form_is_argon2_and_not_the_password() -> None:
    stored = asyncio.run(quick().hash("correct horse"))

    assert stored.startswith("$argon2id$")
    assert "horse" not in stored


def test_who_is_not_there_has_no_password_not_even_that_of_nobody() -> None:
    async def play() -> list[bool]:
        doors = quick()
        return [await doors.match(None, "nobody"), await doors.match(None, "")]

    assert asyncio.run(play()) == [False, False]


def test_a_flood_of_logins_is_busy_and_the_ones_before_it_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "WAITING", 3)

    async def play() -> list[object]:
        doors = quick()
        stored = await doors.hash("x")
        return await asyncio.gather(*(doors.match(stored, "x") for _ in range(5)), return_exceptions=True)

    results = asyncio.run(play())

    assert results[:3] == [True, True, True]
    assert all(isinstance(result, Busy) for result in results[3:])


@pytest.mark.parametrize("password", ["", "short", "nine char", "noa@shop.example", "NOA@SHOP.EXAMPLE "])
def test_what_is_short_or_the_address_is_no_password(password: str) -> None:
    with pytest.raises(BadRequest) as refused:
        check(password, "noa@shop.example", "new")

    assert refused.value.field == "new"


def test_ten_characters_of_any_script_will_do() -> None:
    check("รหัสผ่านยาว", "noa@shop.example")
