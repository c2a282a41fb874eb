"""Hostile text frames: valid asks of the catalog with something wrong about them, and plain nonsense."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from tests.peer import new_id
from tests.tenancy import table
from tests.tenancy.table import Id, Thing
from tests.tenancy.world import PREFIXES

Pairs = list[tuple[str, str]]
"""An object's keys and values, as JSON text: so that a key can come twice and a value be no JSON at all."""

DEEP = 9

# What may stand where something else was expected. All of it is JSON.
VALUES = (
    "null",
    "true",
    "false",
    "0",
    "-0",
    "-1",
    "1.5",
    "-0.0",
    "1e308",
    "9007199254740992",
    "9223372036854775808",
    "18446744073709551616",
    "1" + "0" * 400,
    '""',
    '"\\u0000"',
    '"a\\u0000b"',
    '"\\ud83d\\ude00"',
    '"\\ufeff"',
    '"\\u202e"',
    '"\x7f"',
    '"' + "x" * 65 + '"',
    '"' + "x" * 8_001 + '"',
    '"' + "x" * 50_000 + '"',
    '"' + "👩‍🚀" * 3_000 + '"',
    '"' + "\\n" * 8_000 + '"',
    "[]",
    "{}",
    "[null]",
    '[""]',
    '{"":""}',
    "[" + ",".join("0" * 5_000) + "]",
    "[" + ",".join(['"cnv_x"'] * 2_000) + "]",
    "{" + ",".join(f'"k{n}":{n}' for n in range(2_000)) + "}",
    '{"' + "k" * 20_000 + '":1}',
    "[" * 5 + "]" * 5,
    '{"type":"hello"}',
    '"__class__"',
    '"../../etc/passwd"',
    '"\'; DROP TABLE entries; --"',
    '"%s%n${jndi:x}"',
)
# What is no JSON, or is JSON that we don't take.
BROKEN_VALUES = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "-1e400",
    "01",
    "+1",
    ".5",
    "1.",
    "0x10",
    "undefined",
    "'x'",
    '"\\x41"',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\n"',
    '"\\',
    '"unterminated',
    "[1,]",
    "{1:2}",
    "{,}",
    "[" * DEEP + "]" * DEEP,
    '{"a":' * DEEP + "1" + "}" * DEEP,
    "[" * 1_000,
    "tru",
    "/* */ 1",
)
AROUND = ("", " ", "\n", "\r\n\t ", "\n" * 20_000, " " * 30_000, "\t" * 1_000)
BAD_AROUND = ("\ufeff", ",", "}", "\x00", "\x0b", "\u00a0", "\u2028", "//", "null", "{}")
BYTES = (
    b"\xff",
    b"\xc0\x80",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\x80",
    b"\xf0\x9f",
    b"\xe0\x80\xaf",
)
NOTHING = (
    b"",
    b" ",
    b"\n" * 60_000,
    b"null",
    b"true",
    b"0",
    b"-",
    b'"',
    b'""',
    b"[]",
    b"[{}]",
    b"{",
    b"}",
    b"\x00" * 50,
)


@dataclass(frozen=True)
class World:
    """Ids that exist, by kind, for asks that get past the first look."""

    ids: dict[str, list[str]]


