"""The nginx configuration that we ship, run as it is but for ports and paths: what it promises, it does."""

from __future__ import annotations

import asyncio
import ssl
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bots import Client
from gateway import app, settings
from gateway.doctor.probe import look
from tests.certificates import a_certificate
from tests.nginx import Nginx, Ports, directive, shipped
from tests.node import Node, a_node
from tests.peer import Answer, Peer
from tests.servers import a_free_port

DEFAULTS = settings.read({})


@dataclass
class Behind:
    """A node behind nginx, as the first of two; the second is away."""

    node: Node
    ports: Ports
    certificate: Path
    _claims: Iterator[int] = field(default_factory=lambda: iter(range(1, 255)))

    @property
    def origin(self) -> str:
        return f"https://127.0.0.1:{self.ports.tls}"

    async def peer(self) -> Peer:
        """A browser that has shaken hands."""
        return await Peer.connect(self.ports.plain, origin=f"http://127.0.0.1:{self.ports.plain}")

    async def knock(self, stack: AsyncExitStack, address: str) -> int:
        """The status that a browser gets from this address, which claims to be another's. It stays until the end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ports.plain, local_addr=(address, 0))
        stack.push_async_callback(_end, writer)
        lines = [
            "GET /v1/socket HTTP/1.1",
            "Host: 127.0.0.1",
            f"Origin: http://127.0.0.1:{self.ports.plain}",
            f"X-Forwarded-For: 203.0.113.{next(self._claims)}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        return int((await reader.readuntil(b"\r\n\r\n")).split()[1])

    async def get(self, url: str) -> tuple[int, str]:
        """Status and Location of a page, redirects not followed."""
        return await asyncio.to_thread(self._get, url)

    def _get(self, url: str) -> tuple[int, str]:
        context = ssl.create_default_context(cafile=str(self.certificate))
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _Stay)
        try:
            with opener.open(url, timeout=10) as answer:
                return answer.status, ""
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers.get("Location", "")


async def _end(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


@asynccontextmanager
async def behind(folder: Path, lines: dict[str, str] | None = None, **chosen: object) -> AsyncIterator[Behind]:
    """One node behind nginx; the other one that it knows is away."""
    async with two_behind(folder, None, lines, **chosen) as (it, _):
        yield it


@asynccontextmanager
async def two_behind(
    folder: Path, second: str | None = "second", lines: dict[str, str] | None = None, **chosen: object
) -> AsyncIterator[tuple[Behind, Node | None]]:
    """Two nodes behind nginx, or the second is away."""
    tls, plain = a_free_port(), a_free_port()
    public = f"https://127.0.0.1:{tls}, http://127.0.0.1:{plain}"
    values: dict[str, Any] = {"public_url": public, "trusted_proxies": "127.0.0.1", **chosen}
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(a_node(folder / "first", **values))
        await node.eventually(node._takes_signals)  # before the next one starts: each has the signals until it ends
        other = await stack.enter_async_context(a_node(folder / second, beside=node, **values)) if second else None
        ports = Ports((node.port, other.port if other else a_free_port()), tls, plain)
        certificate = a_certificate(folder)
        text = shipped(folder / "nginx", ports, certificate, **(lines or {}))
        nginx = await asyncio.to_thread(Nginx, folder / "nginx", text, tls)
        stack.push_async_callback(asyncio.to_thread, nginx.stop)
        yield Behind(node, ports, certificate[0]), other


async def test_pages_and_sockets_come_through_and_the_doctor_finds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "TICK_SECONDS", 0.1)
    async with behind(tmp_path, hello_seconds=0.5) as it:
        monkeypatch.setenv("SSL_CERT_FILE", str(it.certificate))
        async with Client(it.origin, it.node.mine.bot_token, origin=it.origin) as bot:
            await bot.synced()
        environment = {"PUBLIC_URL": it.origin, "TRUSTED_PROXIES": "127.0.0.1", "HELLO_SECONDS": "0.5"}
        (finding,) = await look(settings.read({f"SHOPBELL_{name}": value for name, value in environment.items()}))

        assert finding.level == "ok", finding
        assert await it.get(f"{it.origin}/healthz") == (200, "")
        redirect = await it.get(f"http://127.0.0.1:{it.ports.redirect}/console/")
        assert redirect == (301, "https://127.0.0.1/console/")
        assert (await it.get(f"{it.origin}/metrics"))[0] == 404, "how busy the shop is, is nobody's business"


async def test_limits_are_per_customer_and_neither_per_proxy_nor_per_claim(tmp_path: Path) -> None:
    async with behind(tmp_path, unauthenticated_per_address="2") as it, AsyncExitStack() as stack:
        first = [await it.knock(stack, "127.0.0.2") for _ in range(3)]
        second = await it.knock(stack, "127.0.0.3")

    assert first == [101, 101, 429]
    assert second == 101


async def test_a_node_that_is_away_is_passed_over(tmp_path: Path) -> None:
    async with behind(tmp_path) as it:  # every second connection would be the other node's
        for _ in range(6):
            (await it.peer()).leave()


async def test_a_node_that_stops_is_passed_over_and_two_that_do_say_so(tmp_path: Path) -> None:
    async with two_behind(tmp_path) as (it, other):
        it.node.shopbell.node.admission.is_draining = True
        for _ in range(6):
            (await it.peer()).leave()

        assert other is not None
        other.shopbell.node.admission.is_draining = True
        with pytest.raises(Answer) as refused:
            await it.peer()
    assert refused.value.status == 503


async def test_silence_is_borne_as_long_as_pings_are_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "TICK_SECONDS", 0.1)
    async with behind(tmp_path, {"proxy_read_timeout": "1500ms"}, ping_seconds="0.6", pong_seconds="0.5") as it:
        peer, silent = await it.peer(), await it.peer()
        await peer.hello(it.node.token(await it.node.contact_session()))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.5):
                await peer.until("nothing that is ever said")  # it answers pings meanwhile

        assert await silent.closed() is None, "nobody pings who hasn't said hello"
        peer.leave()


def test_the_times_and_sizes_fit_those_of_the_nodes() -> None:
    seconds = int(directive("proxy_read_timeout").removesuffix("s"))

    assert seconds > 2 * DEFAULTS.ping_seconds + DEFAULTS.pong_seconds
    assert int(directive("client_max_body_size").removesuffix("m")) * 1024**2 > DEFAULTS.upload_bytes
    assert int(directive("worker_rlimit_nofile")) > 2 * int(directive("worker_connections"))
