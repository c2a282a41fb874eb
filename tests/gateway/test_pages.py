"""Pages and built files: escaped, framed by whom the inbox allows, kept as long as is safe."""

import json
from pathlib import Path

import pytest

from gateway.pages import Built
from tests.shop import Shop, in_a_shop

FILES = {
    "frame.html": '<p data-inbox="{{inbox}}">{{inbox_name}}</p>',
    "console.html": "<p>console</p>",
    "demo.html": '<script src="/widget.js" data-inbox="{{inbox}}"></script>',
    "home.html": "<p>start with {{inbox}}</p>",
    "widget.js": "loader()",
    "console.ABCD1234.js": "console()" * 1000,
    "console.ABCD1234.css": "p{}",
    "notes.txt": "not for browsers",
    "manifest.json": json.dumps(
        {"widget.js": "widget.js", "console.js": "console.ABCD1234.js", "console.css": "console.ABCD1234.css"}
    ),
}


def build(shop: Shop) -> None:
    static = shop.folder / "static"
    static.mkdir(exist_ok=True)
    for name, text in FILES.items():
        (static / name).write_text(text)


def directives(policy: str) -> dict[str, str]:
    return {name: rest for name, _, rest in (part.partition(" ") for part in policy.split("; "))}


@in_a_shop
async def test_without_a_build_the_page_says_what_to_do(shop: Shop) -> None:
    answer = await shop.client.get("/console/")

    assert answer.status_code == 503
    assert "make build" in answer.text


@in_a_shop
async def test_a_build_that_comes_while_we_run_is_served(shop: Shop) -> None:
    await shop.client.get("/console/")
    build(shop)

    assert (await shop.client.get("/console/")).text == "<p>console</p>"


@in_a_shop
async def test_a_frame_names_its_inbox_and_is_escaped(shop: Shop) -> None:
    build(shop)
    await shop.directory.add_inbox(shop.mine.id, '<b>"Tea" & co</b>', public_key="tea")

    answer = await shop.client.get("/widget/tea")

    assert answer.text == '<p data-inbox="tea">&lt;b&gt;&quot;Tea&quot; &amp; co&lt;/b&gt;</p>'


@in_a_shop
async def test_a_frame_is_embedded_by_its_inboxs_origins_and_ours_alone(shop: Shop) -> None:
    build(shop)

    policy = directives((await shop.client.get("/widget/mine")).headers["content-security-policy"])

    assert policy["frame-ancestors"] == "'self' http://shop.test https://mine.example"


@in_a_shop
async def test_an_origin_that_is_none_does_not_reach_the_policy(shop: Shop) -> None:
    build(shop)
    await shop.directory.add_inbox(
        shop.mine.id, "x", public_key="x", origins=["*", "https://a.b; script-src *", "null"]
    )

    policy = directives((await shop.client.get("/widget/x")).headers["content-security-policy"])

    assert policy["frame-ancestors"] == "'self' http://shop.test"
    assert policy["script-src"] == "'self'"


@pytest.mark.parametrize("path", ["/", "/demo/", "/console/"])
@in_a_shop
async def test_our_own_pages_are_framed_by_nobody_and_run_nothing_inline(shop: Shop, path: str) -> None:
    build(shop)
    await shop.directory.add_inbox(shop.mine.id, "Demo", public_key="demo")

    answer = await shop.client.get(path)

    policy = directives(answer.headers["content-security-policy"])
    assert answer.status_code == 200
    assert policy["frame-ancestors"] == "'none'"
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self' ws://shop.test"
    assert "unsafe" not in str(policy)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("key", ["nowhere", "%00", "..%2f", "x" * 300, "%F0%9F%90%8D"])
@in_a_shop
async def test_there_is_no_frame_for_an_inbox_that_is_not_there(shop: Shop, key: str) -> None:
    build(shop)

    assert (await shop.client.get(f"/widget/{key}")).status_code == 404


@in_a_shop
async def test_without_a_demo_account_its_pages_say_so(shop: Shop) -> None:
    build(shop)

    home, demo = await shop.client.get("/"), await shop.client.get("/demo/")

    assert "shopbell seed" in home.text
    assert (demo.status_code, "shopbell seed" in demo.text) == (404, True)


@pytest.mark.parametrize("path", ["/demo", "/console"])
@in_a_shop
async def test_a_forgotten_slash_is_put_there_whatever_host_was_asked_for(shop: Shop, path: str) -> None:
    answer = await shop.client.get(path, headers={"host": "evil.test"})

    assert (answer.status_code, answer.headers["location"]) == (308, path + "/")


@in_a_shop
async def test_the_loader_is_kept_for_minutes_and_then_asked_about(shop: Shop) -> None:
    build(shop)

    answer = await shop.client.get("/widget.js")
    again = await shop.client.get("/widget.js", headers={"if-none-match": f"W/{answer.headers['etag']}"})

    assert answer.text == "loader()"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
    assert (again.status_code, again.content) == (304, b"")


@in_a_shop
async def test_what_has_a_hash_in_its_name_is_kept_for_ever_and_compressed(shop: Shop) -> None:
    build(shop)

    answer = await shop.client.get("/static/console.ABCD1234.js")

    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.text == FILES["console.ABCD1234.js"]


@pytest.mark.parametrize(
    "name", ["frame.html", "manifest.json", "notes.txt", "nothing.js", "..%2fshop.db", "%2e%2e/shop.db", ".", ""]
)
@in_a_shop
async def test_nothing_else_of_the_folder_or_beside_it_is_served(shop: Shop, name: str) -> None:
    build(shop)

    assert (await shop.client.get(f"/static/{name}")).status_code == 404


def test_a_new_build_replaces_the_old_one(tmp_path: Path) -> None:
    built = Built(tmp_path)
    assert built.page("console.html", {}) is None
    (tmp_path / "old.js").write_text("1")
    (tmp_path / "manifest.json").write_text("{}")
    assert built.file("old.js") is not None

    (tmp_path / "old.js").unlink()
    (tmp_path / "manifest.json").unlink()

    assert built.file("old.js") is None
