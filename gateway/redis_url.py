"""What a Redis URL says: one server, a primary found by its Sentinels, or a Cluster. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, unquote

Kind = Literal["standalone", "sentinel", "cluster"]
Host = tuple[str, int]

PORT = 6379
SENTINEL_PORT = 26379
_SCHEMES: dict[str, Kind] = {"": "standalone", "+sentinel": "sentinel", "+cluster": "cluster"}
_URL = re.compile(
    r"redis(?P<tls>s?)(?P<kind>\+sentinel|\+cluster|)://(?:(?P<who>[^\s/?#@\x00]*)@)?(?P<hosts>[^\s/?#@\x00]+)"
    r"(?:/(?P<database>[0-9]{0,3}))?(?:\?(?P<options>[^\s#\x00]*))?",
    re.ASCII,
)
_HOST = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<name>[\w.-]+))(?::(?P<port>[0-9]{1,5}))?", re.ASCII)
_FORMS = (
    "redis://<host>[:<port>][/<number>], redis+sentinel://<host>,<host>[/<number>]?service=<name> or "
    "redis+cluster://<host>,<host>, with TLS rediss…"
)
_OF_TLS = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"})
_OF_SENTINEL = frozenset({"service", "sentinel_username", "sentinel_password"})


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """`hosts` are the server, the Sentinels, or some of a Cluster's nodes. Its repr shows no password."""

    kind: Kind
    hosts: tuple[Host, ...]
    database: int = 0
    service: str = ""
    """By which name the Sentinels know the primary."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    is_tls: bool = False
    tls: tuple[tuple[str, str | bool], ...] = ()
    """Options as redis-py names them: ssl_ca_certs and others."""


def parse_redis_url(text: str) -> RedisAddress:
    """Where Redis is. ValueError ends the sentence "it must be …", and shows nothing of what may be a secret."""
    match = _URL.fullmatch(text)
    if match is None:
        raise ValueError(_FORMS)
    kind = _SCHEMES[match["kind"]]
    hosts = tuple(_host(part, SENTINEL_PORT if kind == "sentinel" else PORT) for part in match["hosts"].split(","))
    database = int(match["database"] or 0)
    options = _options(match["options"] or "", kind, is_tls=bool(match["tls"]))
    if kind == "standalone" and len(hosts) > 1:
        raise ValueError("redis:// with one host; redis+sentinel:// and redis+cluster:// may have several")
    if kind == "cluster" and database:
        raise ValueError("redis+cluster:// without the number of a database: a Cluster has only one")
    if kind == "sentinel" and not options.get("service"):
        raise ValueError("redis+sentinel:// with ?service=<name>, by which the Sentinels know the primary")
    username, password = _who(match["who"])
    return RedisAddress(
        kind,
        hosts,
        database,
        options.get("service", ""),
        username,
        password,
        options.get("sentinel_username"),
        options.get("sentinel_password"),
        bool(match["tls"]),
        tuple((name, _value(name, value)) for name, value in sorted(options.items()) if name in _OF_TLS),
    )


def _host(part: str, port: int) -> Host:
    match = _HOST.fullmatch(part)
    if match is None or not 0 < int(match["port"] or port) < 65536:
        raise ValueError(_FORMS)
    return match["v6"] or match["name"], int(match["port"] or port)


def _who(part: str | None) -> tuple[str | None, str | None]:
    username, _, password = (part or "").partition(":")
    return unquote(username) or None, unquote(password) or None


def _options(text: str, kind: Kind, *, is_tls: bool) -> dict[str, str]:
    known = (_OF_TLS if is_tls else frozenset()) | (_OF_SENTINEL if kind == "sentinel" else frozenset())
    options = dict(parse_qsl(text, keep_blank_values=True))
    if not set(options) <= known:  # which one isn't told: it may be part of a password with a ? in it
        have = f"no options but {', '.join(sorted(known))}" if known else "no options"
        raise ValueError(f"a URL with {have} behind the ?; in a password ? is written %3F")
    return options


def _value(name: str, value: str) -> str | bool:
    if name == "ssl_check_hostname":
        if value.lower() not in ("true", "false"):
            raise ValueError("ssl_check_hostname=true or =false")
        return value.lower() == "true"
    if name == "ssl_cert_reqs" and value not in ("required", "optional", "none"):
        raise ValueError("ssl_cert_reqs=required, =optional or =none")
    return value
