"""From where somebody comes: nobody can choose it, and nobody has more than one."""

import pytest

from gateway.address import Addresses, network


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("", "?"),
        ("not:an:address", "not:an:address"),
        ("x" * 500, "x" * 64),
    ],
)
def test_one_line_is_one_key(host: str, key: str) -> None:
    assert network(host) == key


def test_without_proxies_nobody_is_believed_and_the_log_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    addresses = Addresses(())

    for _ in range(3):
        assert addresses.of("198.51.100.7", ["203.0.113.9"]) == "198.51.100.7"
    assert len([line for line in caplog.messages if "SHOPBELL_TRUSTED_PROXIES" in line]) == 1
    assert not addresses.is_proxy("198.51.100.7")


def test_a_trusted_proxy_is_believed_and_what_its_client_made_up_is_not() -> None:
    addresses = Addresses(("10.0.0.0/8", "192.0.2.1"))

    assert addresses.of("10.1.2.3", ["203.0.113.9"]) == "203.0.113.9"
    assert addresses.of("192.0.2.1", ["1.1.1.1, 203.0.113.9"]) == "203.0.113.9"
    assert addresses.of("10.1.2.3", ["1.1.1.1", "203.0.113.9, 10.9.9.9"]) == "203.0.113.9"
    assert addresses.of("10.1.2.3", ["[2001:db8:1:2::9]:4711"]) == "2001:db8:1:2::/64"
    assert addresses.of("10.1.2.3", []) == "10.1.2.3"
    assert addresses.of("10.1.2.3", [""]) == "10.1.2.3"
    assert addresses.of("198.51.100.7", ["203.0.113.9"]) == "198.51.100.7"
    assert addresses.is_proxy("10.1.2.3")
