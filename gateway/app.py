"""The composition root: what a node is made of. Everybody gets what they use; `engines.py` knows every engine."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from importlib.metadata import version
from typing import Any, cast

import uvicorn
import uvloop
from msgspec.structs import replace
from starlette.routing import BaseRoute

from chat.audit import Audit
from chat.clock import Clock, SystemClock
from chat.directory import Directory
from chat.errors import Unavailable
from chat.finder import Finder
from chat.floors import Floors
from chat.gather import BatchLimits
from chat.identities import Identities
from chat.ledger import Ledger
from chat.model import ActorKind
from chat.passwords import Passwords
from chat.promises import Promises
from chat.reading import Reading
from chat.retention import Retention
from chat.sealing import Sealer
from chat.sessions import Sessions
from chat.store import Store
from chat.timers import Timers
from chat.totp import Totps
from chat.uploads import Uploads
from gateway import pages
from gateway.address import Addresses
from gateway.admission import Admission, HandshakeLimits
from gateway.api import (
    availability,
    backoffice,
    conversations,
    health,
    keys,
    login,
    me,
    search,
    session,
    staff,
    token,
    totp,
    uploads,
)
from gateway.api.asker import Askers
from gateway.api.login import Logins
from gateway.arrivals import Arrivals, Desk
from gateway.asking import Asking
from gateway.auth import Doorkeeper, Tokens
from gateway.budget import Budget, limited
from gateway.dispatch import Dispatch
from gateway.drain import DrainingServer, DrainTimes, drain
from gateway.duty import NodeDuty
from gateway.engines import new_bus, new_debts, new_presence, new_redis, open_store
from gateway.files.intake import Intake, IntakeLimits
from gateway.files.links import Links
from gateway.files.pictures import Pictures
from gateway.files.serving import Serving
from gateway.files.store import FileStore
from gateway.files.sweep import Sweep
from gateway.http import application
from gateway.hub import Hub
from gateway.indexing import Indexing
from gateway.line import Line
from gateway.metrics import new_metrics
from gateway.origins import Origins
from gateway.outbox import OutboxLimits
from gateway.prospects import Prospects
from gateway.protocol import CloseCode
from gateway.queues import Queues
from gateway.relay import Relay
from gateway.requests import Pending, RequestProtocol
from gateway.retention import RETENTION_SECONDS, Forgetting
from gateway.revocation import Revocations
from gateway.roll import Roll
from gateway.secret import kept_secrets
from gateway.session import SessionLimits
from gateway.settings import Settings
from gateway.sharing import NewMeter, Sharing
from gateway.sign_in import SignIns
from gateway.signals import Signals
from gateway.socket import Dirty, Node, Socket
from gateway.stream import SWEEP_SECONDS
from gateway.switchboard import Switchboard
from gateway.tasks import Tasks, end
from gateway.throttle import Throttle
from gateway.timers import Alarms
from gateway.wheel import Wheel
from gateway.workers import follow_parent
from presence import Times
from presence.rounds import Rounds

log = logging.getLogger("gateway.app")

PRESENCE = Times()
TICK_SECONDS = 1.0
OLD_SESSIONS_SECONDS = 300.0
BACKLOG = 8192  # connections that the kernel holds for us while thousands come back at once
COLLECT = (20_000, 20, 50)  # a batch makes thousands of tuples and lists that die by themselves
FILE_SWEEP_SECONDS = 600.0
# Contacts who come back in one moment and are read together: a statement to PostgreSQL is a way to it and back. SQLite
# is in this process, and each read of it takes a turn of the loop.
TOGETHER = 32
SHUTDOWN_SECONDS = 5  # for requests under way after the drain


class Shopbell:
    """One node: its parts put together, its tasks, its server."""

    def __init__(self, settings: Settings, store: Store, clock: Clock) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._tasks = Tasks()
        metrics = new_metrics()
        dirty = Dirty()
        hub = Hub(self._later, dirty.flush)
        reading = Reading(store)
        self._bus = new_bus(settings.bus, metrics)
        switchboard = Switchboard(self._bus, dirty.flush, metrics.bus_unknown)
        self._redis = new_redis(settings.presence)
        presence = new_presence(self._redis, clock.ticks, PRESENCE)
        self._sharing = Sharing(new_debts(self._redis, clock.ticks), clock, metrics)
        new_meter = self._sharing.meter
        self._relay = Relay(hub, self._bus, switchboard, reading, dirty.flush, metrics)
        self._signals = Signals(hub, switchboard, reading, dirty.flush, metrics, clock)
        rounds = Rounds(presence, clock.ticks, times=PRESENCE, version=version("shopbell"))
        duty = NodeDuty(rounds)
        limits = BatchLimits(settings.batch_asks, settings.batch_ms / 1000, settings.gather_asks, settings.gather_bytes)
        lanes = settings.lanes if settings.is_on_postgres else 1
        self.ledger = Ledger(store, clock, self._relay.settle, limits, lanes=lanes, duty=duty)
        self._relay.connect(self.ledger)
        store.listen(self._begin_anew)
        self._indexing = Indexing(store, clock, lambda: self.ledger.is_at_work)
        self.asking = Asking(self._relay.submit)
        self._roll = Roll(rounds, switchboard, dirty.flush, clock.ticks)
        prospects = Prospects(Promises(store), duty, clock)
        self._dispatch = self._relay.follower = Dispatch(
            floors=Floors(store),
            duty=duty,
            rounds=rounds,
            switchboard=switchboard,
            queues=Queues(prospects.show, prospects.look, hub.contacts),
            prospects=prospects,
            ask=self.asking.ask,
            follow=self._relay.follow,
            is_bus_healthy=lambda: self._bus.is_healthy,
            flush=dirty.flush,
            clock=clock,
        )
        self._alarms = Alarms(Timers(store), self._dispatch.ring, clock)
        self._wheel = Wheel(settings.ping_seconds, settings.pong_seconds, dirty.flush)
        origins = Origins(settings.public_url)
        addresses = Addresses(settings.trusted_proxies)
        admission = Admission(
            origins,
            addresses,
            clock,
            metrics,
            HandshakeLimits(
                settings.handshakes_per_second,
                settings.unauthenticated_sockets,
                new_meter("connects", settings.rate_address_connects),
                settings.unauthenticated_per_address,
            ),
        )
        line = Line(clock)
        self.pending = Pending(self._wheel, line, clock, addresses, admission.shed)
        self.node = Node(
            relay=self._relay,
            signals=self._signals,
            hub=hub,
            wheel=self._wheel,
            line=line,
            clock=clock,
            admission=admission,
            outbox=OutboxLimits(settings.outbox_frames, settings.outbox_bytes, settings.outbox_seconds),
            frame_bytes=settings.frame_bytes,
            hello_seconds=settings.hello_seconds,
            dirty=dirty,
            metrics=metrics,
        )
        directory = Directory(store, clock)
        sessions = Sessions(
            store, clock, contact_life=settings.contact_session_seconds, agent_life=settings.agent_session_seconds
        )
        secret, *older = settings.secrets or kept_secrets(settings.data)
        tokens = Tokens(secret, clock, settings.token_seconds, older)
        self._sessions = sessions
        self._revocations = Revocations(lambda: self.node.sockets, sessions.standing, switchboard, dirty.flush)
        sealer = Sealer(secret, *older)
        identities = Identities(store, clock, sealer)
        sign_ins = SignIns(identities, sessions, clock, self.asking.ask, self._revocations.close)
        self._doorkeeper = Doorkeeper(tokens, sessions)
        limits_of_peers = _limits(settings, new_meter)
        vouched = replace(limits_of_peers["contact"], longer=None)  # by the same meter, but no second look
        self.node.doorman = self._arrivals = Arrivals(
            Desk(
                lambda: store.epoch,
                round(settings.ping_seconds * 1000),
                settings.frame_bytes,
                limits_of_peers,
                new_meter("hellos", settings.rate_hellos),
                vouched,
            ),
            identify=self._doorkeeper.identify,
            revoked=lambda: self._revocations.count + self._relay.follows,
            reading=reading,
            together=TOGETHER if settings.is_on_postgres else 1,
            follow=self._relay.follow,
            reach=self._relay.streams.reach,
            roll=self._roll,
            dispatch=self._dispatch,
            tasks=self._tasks,
            clock=clock,
            flush=dirty.flush,
            metrics=metrics,
        )
        askers, passwords = Askers(sessions, directory, origins), Passwords()
        totps = Totps(store, clock, sealer)
        failures = new_meter("failed_logins", settings.rate_failed_logins)
        throttle = Throttle(failures, partial(self._sharing.confirm, "failed_logins"), clock)
        logins = Logins(directory, passwords, totps, throttle)
        rows, files = Uploads(store, clock), FileStore(settings.files)
        self.files = Sweep(rows, files, clock)
        self._forgetting = Forgetting(Retention(store), clock)
        intake = Intake(rows, files, Pictures(), _intake_limits(settings), metrics)
        self.routes: list[BaseRoute] = [
            *health.routes(
                lambda: admission.is_draining,
                partial(reading.cursors, []),
                metrics.render,
                settings.metrics_token.reveal() if settings.metrics_token else None,
                is_bus_healthy=lambda: self._bus.is_here,
            ),
            *session.routes(directory, sessions, sign_ins, tokens, origins),
            *login.routes(
                directory,
                sessions,
                logins,
                askers,
                origins,
                lambda ended: self._revocations.close(ended.actor.account, session=ended.id),
                life=settings.agent_session_seconds,
                is_https=settings.is_https,
            ),
            *me.routes(directory, askers),
            *token.routes(askers, tokens, origins),
            *totp.routes(directory, totps, logins, askers, Audit(store, clock)),
            *keys.routes(identities, askers, Audit(store, clock)),
            *conversations.routes(reading, directory, askers),
            *staff.routes(directory, askers),
            *search.routes(Finder(store), askers),
            *uploads.routes(rows, intake, Serving(files, metrics.download_bytes), Links(secret, clock), askers),
            *availability.routes(directory, askers, clock, self._dispatch.floor, prospects.show, prospects.look),
            *backoffice.routes(
                store,
                clock,
                askers,
                directory,
                logins,
                passwords,
                self.asking,
                self._revocations.close,
                self.files.delete_of_contact,
                settings.public_url[0],
                origins,
                self._dispatch.administered,
            ),
            *pages.routes(directory, settings.public_url, pages.Built()),
        ]
        self.http = application(
            self.routes,
            metrics,
            limited(_budget(settings, new_meter), clock, metrics),
            is_https=settings.is_https,
        )

    async def run(self, listener: socket.socket) -> None:
        """Serve until a signal comes. A task of ours that ends by itself is a bug and ends the process."""
        async with asyncio.TaskGroup() as group:
            batches = group.create_task(self.ledger.run())
            indexing = group.create_task(self._indexing.run())
            roll = group.create_task(self._roll.run())
            others = [
                group.create_task(self._bus.run()),
                group.create_task(self._signals.run()),
                group.create_task(self._dispatch.run()),
                group.create_task(self._sharing.run()),
                group.create_task(self._relay.streams.run()),
                group.create_task(self._every(TICK_SECONDS, self._tick)),
                group.create_task(self._every(SWEEP_SECONDS, self._relay.let_go)),
                group.create_task(self._every(FILE_SWEEP_SECONDS, self.files.run)),
                group.create_task(self._every(RETENTION_SECONDS, self._forgetting.run)),
                group.create_task(self._revocations.run()),
                group.create_task(self._every(OLD_SESSIONS_SECONDS, self._sweep_sessions)),
                group.create_task(self._every(TICK_SECONDS, self._alarms.ring)),
            ]
            gc.collect()
            gc.freeze()  # what is here now stays: the collector needn't look at it again
            gc.set_threshold(*COLLECT)
            server = DrainingServer(self._config(), self._start_drain)
            log.info("serving on http://%s:%d", *listener.getsockname()[:2])
            await server.serve([listener])
            self.ledger.stop()
            await batches
            self._indexing.stop()
            await indexing
            await end([roll])
            await self._roll.close()  # the bus still takes what it says to the other nodes
            await end(others)
        await self._tasks.close()
        await self._relay.streams.aclose()
        await self._arrivals.close()
        await self._doorkeeper.close()
        if self._redis is not None:
            await self._redis.aclose()
        await self._bus.close()
        await self._store.close()

    def _config(self) -> uvicorn.Config:
        """`http` and `ws` are called for each connection: any callable will do, though the types know classes only."""
        settings = self._settings
        return uvicorn.Config(
            self.http,
            http=cast("Any", partial(RequestProtocol, self.pending)),
            ws=cast("Any", self._socket),
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=BACKLOG,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )

    def _socket(self, *, server_state: Any, **_: object) -> Socket:
        """What uvicorn calls for each upgrade."""
        return Socket(self.node, server_state.connections)

    def _start_drain(self) -> asyncio.Task[None]:
        self._roll.drain()
        self._dispatch.drain()
        settings = self._settings
        times = DrainTimes(
            settings.drain_spread_seconds,
            settings.drain_wait_seconds,
            settings.drain_flush_seconds,
            is_alone=settings.is_alone,
        )
        return asyncio.get_running_loop().create_task(drain(self.node, self.ledger, times, self._clock))

    def _begin_anew(self) -> None:
        """The store's history is another one. Who comes back and says which it knew is told to forget it."""
        self.ledger.forget()
        self._relay.begin_anew()
        for peer in list(self.node.sockets):
            if peer.proof:
                peer.close(CloseCode.RESTORED)
        self.node.dirty.flush()

    def _later(self, seconds: float, call: Callable[[], None]) -> object:
        return asyncio.get_running_loop().call_later(seconds, call)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        while True:
            await asyncio.sleep(seconds)
            await work()

    async def _sweep_sessions(self) -> None:
        with suppress(Unavailable):  # then the next time
            await self._sessions.sweep()

    async def _tick(self) -> None:
        self._relay.positions.tick()
        await self._wheel.tick(self._clock.ticks())


