"""Refusals: codes that clients may rely on, and which of them are worth another try."""

from __future__ import annotations

import pytest

from chat.errors import REFUSALS, NotFound, RateLimited, Refused, Unavailable

RETRY = {
    "bad_request": False,
    "too_large": False,
    "unknown_type": False,
    "forbidden": False,
    "blocked": False,
    "changed": True,
    "not_found": False,
    "id_reused": False,
    "taken": False,
    "invalid_state": False,
    "full": False,
    "queue_full": False,
    "behind": True,
    "rate_limited": True,
    "busy": True,
    "unavailable": True,
    "internal": True,
}


def test_the_codes_and_whether_a_retry_makes_sense_are_those_of_the_wire() -> None:
    assert {refusal.code: refusal.retry for refusal in REFUSALS} == RETRY


def test_every_refusal_is_in_the_list() -> None:
    ours = {refusal for refusal in Refused.__subclasses__() if refusal.__module__ == Refused.__module__}

    assert ours == set(REFUSALS)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_every_refusal_has_a_sentence_for_people(refusal: type[Refused]) -> None:
    sentence = str(refusal())

    assert sentence[0].isupper()
    assert sentence.endswith(".")


def test_a_refusal_may_say_what_is_at_fault_and_when_to_try_again() -> None:
    refused = NotFound("No such door.", field="inbox")

    assert (str(refused), refused.field) == ("No such door.", "inbox")
    assert RateLimited(after_ms=1200).after_ms == 1200


def test_an_engine_that_is_away_is_no_refusal() -> None:
    assert not issubclass(Unavailable, Refused)
