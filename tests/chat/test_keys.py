"""Ids and secrets."""

from chat import keys


def test_no_two_ids_are_the_same_and_each_says_what_it_is_of() -> None:
    ids = {keys.fresh_id("con") for _ in range(1000)}

    assert len(ids) == 1000
    assert all(len(one) == 28 and one.startswith("con_") for one in ids)


def test_a_fingerprint_is_stable_and_shows_nothing_of_its_secret() -> None:
    secret = keys.fresh_secret(keys.SESSION_PREFIX)

    assert keys.fingerprint(secret) == keys.fingerprint(secret)
    assert len(keys.fingerprint(secret)) == 32
    assert secret[4:].encode() not in keys.fingerprint(secret)


def test_a_fingerprint_can_be_taken_of_whatever_a_stranger_sends() -> None:
    assert keys.fingerprint("\ud800\x00") != keys.fingerprint("")