def _limits(settings: Settings, new_meter: NewMeter) -> Mapping[ActorKind, SessionLimits]:
    return {
        "contact": SessionLimits(
            settings.inflight_contact,
            new_meter("contact.messages", settings.rate_contact_messages),
            new_meter("contact.frames", settings.rate_contact_frames),
            new_meter("contact.anonymous", settings.rate_anonymous_messages),
        ),
        "agent": SessionLimits(
            settings.inflight_staff,
            new_meter("agent.messages", settings.rate_agent_messages),
            new_meter("agent.frames", settings.rate_staff_frames),
        ),
        "bot": SessionLimits(
            settings.inflight_staff,
            new_meter("bot.messages", settings.rate_bot_messages),
            new_meter("bot.frames", settings.rate_bot_frames),
        ),
    }


def _budget(settings: Settings, new_meter: NewMeter) -> Budget:
    return {
        "requests": new_meter("requests", settings.rate_address_requests),
        "sessions": new_meter("sessions", settings.rate_address_sessions),
        "logins": new_meter("logins", settings.rate_address_logins),
        "uploads": new_meter("uploads", settings.rate_address_uploads),
    }


def _intake_limits(settings: Settings) -> IntakeLimits:
    return IntakeLimits(
        settings.upload_bytes,
        settings.upload_types,
        settings.upload_seconds,
        settings.upload_bytes_per_second,
        settings.uploads_per_actor,
        settings.uploads_per_address,
        settings.uploads_at_once,
    )


def listen(host: str, port: int, *, is_shared: bool = False) -> socket.socket:
    """Our own, as uvicorn ends the process when an address is in use. A shared one is other workers' too."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG, reuse_port=is_shared)


def serve(settings: Settings, *, is_worker: bool = False) -> None:
    """Run one node until SIGTERM or Ctrl-C; as one of several workers, also until their parent is gone. Raises
    Unavailable when the database can't be had, OSError when the address can't."""

    async def main() -> None:
        with listen(settings.host, settings.port, is_shared=is_worker) as listener:
            store = await open_store(settings)
            shopbell = Shopbell(settings, store, SystemClock())
            if is_worker:
                follow_parent(lambda: shopbell.node.admission.is_draining)
            await shopbell.run(listener)

    uvloop.run(main())
