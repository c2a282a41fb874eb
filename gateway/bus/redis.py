"""The bus between nodes: Redis pub/sub. A doorbell: whatever it loses is read from the store.

One server, a primary behind Sentinels, or a Cluster, where channels are sharded: there is a line to each primary, and
an account's channel is on one of them alone.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from contextlib import suppress

from gateway.bus import Bus, Gap, Hear
from gateway.bus.line import Ear, Line
from gateway.bus.parcel import NODE_BYTES, Malformed, Says, split, stamp, unpack_beat
from gateway.bus.places import NOBODY, Chart, Places, Server, new_connection, new_places
from gateway.bus.pulse import Pulse
from gateway.metrics import Metrics, new_metrics
from gateway.redis_client import Trouble
from gateway.redis_url import parse_redis_url

log = logging.getLogger("gateway.bus.redis")

LOOK_AGAIN_SECONDS = 0.5  # at least, between two looks
GAP_SECONDS = 0.2  # at least, between two gaps: they come in hundreds when slots move
SENSELESS_SECONDS = 60.0  # between two lines of the log about payloads without sense


class RedisBus:
    """See `gateway.bus.Bus` for the promises. `run` must run as a task while the bus is used."""

    def __init__(self, url: str, prefix: str = "shopbell", metrics: Metrics | None = None) -> None:
        self._address = parse_redis_url(url)
        self._prefix = prefix
        self._node = secrets.token_bytes(NODE_BYTES)
        self._own = stamp(self._node)
        self._metrics = metrics or new_metrics()
        self._metrics.bus_healthy.set_function(lambda: self.is_healthy)
        self._hear: Hear = lambda channel, payload: None
        self._on_gap: Gap = lambda: None
        self._channels: dict[bytes, str] = {}
        self._chart: Chart = NOBODY
        self._lines: dict[Server, Line] = {}
        self._running: dict[Server, asyncio.Task[None]] = {}
        self._look_again = asyncio.Event()
        self._gap_at = self._senseless_at = float("-inf")
        self._gap_later: asyncio.TimerHandle | None = None
        self._is_told_away = False
        self._ear = Ear(
            take=self._take,
            lose=self._lose,
            drop=self._drop,
            publish=self._count_published,
            move=self._look_again.set,
            away=self._tell_away,
            here=self._tell_here,
        )
        self.dropped = 0
        """Payloads that went nowhere. Other nodes are told to look at the store as soon as they can be told."""

    @property
    def is_healthy(self) -> bool:
        """Whether what any other node writes is heard here, as far as heartbeats tell."""
        return self._chart.is_whole and all(line.is_steady for line in self._lines.values())

    @property
    def is_here(self) -> bool:
        """Whether this node hears itself everywhere."""
        return self._chart.is_whole and all(line.is_heard for line in self._lines.values())

    def listen(self, hear: Hear, on_gap: Gap) -> None:
        self._hear, self._on_gap = hear, on_gap

    async def subscribe(self, channel: str) -> None:
        """Without Redis this returns at once: what is missed until it is back is a gap, and reported then."""
        name = self._name(channel)
        self._channels[name] = channel
        line = self._line_of(name)
        if line is not None:
            await line.subscribe(name)

    async def unsubscribe(self, channel: str) -> None:
        name = self._name(channel)
        self._channels.pop(name, None)
        line = self._line_of(name)
        if line is not None:
            line.unsubscribe(name)

    def wants(self, channel: str) -> bool:
        return True  # who else listens is known to Redis alone

    def publish(self, channel: str, payload: bytes) -> None:
        name = self._name(channel)
        line = self._line_of(name)
        if line is None:
            self._drop(1)
        else:
            line.publish(name, payload)

    async def run(self) -> None:
        """Look who has which channels, and have a line to each of them, until cancelled."""
        places = new_places(self._address)
        try:
            async with asyncio.TaskGroup() as lines:
                await self._look_for_ever(places, lines)
        finally:
            self._chart = NOBODY
            self._lines.clear()
            self._running.clear()
            if self._gap_later is not None:
                self._gap_later.cancel()
            with suppress(*Trouble):
                await places.close()

    async def close(self) -> None:
        """Hear no more."""
        for channel in list(self._channels.values()):
            await self.unsubscribe(channel)

    # --- who has what ----------------------------------------------------------------------------------------

    async def _look_for_ever(self, places: Places, lines: asyncio.TaskGroup) -> None:
        while True:
            self._look_again.clear()
            try:
                self._arrange(await places.look(), lines)
            except Trouble as error:
                if not self._lines:  # as long as there are some, they know better
                    self._tell_away(error)
                self._look_again.set()
            if not self._chart.is_whole:  # some slots wait for another primary
                self._look_again.set()
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(places.seconds):
                    await self._look_again.wait()

    def _arrange(self, chart: Chart, lines: asyncio.TaskGroup) -> None:
        """Every channel to the line of its server. What a server has no longer is taken from it; what it has anew may
        have missed something on the way."""
        self._chart = chart
        for server in set(self._lines) - chart.servers:
            del self._lines[server]
            self._running.pop(server).cancel()
        names: dict[Server, list[bytes]] = {server: [] for server in chart.servers}
        for name in self._channels:
            of = chart.server_of(name)
            if of is not None:
                names[of].append(name)
        for server in chart.servers:
            meeting = chart.meeting_place(f"{self._prefix}:pulse", server)
            line = self._lines.get(server)
            if line is None:
                line = self._lines[server] = self._new_line(server, meeting)
                self._running[server] = lines.create_task(line.run())
            line.rearrange(meeting, names[server])

    def _new_line(self, server: Server, meeting: bytes) -> Line:
        return Line(
            lambda: new_connection(self._address, server),
            self._own,
            Pulse(self._node),
            meeting,
            self._ear,
            is_sharded=self._chart.is_sharded,
        )

    def _line_of(self, name: bytes) -> Line | None:
        server = self._chart.server_of(name)
        return None if server is None else self._lines.get(server)

    # --- what the lines tell ---------------------------------------------------------------------------------

    def _take(self, name: bytes, data: bytes) -> None:
        channel = self._channels.get(name)
        if channel is not None and data.startswith(self._own):
            return  # our own
        try:
            if channel is not None:
                self._take_payloads(channel, data)
            elif b":pulse:" in name:
                self._take_beat(name, data)
        except Malformed:
            self._tell_senseless(name)

    def _take_payloads(self, channel: str, data: bytes) -> None:
        payloads = split(data)
        if payloads is None:
            self._lose()  # of a newer version: that something happened is all we know
            return
        count = 0
        for payload in payloads:
            count += 1
            try:
                self._hear(channel, payload)
            except Exception as error:  # the boundary: whatever is in one payload doesn't make the node deaf
                self._tell_senseless(channel.encode(), error)
        self._metrics.bus_heard.inc(count)

    def _take_beat(self, name: bytes, data: bytes) -> None:
        beat = unpack_beat(data)
        line = self._line_of(name)
        if line is None:
            return
        now = time.monotonic()
        if beat.node == self._node:
            self._metrics.bus_lag.set(now - beat.at)
        if beat.says is Says.LEAVES:
            line.pulse.leave(beat.node)
        else:
            line.pulse.hear(beat.node, beat.at, now)
        if beat.says is not Says.HERE and beat.node != self._node:
            self._lose()

    def _tell_senseless(self, name: bytes, error: Exception | None = None) -> None:
        """Once in a while: whoever writes nonsense may write a lot."""
        self._lose()
        self._metrics.bus_senseless.inc()
        now = time.monotonic()
        if now - self._senseless_at > SENSELESS_SECONDS:
            self._senseless_at = now
            log.warning("a payload on %s makes no sense, the store is looked at", name.decode(), exc_info=error)

    def _lose(self) -> None:
        """Now, or with all others that come within GAP_SECONDS."""
        if self._gap_later is not None:
            return
        loop = asyncio.get_running_loop()
        wait = self._gap_at + GAP_SECONDS - loop.time()
        if wait > 0:
            self._gap_later = loop.call_later(wait, self._lose_now)
        else:
            self._lose_now()

    def _lose_now(self) -> None:
        self._gap_later = None
        self._gap_at = asyncio.get_running_loop().time()
        self._metrics.bus_gaps.inc()
        self._on_gap()

    def _drop(self, payloads: int) -> None:
        self.dropped += payloads
        self._metrics.bus_dropped.inc(payloads)
        for line in self._lines.values():
            line.owe()

    def _tell_away(self, error: Exception) -> None:
        """Once, however often and for however many lines it is tried in vain."""
        if not self._is_told_away:
            log.warning("the bus is away, the store is polled: %s %s", type(error).__name__, error)
        self._is_told_away = True
        self._look_again.set()

    def _tell_here(self) -> None:
        """When there is a line to everybody."""
        if self._is_told_away and self._chart.is_whole and all(line.is_up for line in self._lines.values()):
            log.info("the bus is here again")
            self._is_told_away = False

    def _count_published(self, payloads: int) -> None:
        self._metrics.bus_published.inc(payloads)

    def _name(self, channel: str) -> bytes:
        """An account's keys share a hash tag, so that they are on one node of a cluster."""
        return f"{self._prefix}:{{{channel}}}:ledger".encode()


_: type[Bus] = RedisBus
