"""The application: long text is compressed, short answers and secrets aren't, slashes aren't guessed."""

from gateway.http import GZIP_FROM
from tests.shop import Shop, in_a_shop


@in_a_shop
async def test_what_is_long_is_compressed(shop: Shop) -> None:
    client = await shop.agents_client()
    for number in range(20):
        await shop.conversation(shop.mine, f"con_{number}")

    answer = await client.get("/v1/conversations")

    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.json()["conversations"]) == 20


@in_a_shop
async def test_answers_with_secrets_never_are(shop: Shop) -> None:
    await shop.directory.add_inbox(shop.mine.id, "n" * 200, public_key="k" * 200)

    answer = await shop.client.post("/v1/session", json={"inbox": "k" * 200, "session": "s" * 1000})

    assert answer.status_code == 200
    assert len(answer.content) < GZIP_FROM
    assert "content-encoding" not in answer.headers


@in_a_shop
async def test_a_path_with_a_slash_too_many_is_not_there(shop: Shop) -> None:
    answer = await shop.client.get("/healthz/", headers={"host": "evil.test"})

    assert answer.status_code == 404
    assert "location" not in answer.headers


@in_a_shop
async def test_a_socket_whose_upgrade_was_taken_away_is_told_so(shop: Shop) -> None:
    answer = await shop.client.get("/v1/socket")

    assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")
    assert "a proxy on the way" in answer.text
