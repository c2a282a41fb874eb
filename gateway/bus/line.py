"""A node's line to one Redis server: one connection after the other, by which it publishes and listens.

The reader loop is ours. redis-py would reconnect by itself and say nothing, and a node that doesn't know what it
missed is deaf: here every new connection is a gap. One connection does both, so that a heartbeat that comes back proves
both ways.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple, TypeAlias

from redis.asyncio import Connection
from redis.exceptions import AskError, ResponseError

from gateway.bus.parcel import Says, join, pack_beat
from gateway.bus.pulse import Pulse
from gateway.redis_client import Trouble

log = logging.getLogger("gateway.bus.line")

CONNECT_SECONDS = 3.0  # for the connection and for saying who we are
CONFIRM_SECONDS = 3.0  # for a subscription
BEAT_SECONDS = 0.4
TICK_SECONDS = 0.2
SILENCE_SECONDS = 6.0  # without a byte, though there is a heartbeat to answer: the connection is half open
LAST_SECONDS = 1.0  # for the last words of a node that ends
BACKOFF_SECONDS = (0.1, 1.0)  # a Redis that is back is found within this
TOGETHER = 512  # channels of one subscribe
TURN = 64  # answers taken before others have their turn on the loop
UNANSWERED = 10_000  # payloads that Redis hasn't taken yet; more are given up
UNANSWERED_BYTES = 16 * 1024 * 1024


_Command: TypeAlias = tuple[bytes, ...]


class Deaf(Exception):
    """The connection stands and is of no use."""


class Ear(NamedTuple):
    """Whom a line tells what."""

    take: Callable[[bytes, bytes], None]
    """(channel, data) of what was published."""
    lose: Callable[[], None]
    """Something may have been lost here: the store must be looked at."""
    drop: Callable[[int], None]
    """So many payloads of ours went nowhere: others must be told to look at the store."""
    publish: Callable[[int], None]
    """So many went out."""
    move: Callable[[], None]
    """Somebody else has some of these channels by now."""
    away: Callable[[Exception], None]
    """There is no connection, for this reason."""
    here: Callable[[], None]
    """There is one."""


class _Sent(NamedTuple):
    """A command whose answer is due. Subscriptions are answered only if they are refused."""

    payloads: int
    size: int
    names: frozenset[bytes] = frozenset()


class Line:
    """`run` runs as a task while it is used. `connection` makes one that isn't connected yet; `pulse_name` is the
    channel of everybody's heartbeats; `is_sharded` says which kind of channels these are."""

    def __init__(
        self,
        connection: Callable[[], Connection],
        stamped: bytes,
        pulse: Pulse,
        pulse_name: bytes,
        ear: Ear,
        *,
        is_sharded: bool = False,
    ) -> None:
        self._new_connection = connection
        self._stamped = stamped
        self._ear = ear
        self._s = b"S" if is_sharded else b""
        self._is_sharded = is_sharded
        self.pulse = pulse
        self._pulse_name = pulse_name
        self._wanted = {pulse_name}
        self._owes = False
        self._attempt = 0
        self._begin_anew()

    def _begin_anew(self) -> None:
        """What belongs to one connection."""
        self._connection: Connection | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._is_up = False
        self._up_at = math.inf
        self._trouble: Exception | None = None
        self._asked: set[bytes] = set()
        self._confirmed: set[bytes] = set()
        self._to_ask: set[bytes] = set()
        self._to_leave: set[bytes] = set()
        self._first: set[bytes] = set()  # what must be confirmed before it is up
        self._lost: set[bytes] = set()
        self._waiting: dict[bytes, asyncio.Future[None]] = {}
        self._outgoing: dict[bytes, list[bytes]] = {}
        self._sent: deque[_Sent] = deque()
        self._beat: Says | None = None
        self._due = 0  # answers to what was published
        self._unanswered = 0
        self._unanswered_bytes = 0
        self._rung = asyncio.Event()
        self._settled = asyncio.Event()
        self._answered = asyncio.Event()
        self._heard_at = 0.0

    # --- what is wanted of it --------------------------------------------------------------------------------

    @property
    def is_up(self) -> bool:
        """Whether there is a connection, on which all that is wanted is confirmed."""
        return self._is_up

    @property
    def is_steady(self) -> bool:
        """Whether what others publish here is heard, and what is published here goes out."""
        return self._is_up and self.pulse.is_steady(time.monotonic())

    @property
    def is_heard(self) -> bool:
        """Whether what is published here goes out and comes back. Others may be cut off."""
        return self._is_up and self.pulse.is_heard(time.monotonic())

    async def subscribe(self, name: bytes) -> None:
        """When this returns, what is published later is heard, or a loss is reported."""
        self._wanted.add(name)
        if self._connection is None or name in self._confirmed:
            return  # what is missed until there is a connection is a loss
        if name not in self._asked:
            self._ask([name])
        confirmed = self._waiting.setdefault(name, asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                await asyncio.shield(confirmed)
        except TimeoutError:
            self._trouble = Deaf("a subscription isn't confirmed")  # it begins anew

    def unsubscribe(self, name: bytes) -> None:
        self._wanted.discard(name)
        self._to_ask.discard(name)
        if name in self._confirmed:
            self._to_leave.add(name)
            self._rung.set()

    def rearrange(self, pulse_name: bytes, names: Iterable[bytes]) -> None:
        """Have these and no others, as channels have moved to and from other servers. What was missed on the way is a
        loss. Those that it hadn't before are subscribed; the others aren't here any more."""
        wanted = {pulse_name, *names}
        self._pulse_name = pulse_name
        for name in self._wanted - wanted:
            self._forget(name)
        self._wanted = wanted
        if self._connection is not None:
            self._lost |= wanted - self._asked
            self._ask(wanted - self._asked)

    def publish(self, name: bytes, payload: bytes) -> None:
        """With the next turn of the loop, together with everything else for this channel. Whatever can't go out is
        dropped, and known to be."""
        if not self._is_up or self._unanswered >= UNANSWERED or self._unanswered_bytes >= UNANSWERED_BYTES:
            self._ear.drop(1)
            return
        self._outgoing.setdefault(name, []).append(payload)
        self._unanswered += 1
        self._unanswered_bytes += len(payload)
        self._answered.clear()
        self._rung.set()

    def owe(self) -> None:
        """Others must look at the store: the next heartbeat says so, be it on the next connection."""
        self._owes = True

    # --- its life --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """One connection after the other until cancelled; what was published before that still goes out, if it takes
        no long time."""
        while True:
            try:
                await self._live()
            except (*Trouble, Deaf) as error:
                self._ear.away(error)
            except Exception as error:  # the boundary: whatever a connection's end looks like, it is one
                log.exception("the line to Redis broke in a way that isn't known")
                self._ear.away(error)
            least, most = BACKOFF_SECONDS
            await asyncio.sleep(random.uniform(least, min(most, least * 2**self._attempt)))

    async def _live(self) -> None:
        """One connection's life. Raises when it is over."""
        connection = self._new_connection()
        living = None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await connection.connect()  # type: ignore[no-untyped-call]
            # Its own would write each of them into the log.
            connection._parser.set_pubsub_push_handler(_as_it_is)  # type: ignore[attr-defined]
            self._connection = connection
            self._transport = connection._writer.transport if connection._writer else None
            living = asyncio.create_task(self._read_write_watch(connection))
            await asyncio.shield(living)
        except asyncio.CancelledError:
            if living is not None and self._is_up:
                await self._say_last_words(living)
            raise
        finally:
            if living is not None:
                living.cancel()
            self._end(connection)
            if living is not None:
                await asyncio.gather(living, return_exceptions=True)

    async def _read_write_watch(self, connection: Connection) -> None:
        self._heard_at = time.monotonic()
        self._first = set(self._wanted)
        self._ask(self._wanted)
        parts = [self._read(connection), self._write(connection), self._watch()]
        tasks = {asyncio.create_task(part) for part in parts}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # none of them ends without an error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _say_last_words(self, living: asyncio.Task[None]) -> None:
        self._say(Says.LEAVES)
        answered = asyncio.create_task(self._answered.wait())
        await asyncio.wait({living, answered}, timeout=LAST_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        answered.cancel()

    def _end(self, connection: Connection) -> None:
        """Let go of it and of all that hung on it. What has no answer may have gone nowhere."""
        if self._transport is not None:  # closing it would keep what can't be sent until the system gives up
            self._transport.abort()
        elif connection._writer is not None:  # it was about to say who we are
            connection._writer.transport.abort()
        connection._reader = connection._writer = None
        has_lasted = time.monotonic() - self._up_at > BACKOFF_SECONDS[1]
        self._attempt = 1 if has_lasted else min(self._attempt + 1, 10)
        for confirmed in self._waiting.values():
            if not confirmed.done():
                confirmed.set_result(None)  # what it may have missed will be reported as lost
        if self._due or self._outgoing:
            self._ear.drop(self._unanswered)
        if self._is_up and len(self._wanted) > 1:
            self._ear.lose()
        self._begin_anew()

    # --- reading ---------------------------------------------------------------------------------------------

    async def _read(self, connection: Connection) -> None:
        taken = 0
        while True:
            try:
                answer = await connection.read_response(timeout=math.inf, disconnect_on_error=False, push_request=True)
            except ResponseError as error:
                self._refused(error)
                continue
            self._heard_at = time.monotonic()
            if isinstance(answer, list):
                self._take(answer)
            else:
                self._went_out()
            taken += 1
            if taken % TURN == 0:
                await asyncio.sleep(0)

    def _take(self, push: list[Any]) -> None:
        kind, name = push[0], push[1]
        if kind in (b"message", b"smessage"):
            self._ear.take(name, push[2])
        elif kind in (b"subscribe", b"ssubscribe"):
            self._confirm(name)
        elif kind in (b"unsubscribe", b"sunsubscribe") and name in self._confirmed:
            self._take_away(name)

    def _confirm(self, name: bytes) -> None:
        self._confirmed.add(name)
        confirmed = self._waiting.pop(name, None)
        if confirmed is not None and not confirmed.done():
            confirmed.set_result(None)
        if name in self._lost:
            self._lost.discard(name)
            self._ear.lose()
        if name not in self._wanted:
            self._to_leave.add(name)
            self._rung.set()
        self._settle({name})

    def _settle(self, names: Collection[bytes]) -> None:
        """These aren't waited for any more: when it was the last of the first, it is up."""
        self._first.difference_update(names)
        if not self._first:
            self._settled.set()

    def _take_away(self, name: bytes) -> None:
        """The server has given the channel's slot away, to whom the chart will say."""
        self._asked.discard(name)
        self._confirmed.discard(name)
        if name in self._wanted:
            self._lost.add(name)
            self._ear.move()

    def _went_out(self) -> None:
        """The oldest command that has an answer has it."""
        while self._sent and self._sent[0].names:
            self._sent.popleft()
        if not self._sent:
            raise Deaf("an answer to nothing")
        self._forget_sent(self._sent.popleft(), self._ear.publish)

    def _refused(self, error: ResponseError) -> None:
        """Whatever was refused: as the slot has moved, that is for the chart to tell; else the line is of no use."""
        self._heard_at = time.monotonic()
        while self._sent and self._sent[0].names and self._sent[0].names <= self._confirmed:
            self._sent.popleft()
        if not self._sent or not isinstance(error, AskError):
            raise error
        sent = self._sent.popleft()
        if sent.names:
            self._asked -= sent.names
            self._lost |= sent.names & self._wanted
            self._settle(sent.names)
        else:
            self._forget_sent(sent, self._ear.drop)
        self._ear.move()

    def _forget_sent(self, sent: _Sent, tell: Callable[[int], None]) -> None:
        self._due -= 1
        self._unanswered -= sent.payloads
        self._unanswered_bytes -= sent.size
        tell(sent.payloads)
        if not self._due and not self._outgoing and self._beat is None:
            self._answered.set()

    # --- writing ---------------------------------------------------------------------------------------------

    async def _write(self, connection: Connection) -> None:
        while True:
            await self._rung.wait()
            self._rung.clear()
            commands = b"".join(map(_pack, (*self._subscriptions(), *self._publications())))
            if commands:
                if not connection.is_connected:
                    raise Deaf("the connection is closed")  # writing would make another one, and nobody would know
                await connection.send_packed_command(commands, check_health=False)

    def _ask(self, names: Iterable[bytes]) -> None:
        self._to_ask.update(names)
        self._rung.set()

    def _forget(self, name: bytes) -> None:
        for names in (self._asked, self._confirmed, self._to_ask, self._to_leave, self._lost):
            names.discard(name)
        confirmed = self._waiting.pop(name, None)
        if confirmed is not None and not confirmed.done():
            confirmed.set_result(None)  # whoever has it now reports what was lost
        if self._connection is not None:
            self._settle({name})

    def _subscriptions(self) -> Iterable[_Command]:
        if self._to_leave:
            leaving = [name for name in self._to_leave if name not in self._wanted]
            self._to_leave.clear()
            self._asked.difference_update(leaving)
            self._confirmed.difference_update(leaving)
            for names in self._together(leaving):
                yield (self._s + b"UNSUBSCRIBE", *names)
        if self._to_ask:
            asked = [name for name in self._to_ask if name not in self._asked]
            self._to_ask.clear()
            self._asked.update(asked)
            for names in self._together(asked):
                self._sent.append(_Sent(0, 0, frozenset(names)))
                yield (self._s + b"SUBSCRIBE", *names)

    def _together(self, names: list[bytes]) -> Iterable[list[bytes]]:
        """Those that one command may name. In a Cluster they must be of one slot: accounts hardly ever are."""
        most = 1 if self._is_sharded else TOGETHER
        for start in range(0, len(names), most):
            yield names[start : start + most]

    def _publications(self) -> Iterable[_Command]:
        """One for each channel, whatever was published in this turn of the loop, and the heartbeat behind them."""
        outgoing, self._outgoing = self._outgoing, {}
        for name, payloads in outgoing.items():
            self._sent.append(_Sent(len(payloads), sum(map(len, payloads))))
            self._due += 1
            yield (self._s + b"PUBLISH", name, join(self._stamped, payloads))
        if self._beat is not None:
            beat, self._beat = self._beat, None
            self._sent.append(_Sent(0, 0))
            self._due += 1
            yield (self._s + b"PUBLISH", self._pulse_name, pack_beat(self._stamped, beat, time.monotonic()))

    def _say(self, says: Says) -> None:
        """With the next heartbeat, now. Unlike payloads, it goes out however much waits."""
        self._beat = max(says, Says.LOST if self._owes else Says.HERE, self._beat or Says.HERE)
        self._owes = False
        self._answered.clear()
        self._rung.set()

    # --- watching --------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        async with asyncio.timeout(CONFIRM_SECONDS + len(self._wanted) / TOGETHER):
            await self._settled.wait()
        self._come_up()
        was_steady, beaten_at = self.is_steady, -math.inf
        while True:
            now = time.monotonic()
            if self._trouble is not None:
                raise self._trouble
            if now - self._heard_at > SILENCE_SECONDS:
                raise Deaf("nothing is heard")
            if self.pulse.is_deaf(now):
                raise Deaf("it doesn't hear itself")
            if now - beaten_at >= BEAT_SECONDS:
                beaten_at = now
                self._say(Says.HERE)
            is_steady = self.pulse.is_steady(now)
            if is_steady is not was_steady:  # look at once: what was written meanwhile may wait for long, or be lost
                was_steady = is_steady
                self._ear.lose()
            await asyncio.sleep(TICK_SECONDS)

    def _come_up(self) -> None:
        self._up_at = time.monotonic()
        self.pulse.begin(self._up_at)
        self._is_up = True
        self._lost.clear()
        if len(self._wanted) > 1:  # whatever was published until now may be lost
            self._ear.lose()
        self._ear.here()


def _pack(command: _Command) -> bytes:
    """As RESP. redis-py's own takes any type, and ten times as long."""
    parts = [b"*%d\r\n" % len(command)]
    for word in command:
        parts += (b"$%d\r\n" % len(word), word, b"\r\n")
    return b"".join(parts)


async def _as_it_is(push: object) -> object:
    return push
