"""The way from a browser to the node, for real: through nginx as people set it up, right and wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from gateway import app, settings
from gateway.doctor.probe import look
from tests.certificates import a_certificate
from tests.nginx import Nginx, site
from tests.node import Node, a_node
from tests.servers import a_free_port

# The configuration that most people begin with: pages come through.
PAGES = "location / {{ proxy_pass http://127.0.0.1:{node}; }}"
PASSING = """
    location / {{
        proxy_pass http://127.0.0.1:{node};
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;
        proxy_read_timeout {patience};
    }}"""
HELLO_SECONDS = 0.5


@pytest.fixture(autouse=True)
def _quick_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent socket is closed when it is time, not up to a second later."""
    monkeypatch.setattr(app, "TICK_SECONDS", 0.1)


@asynccontextmanager
async def behind(folder: Path, server: str, **filled: object) -> AsyncIterator[tuple[Node, str]]:
    """A node behind an nginx with this in its server block, and the origin that browsers see."""
    front = a_free_port()
    origin = f"{filled.pop('scheme', 'http')}://127.0.0.1:{front}"
    async with a_node(folder / "data", public_url=origin, hello_seconds=HELLO_SECONDS) as node:
        text = f"listen 127.0.0.1:{front} {'ssl' if origin.startswith('https') else ''};\n"
        text += server.format(node=node.port, folder=folder, **{"patience": "60s", **filled})
        nginx = await asyncio.to_thread(Nginx, folder / "nginx", site(folder / "nginx", text), front)
        try:
            yield node, origin
        finally:
            await asyncio.to_thread(nginx.stop)


async def said(node: Node, origin: str, **more: object) -> str:
    """What the doctor says who is run beside this node."""
    values = {"PUBLIC_URL": origin, "PORT": node.port, "HELLO_SECONDS": HELLO_SECONDS, **more}
    chosen = settings.read({f"SHOPBELL_{name}": str(value) for name, value in values.items()})
    return "\n".join(map(str, await look(chosen)))


async def test_a_node_by_itself_is_well(tmp_path: Path) -> None:
    async with a_node(tmp_path, hello_seconds=HELLO_SECONDS) as node:
        text = await said(node, node.origin)

    assert text.startswith(f"ok    {node.origin}: a WebSocket opens")
    assert "closed properly (4005)" in text
    assert "of silence are borne" in text


async def test_a_proxy_that_passes_the_upgrade_on_is_well(tmp_path: Path) -> None:
    async with behind(tmp_path, PASSING) as (node, origin):
        assert (await said(node, origin, TRUSTED_PROXIES="127.0.0.1")).startswith("ok")
        assert "SHOPBELL_TRUSTED_PROXIES isn't set" in await said(node, origin)


async def test_a_proxy_without_the_upgrade_headers_is_told_the_lines(tmp_path: Path) -> None:
    async with behind(tmp_path, PAGES) as (node, origin):
        text = await said(node, origin)

    assert "pages come through, and the WebSocket doesn't" in text
    assert "proxy_set_header Upgrade $http_upgrade" in text


async def test_a_proxy_that_sends_the_socket_elsewhere_is_told(tmp_path: Path) -> None:
    only_some = "location = /readyz {{ proxy_pass http://127.0.0.1:{node}; }} location / {{ return 404; }}"
    async with behind(tmp_path, only_some) as (node, origin):
        assert "knows no /v1/socket" in await said(node, origin)

    to_nobody = PAGES + "location /v1/socket {{ proxy_pass http://127.0.0.1:1; }}"
    async with behind(tmp_path / "again", to_nobody) as (node, origin):
        assert "says 502" in await said(node, origin)


async def test_a_proxy_that_cuts_silence_is_told(tmp_path: Path) -> None:
    async with behind(tmp_path, PASSING, patience="200ms") as (node, origin):
        text = await said(node, origin)

    assert "of silence" in text
    assert "proxy_read_timeout" in text


async def test_another_origin_than_the_nodes_is_told(tmp_path: Path) -> None:
    async with behind(tmp_path, PASSING) as (node, origin):
        assert "another SHOPBELL_PUBLIC_URL" in await said(node, origin.replace("127.0.0.1", "localhost"))


async def test_a_proxy_that_leads_on_to_https_is_told(tmp_path: Path) -> None:
    async with behind(tmp_path, "return 301 https://$host$request_uri;") as (node, origin):
        assert "it leads on to https://127.0.0.1/readyz" in await said(node, origin)


async def test_a_socket_that_is_led_on_is_told_as_browsers_dont_follow(tmp_path: Path) -> None:
    login = "location = /readyz {{ proxy_pass http://127.0.0.1:{node}; }} location / {{ return 302 /login; }}"
    async with behind(tmp_path, login) as (node, origin):
        assert "/login, and WebSockets don't follow" in await said(node, origin)


async def test_a_certificate_that_is_over_or_nobodys_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = "ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;" + PASSING
    certificate, _ = a_certificate(tmp_path)
    async with behind(tmp_path, server, scheme="https") as (node, origin):
        assert "browsers won't trust its certificate: self" in await said(node, origin)

        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert (await said(node, origin)).startswith("ok")

    certificate, _ = a_certificate(tmp_path / "late", ends=-timedelta(days=1))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with behind(tmp_path / "late", server, scheme="https") as (node, origin):
        assert "certificate has expired" in await said(node, origin)


async def test_https_where_there_is_none_is_told(tmp_path: Path) -> None:
    async with behind(tmp_path, PASSING) as (node, origin):
        assert "does this port speak https?" in await said(node, origin.replace("http", "https"))


async def test_a_proxy_without_a_node_and_a_node_without_a_proxy_are_told(tmp_path: Path) -> None:
    async with behind(tmp_path, "location / {{ proxy_pass http://127.0.0.1:1; }}") as (node, origin):
        assert "The node runs: look at the address" in await said(node, origin)
        assert "and the node runs" in await said(node, f"http://127.0.0.1:{a_free_port()}")
        nobody = await said(node, f"http://127.0.0.1:{a_free_port()}", PORT=a_free_port())
    assert "Start `shopbell serve`" in nobody


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (lambda key: b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "the connection is cut"),
        (lambda key: b"HTTP/1.1 200 OK\r\nServer: cache\r\nContent-Length: 2\r\n\r\nhi", "(cache) is 200, not 101"),
        (lambda key: b"no HTTP at all\r\n\r\n", "the connection is cut"),
        (lambda key: b"", "the connection is cut"),
    ],
)
async def test_what_speaks_no_websocket_is_told(answers: Callable[[bytes], bytes], words: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readuntil(b"\r\n\r\n")
        body = b'{"status":"ok"}'
        page = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        writer.write(page if b"/readyz" in asked else answers(asked))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        chosen = settings.read({"SHOPBELL_PUBLIC_URL": f"http://127.0.0.1:{port}", "SHOPBELL_PORT": "1"})
        text = "\n".join(map(str, await look(chosen)))

    assert words in text
