"""Errors say in one sentence what happened."""

import pytest

from bots.errors import Closed, Refused, ShopbellError, Unsettled


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (Refused("taken"), "taken"),
        (Refused("bad_request", "too long", field="text"), "bad_request (text): too long"),
        (Closed(4010, "revoked"), "closed (4010) revoked"),
        (Closed(reason="the client was closed"), "the client was closed"),
        (Closed(), "closed"),
    ],
)
def test_an_error_reads_as_a_sentence(error: ShopbellError, sentence: str) -> None:
    assert str(error) == sentence


def test_an_unsettled_ask_is_a_timeout() -> None:
    assert issubclass(Unsettled, TimeoutError)
