"""A shop of somebody else: one page on an origin of its own, with the embed line in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

PAGE = """<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <title>A shop</title>
    <link rel="icon" href="data:,">
    <script async src="{service}/widget.js" data-inbox="{inbox}"></script>
  </head>
  <body style="direction: {direction}">
    <h1>Lamps</h1>
    <button>Buy</button>
    <p><input aria-label="Search"></p>
  </body>
</html>
"""


@dataclass(slots=True)
class Storefront:
    """Serves the same page at every address. `policy` becomes its Content-Security-Policy."""

    port: int = 0
    service: str = ""
    inbox: str = ""
    policy: str = ""
    direction: str = "ltr"

    @property
    def origin(self) -> str:
        """Of the service's site, as chat.shop.example and shop.example are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def far_origin(self) -> str:
        """Of another site, for whose frames Chromium here forbids storage and locks."""
        return f"http://localhost:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        page = PAGE.format(service=self.service, inbox=self.inbox, direction=self.direction)
        head = ["HTTP/1.1 200 OK", "Content-Type: text/html; charset=utf-8", "Connection: close"]
        if self.policy:
            head.append(f"Content-Security-Policy: {self.policy}")
        writer.write("\r\n".join([*head, "", page]).encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def storefront_on_a_free_port() -> AsyncIterator[Storefront]:
    shop = Storefront()
    server = await asyncio.start_server(shop.serve, "127.0.0.1", 0)
    shop.port = server.sockets[0].getsockname()[1]
    yield shop
    server.close()
    await server.wait_closed()
