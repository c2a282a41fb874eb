"""Web origins, compared as parsed scheme, host and port: never as text, never in part."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

_PORTS = {"http": 80, "https": 443}
# What a browser writes: lower or upper case, no user, no path. Names are punycode by then; [::1] is an address.
_SHAPE = re.compile(r"(?i:https?)://(?:[a-zA-Z0-9_.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\])(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Origin:
    """One origin; the port is always there."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        """As browsers write it: without the scheme's own port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port == _PORTS[self.scheme] else f":{self.port}")

    @property
    def socket(self) -> str:
        """The same place for WebSockets, as a Content-Security-Policy names it."""
        return str(self).replace("http", "ws", 1)


def parse_origin(text: str) -> Origin | None:
    """The origin that this header or setting names; None for `null` and for anything with more or less in it."""
    if not _SHAPE.fullmatch(text):
        return None
    try:
        parts = urlsplit(text.lower())
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname or port == 0:
        return None
    return Origin(parts.scheme, parts.hostname, port or _PORTS[parts.scheme])


class Origins:
    """A set of origins that may knock."""

    def __init__(self, origins: Iterable[Origin]) -> None:
        self._origins = frozenset(origins)

    def allow(self, header: str) -> bool:
        """Whether this Origin header names one of them."""
        return parse_origin(header) in self._origins
