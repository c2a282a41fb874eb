"""Where somebody comes from, as far as limits care: one key per customer's line, believed from trusted proxies only."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from ipaddress import AddressValueError, IPv6Address
from typing import Any, cast

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

log = logging.getLogger("gateway.address")

UNKNOWN = "?"
LONGEST = 64  # characters; what isn't an address comes from a proxy that writes something else


class Addresses:
    """The same rules for sockets as uvicorn has for HTTP: X-Forwarded-For counts when a trusted proxy sent it."""

    def __init__(self, trusted: Sequence[str]) -> None:
        self._proxies = ProxyHeadersMiddleware(cast("Any", None), list(trusted)).trusted_hosts
        self._has_warned = False

    def of(self, peer: str, forwarded: Sequence[str]) -> str:
        """The key of who is behind a connection from `peer` with these X-Forwarded-For headers."""
        if forwarded and peer in self._proxies:
            host, _ = self._proxies.get_trusted_client_address(", ".join(forwarded))
            return network(host or peer)
        if forwarded and not self._has_warned:  # once: strangers may send it too
            self._has_warned = True
            log.warning("X-Forwarded-For of %s isn't believed; a proxy belongs into SHOPBELL_TRUSTED_PROXIES", peer)
        return network(peer)

    def is_proxy(self, peer: str) -> bool:
        """Whether many come through this one."""
        return peer in self._proxies


def network(host: str) -> str:
    """An IPv4 address is itself; of an IPv6 address the first 64 bits count, as every customer has the rest."""
    if ":" not in host:
        return host[:LONGEST] or UNKNOWN
    try:
        address = IPv6Address(host.partition("%")[0])
    except AddressValueError:
        return host[:LONGEST]
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> 64 << 64)) + "/64"
