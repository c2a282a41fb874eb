"""Origins: parsed and compared whole, so that nothing that merely looks like ours gets in."""

import pytest

from gateway.origins import Origin, Origins, parse_origin

OURS = Origins([Origin("https", "chat.example", 443), Origin("http", "localhost", 8000)])


@pytest.mark.parametrize(
    "header",
    ["https://chat.example", "https://chat.example:443", "HTTPS://Chat.Example", "http://localhost:8000"],
)
def test_our_own_origins_are_let_in_however_they_are_written(header: str) -> None:
    assert OURS.allow(header)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "null",
        "*",
        "http://chat.example",
        "https://chat.example:8443",
        "https://chat.example.evil.test",
        "https://evil-chat.example",
        "https://evil.test/https://chat.example",
        "https://chat.example@evil.test",
        "https://chat.example/",
        "https://chat.example/path",
        "https://chat.example?x",
        "https://chat.example#x",
        "https://chat.example:443:443",
        "https://chat.example:99999",
        "https://chat.example:0",
        "https://chat.example:",
        "https://chat.example, https://evil.test",
        "https://chat.example https://evil.test",
        " https://chat.example",
        "https://chat.example\n",
        "https:\\\\chat.example",
        "https://chat%2eexample",
        "https://сhat.example",
        "//chat.example",
        "chat.example",
        "file://",
        "chrome-extension://chat.example",
        "http://localhost",
        "http://localhost:80",
        "https://[::1",
        "https://[::zz]",
    ],
)
def test_nothing_else_is_let_in(header: str) -> None:
    assert not OURS.allow(header)


@pytest.mark.parametrize(
    "text", ["https://chat.example", "http://localhost:8000", "http://[::1]:8000", "http://10.0.0.1"]
)
def test_an_origin_is_written_as_browsers_write_it(text: str) -> None:
    assert str(parse_origin(text)) == text


def test_an_origin_knows_its_sockets() -> None:
    assert Origin("https", "chat.example", 443).socket == "wss://chat.example"
    assert Origin("http", "localhost", 8000).socket == "ws://localhost:8000"
