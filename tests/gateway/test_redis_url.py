"""Which URLs mean which Redis, and that a bad one is refused without showing what may be a secret."""

from __future__ import annotations

import pytest

from gateway.redis_url import RedisAddress, parse_redis_url

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis://cache", RedisAddress("standalone", (("cache", 6379),))),
        ("redis://cache/", RedisAddress("standalone", (("cache", 6379),))),
        ("redis://cache:7000/3", RedisAddress("standalone", (("cache", 7000),), 3)),
        ("redis://[2001:db8::1]:7000", RedisAddress("standalone", (("2001:db8::1", 7000),))),
        (
            "redis://bell:p%40ss%3Fw%2Frd@cache",
            RedisAddress("standalone", (("cache", 6379),), username="bell", password="p@ss?w/rd"),
        ),
        ("redis://:secret@cache", RedisAddress("standalone", (("cache", 6379),), password="secret")),
        (
            "rediss://cache?ssl_ca_certs=/etc/ca.pem&ssl_check_hostname=false",
            RedisAddress(
                "standalone",
                (("cache", 6379),),
                is_tls=True,
                tls=(("ssl_ca_certs", "/etc/ca.pem"), ("ssl_check_hostname", False)),
            ),
        ),
        (
            "redis+sentinel://one,two:7001/2?service=bell",
            RedisAddress("sentinel", (("one", 26379), ("two", 7001)), 2, "bell"),
        ),
        (
            "rediss+sentinel://a:b@one?service=bell&sentinel_username=c&sentinel_password=d%2B&ssl_cert_reqs=none",
            RedisAddress(
                "sentinel",
                (("one", 26379),),
                0,
                "bell",
                "a",
                "b",
                "c",
                "d+",
                is_tls=True,
                tls=(("ssl_cert_reqs", "none"),),
            ),
        ),
        (
            "redis+cluster://one:7001,two,[::1]:7003/0",
            RedisAddress("cluster", (("one", 7001), ("two", 6379), ("::1", 7003))),
        ),
    ],
)
def test_a_url_says_where_redis_is(url: str, address: RedisAddress) -> None:
    assert parse_redis_url(url) == address


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "redis://<host>"),
        ("http://cache", "redis://<host>"),
        ("redis://", "redis://<host>"),
        ("redis://cache:0", "redis://<host>"),
        ("redis://cache:70000", "redis://<host>"),
        ("redis://cache/name", "redis://<host>"),
        ("redis://cache/1/2", "redis://<host>"),
        ("redis://one,", "redis://<host>"),
        (f"redis://:{SECRET}/@cache", "redis://<host>"),
        (f"redis://:{SECRET}#@cache", "redis://<host>"),
        ("redis://one,two", "with one host"),
        ("redis+sentinel://one", r"\?service=<name>"),
        ("redis+sentinel://one?service=", r"\?service=<name>"),
        ("redis+cluster://one/1", "only one"),
        ("redis://one?db=1", "no options behind"),
        ("redis://one?ssl_ca_certs=ca.pem", "no options behind"),
        (f"redis://one?password={SECRET}", "no options behind"),
        (f"redis://who:pass?{SECRET}@cache", "redis://<host>|no options behind"),
        ("rediss://one?ssl_chek=1", "ssl_ca_certs, ssl_cert_reqs"),
        ("rediss://one?ssl_check_hostname=perhaps", "=true or =false"),
        ("rediss://one?ssl_cert_reqs=some", "=required, =optional or =none"),
    ],
)
def test_what_makes_no_sense_is_refused_without_showing_it(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        parse_redis_url(url)

    assert SECRET not in str(caught.value)


def test_an_address_can_be_logged() -> None:
    address = parse_redis_url(f"redis+sentinel://bell:{SECRET}@one?service=s&sentinel_password={SECRET}")

    assert address.password == address.sentinel_password == SECRET
    assert SECRET not in repr(address)