class Hostile:
    """Thinks frames up. `ref` is in each that can have one."""

    def __init__(self, dice: random.Random, world: World) -> None:
        self._dice = dice
        self._world = world
        self._asks = [*table.asks(), HELLO, WATCH, PONG]
        self._ways: Sequence[tuple[int, Callable[[Thing, int], bytes]]] = (
            (3, self._valid),
            (30, self._with_another_value),
            (10, self._with_a_strange_key),
            (6, self._without_something),
            (6, self._with_a_key_twice),
            (4, self._of_another_type),
            (6, self._in_space),
            (8, self._with_a_broken_value),
            (3, self._with_something_around),
            (5, self._with_broken_bytes),
            (4, self._cut_off),
            (5, self._with_bytes_changed),
            (2, self._nothing),
            (1, self._too_large),
        )
        self._weights = [weight for weight, _ in self._ways]

    def frame(self, ref: int, *, hello: bool = False) -> bytes:
        """One frame; `hello` for those that begin a connection more often than not."""
        dice = self._dice
        thing = HELLO if hello and dice.random() < 0.7 else dice.choice(self._asks)
        ((_, way),) = dice.choices(self._ways, self._weights)
        return way(thing, ref)

    # --- ways to be wrong -------------------------------------------------------------------------------------------

    def _valid(self, thing: Thing, ref: int) -> bytes:
        return self._written(self._pairs(thing, ref))

    def _with_another_value(self, thing: Thing, ref: int) -> bytes:
        pairs = self._pairs(thing, ref)
        place = self._dice.randrange(len(pairs))
        pairs[place] = (pairs[place][0], self._dice.choice(VALUES))
        return self._written(pairs)

    def _with_a_strange_key(self, thing: Thing, ref: int) -> bytes:
        key = self._dice.choice(("", "\\u0000", "x", "__proto__", "k" * 5_000, "ty\\u0070e", "👻", "ref ", "$ref"))
        pairs = self._pairs(thing, ref)
        pairs.insert(self._dice.randrange(len(pairs) + 1), (key, self._dice.choice(VALUES)))
        return self._written(pairs)

    def _without_something(self, thing: Thing, ref: int) -> bytes:
        pairs = self._pairs(thing, ref)
        del pairs[self._dice.randrange(len(pairs))]
        return self._written(pairs)

    def _with_a_key_twice(self, thing: Thing, ref: int) -> bytes:
        pairs = self._pairs(thing, ref)
        key, value = self._dice.choice(pairs)
        pairs.insert(self._dice.randrange(len(pairs) + 1), (key, self._dice.choice((value, self._dice.choice(VALUES)))))
        return self._written(pairs)

    def _of_another_type(self, thing: Thing, ref: int) -> bytes:
        names = ("", "nothing.at_all", "MESSAGE.SEND", "message.send ", "message", "welcome", "ok", "x" * 1_000, "ask")
        pairs = self._pairs(thing, ref)
        return self._written([("type", json.dumps(self._dice.choice(names))), *pairs[1:]])

    def _in_space(self, thing: Thing, ref: int) -> bytes:
        pairs, space = self._pairs(thing, ref), self._dice.choice(AROUND)
        inner = ",".join(f'{space}"{key}"{space}:{value}' for key, value in pairs) if len(space) < 10 else None
        text = "{" + inner + "}" if inner else self._written(pairs).decode()
        return (space + text + self._dice.choice(AROUND)).encode()

    def _with_a_broken_value(self, thing: Thing, ref: int) -> bytes:
        pairs, broken = self._pairs(thing, ref), self._dice.choice(BROKEN_VALUES)
        if self._dice.random() < 0.3:
            return self._written([*pairs, ("x", broken)])
        place = self._dice.randrange(len(pairs))
        pairs[place] = (pairs[place][0], broken)
        return self._written(pairs)

    def _with_something_around(self, thing: Thing, ref: int) -> bytes:
        whole = self._written(self._pairs(thing, ref)).decode()
        bad = self._dice.choice(BAD_AROUND)
        return (bad + whole if self._dice.random() < 0.5 else whole + bad).encode()

    def _with_broken_bytes(self, thing: Thing, ref: int) -> bytes:
        whole = self._written(self._pairs(thing, ref))
        place = self._dice.choice([n for n, byte in enumerate(whole) if byte == 0x22]) + self._dice.randint(0, 1)
        return whole[:place] + self._dice.choice(BYTES) + whole[place:]

    def _cut_off(self, thing: Thing, ref: int) -> bytes:
        whole = self._written(self._pairs(thing, ref))
        return whole[: self._dice.randrange(len(whole))]

    def _with_bytes_changed(self, thing: Thing, ref: int) -> bytes:
        whole = bytearray(self._written(self._pairs(thing, ref)))
        for _ in range(self._dice.randint(1, 4)):
            whole[self._dice.randrange(len(whole))] = self._dice.randrange(256)
        return bytes(whole)

    def _nothing(self, thing: Thing, ref: int) -> bytes:
        return self._dice.choice(NOTHING)

    def _too_large(self, thing: Thing, ref: int) -> bytes:
        return self._written([*self._pairs(thing, ref), ("x", '"' + "x" * 70_000 + '"')])

    # --- an ask that is right -----------------------------------------------------------------------------------------

    def _pairs(self, thing: Thing, ref: int) -> Pairs:
        found: dict[str, Any] = {"type": thing.name, "ref": ref}
        if thing not in (HELLO, WATCH, PONG) and thing.name not in NOT_LASTING:
            found["id"] = new_id()
        for place in thing.places:
            if place.is_required or self._dice.random() < 0.4:
                fill = place.fill
                found[place.name] = fill() if not isinstance(fill, Id) else self._ids(fill, place.name)
        return [(key, json.dumps(value)) for key, value in found.items()]

    def _ids(self, fill: Id, name: str) -> Any:
        # Nobody real is merged or erased: that would be the end of the socket that we look at.
        known = [] if fill.kind == "contact" or name == "attachments" else self._world.ids.get(fill.kind, [])
        if known and self._dice.random() < 0.7:
            one = self._dice.choice(known)
        else:
            one = (
                new_id()
                if fill.kind == "entry"
                else f"{PREFIXES.get(fill.kind, 'xyz')}_{self._dice.getrandbits(96):024x}"
            )
        return [one] if fill.many else one

    @staticmethod
    def _written(pairs: Pairs) -> bytes:
        return ("{" + ",".join(f'"{key}":{value}' for key, value in pairs) + "}").encode()


def _thing(name: str, **places: Callable[[], Any]) -> Thing:
    return Thing(name, tuple(table.Place("body", key, fill) for key, fill in places.items()))


NOT_LASTING = {"read", "delivered", "typing", "preview", "viewing"}
HELLO = _thing("hello", protocol=lambda: 1, token=lambda: "x", client=lambda: "fuzz", batch=lambda: True, resume=dict)
WATCH = _thing("watch", conversations=lambda: ["cnv_000000000000000000000000"])
PONG = _thing("pong", n=lambda: 1)
