"""/v1/uploads: a file comes, is recognised, and is handed out to those who may see its entry, and nobody else."""

from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from openapi_spec_validator import OpenAPIV31SpecValidator

from chat.errors import RateLimited
from gateway.files.links import LIFE
from tests.filing import GIF_SCRIPT, HTML, PDF, SVG, Filing, a_picture, an_archive, dripping, in_a_filing_shop


def same_as_never(answer: httpx.Response, never: httpx.Response) -> bool:
    """Whether this is told as of an id that doesn't exist: nobody learns whether it does."""
    kept = [dict(each.headers) for each in (answer, never)]
    return (answer.status_code, answer.json(), kept[0]) == (404, never.json(), kept[1])


@in_a_filing_shop
async def test_a_file_comes_and_is_fetched_as_it_was(filing: Filing) -> None:
    headers, _ = await filing.shop.contact()
    picture = a_picture()

    sent = await filing.sent(headers, picture, "ใบเสร็จ.png")
    fetched = await filing.get(f"/v1/uploads/{sent['id']}", headers)
    small = await filing.get(f"/v1/uploads/{sent['id']}/thumbnail", headers)

    shape = {"name": "ใบเสร็จ.png", "type": "image/png", "size": len(picture), "width": 600, "height": 300}
    assert sent == {"id": sent["id"], **shape}
    assert (fetched.status_code, fetched.content) == (200, picture)
    assert fetched.headers["content-type"] == "image/png"
    assert fetched.headers["content-length"] == str(len(picture))
    assert (small.status_code, small.headers["content-type"]) == (200, "image/webp")
    assert small.content.startswith(b"RIFF")


@in_a_filing_shop
async def test_contacts_agents_and_bots_send_files(filing: Filing) -> None:
    contact, _ = await filing.shop.contact()

    for headers in (contact, await filing.agent(), filing.bot()):
        sent = await filing.sent(headers, dripping(b"hel", b"lo"), "a.txt")  # chunked, without a length
        assert (await filing.get(f"/v1/uploads/{sent['id']}", headers)).content == b"hello"


@in_a_filing_shop
async def test_nobody_else_sends_files(filing: Filing) -> None:
    agent = await filing.agent()

    assert await filing.refused({}, b"text") == "unauthorized"
    assert await filing.refused({"authorization": "Bearer sbs_never"}, b"text") == "unauthorized"
    for origin in ("https://mine.example", "null"):
        assert await filing.refused({**agent, "origin": origin}, b"text") == "origin_refused"
    assert await filing.refused({"cookie": agent["cookie"]}, b"text") == "origin_refused"


@in_a_filing_shop
async def test_a_file_has_one_place_to_go(filing: Filing) -> None:
    headers, contact = await filing.shop.contact()
    made = await filing.shop.conversation(filing.shop.mine, contact.id)
    door = filing.shop.mine.door.id

    assert (await filing.send(headers, b"text", conversation=made.id)).status_code == 201
    both = await filing.client.post(
        f"/v1/uploads?inbox={door}&conversation={made.id}", headers=headers, content=b"text"
    )
    neither = await filing.client.post("/v1/uploads", headers=headers, content=b"text")
    assert (both.status_code, neither.status_code) == (400, 400)


@in_a_filing_shop
async def test_nobody_sends_to_what_is_anothers(filing: Filing) -> None:
    headers, _ = await filing.shop.contact()
    theirs = await filing.shop.conversation(filing.shop.other, "con_x")
    beside = await filing.shop.conversation(filing.shop.mine, "con_y")

    never = await filing.send(headers, b"text", conversation="cnv_never")
    for conversation in (theirs.id, beside.id):
        assert same_as_never(await filing.send(headers, b"text", conversation=conversation), never)
    never = await filing.send(headers, b"text", inbox="inb_never")
    assert same_as_never(await filing.send(headers, b"text", inbox=filing.shop.other.door.id), never)
    assert await filing.kept() == (set(), 0)


@in_a_filing_shop
async def test_who_sees_the_entry_fetches_its_file_and_nobody_else(filing: Filing) -> None:
    headers, contact = await filing.shop.contact()
    beside, _ = await filing.shop.contact()
    stranger, _ = await filing.shop.contact(filing.shop.other)
    agent, sent = await filing.agent(), await filing.sent(headers, a_picture())
    paths = [f"/v1/uploads/{sent['id']}", f"/v1/uploads/{sent['id']}/thumbnail"]
    nevers = ["/v1/uploads/upl_never", "/v1/uploads/upl_never/thumbnail"]

    for path, never in zip(paths, nevers, strict=True):
        assert same_as_never(await filing.get(path, agent), await filing.get(never, agent))  # not attached yet
    conversation, entry = await filing.attach(contact.id, sent)
    for path, never in zip(paths, nevers, strict=True):
        for who in (headers, agent, filing.bot()):
            assert (await filing.get(path, who)).status_code == 200
        for who in (beside, stranger, filing.bot(filing.shop.other)):
            assert same_as_never(await filing.get(path, who), await filing.get(never, who))
            link = [await filing.client.post(f"{each}/link", headers=who) for each in (paths[0], nevers[0])]
            assert same_as_never(*link)
        assert (await filing.get(path)).status_code == 401

    await filing.write(conversation, replace(entry, seq=conversation.seq + 1, withdrawn=True))
    for path, never in zip(paths, nevers, strict=True):
        for who in (headers, agent, filing.bot()):
            assert same_as_never(await filing.get(path, who), await filing.get(never, who))


@in_a_filing_shop
async def test_a_notes_file_is_not_the_contacts(filing: Filing) -> None:
    headers, contact = await filing.shop.contact()
    agent = await filing.agent()
    sent = await filing.sent(agent, PDF)
    await filing.attach(contact.id, sent, is_note=True)

    assert (await filing.get(f"/v1/uploads/{sent['id']}", agent)).status_code == 200
    assert (await filing.get(f"/v1/uploads/{sent['id']}", headers)).status_code == 404


# --- links ------------------------------------------------------------------------------------------------------------


async def a_link(filing: Filing, headers: dict[str, str], upload: str) -> dict[str, Any]:
    answer = await filing.client.post(f"/v1/uploads/{upload}/link", headers=headers)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


@in_a_filing_shop
async def test_a_link_opens_one_file_for_five_minutes(filing: Filing) -> None:
    headers, _ = await filing.shop.contact()
    picture = a_picture()
    sent, other = await filing.sent(headers, picture), await filing.sent(headers, b"text")

    link = await a_link(filing, headers, sent["id"])

    assert link["expires_in"] == LIFE
    assert (await filing.get(link["url"])).content == picture
    assert (await filing.get(link["thumbnail"])).headers["content-type"] == "image/webp"
    assert (await a_link(filing, headers, other["id"]))["thumbnail"] is None
    filing.shop.clock.move(LIFE)
    assert same_as_never(await filing.get(link["url"]), await filing.get("/v1/files/never"))
    assert same_as_never(await filing.get(link["thumbnail"]), await filing.get("/v1/files/never"))


@in_a_filing_shop
async def test_a_link_opens_nothing_that_was_withdrawn_or_erased(filing: Filing) -> None:
    headers, contact = await filing.shop.contact()
    sent = await filing.sent(headers, b"secret")
    conversation, entry = await filing.attach(contact.id, sent)
    links = [(await a_link(filing, who, sent["id"]))["url"] for who in (headers, await filing.agent())]
    assert [(await filing.get(link)).status_code for link in links] == [200, 200]

    await filing.write(conversation, replace(entry, seq=conversation.seq + 1, withdrawn=True))

    assert [(await filing.get(link)).status_code for link in links] == [404, 404]


# --- how it is served -------------------------------------------------------------------------------------------------

HOSTILE = {
    "svg": (SVG, "cat.svg"),
    "svg as png": (SVG, "cat.png"),
    "page": (HTML, "index.html"),
    "page as png": (HTML, "cat.png"),
    "xml": (b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "x.xml"),
    "script": (b"alert(1)", "x.js"),
    "gif and script": (GIF_SCRIPT, "cat.gif"),
    "picture and page": (a_picture() + HTML, "cat.png"),
    "pdf and archive": (PDF + an_archive(a=b"a"), "bill.pdf"),
    "picture and archive": (a_picture("JPEG") + an_archive(a=b"a"), "cat.jpg"),
    "cut picture": (a_picture()[:-60], "cat.png"),
    "pdf": (PDF, "bill.pdf"),
}


@pytest.mark.parametrize(("data", "name"), HOSTILE.values(), ids=HOSTILE)
@in_a_filing_shop
async def test_what_might_run_is_downloaded_and_never_shown(filing: Filing, data: bytes, name: str) -> None:
    headers, _ = await filing.shop.contact()

    # What the sender says about it changes nothing.
    sent = await filing.sent({**headers, "content-type": "text/html"}, data, name)
    served = await filing.get(f"/v1/uploads/{sent['id']}", headers)

    assert served.content == data
    assert served.headers["content-disposition"].startswith("attachment; ")
    safe = {"text/plain; charset=utf-8", "application/octet-stream", "application/pdf"}
    assert served.headers["content-type"] in safe
    assert served.headers["x-content-type-options"] == "nosniff"
    assert served.headers["content-security-policy"].startswith("sandbox; default-src 'none'; ")
    assert served.headers["cross-origin-resource-policy"] == "same-origin"
    assert served.headers["cache-control"] == "private, no-cache"
    assert (await filing.get(f"/v1/uploads/{sent['id']}/thumbnail", headers)).status_code == 404


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "a\x00b.png", "x" * 10_000 + ".png", "bill\u202egnp.exe", "a\r\nX-Evil: 1", "חשבונית.pdf", ""],
    ids=["path", "nul", "long", "turned around", "header", "hebrew", "none"],
)
@in_a_filing_shop
async def test_a_name_is_only_ever_a_name(filing: Filing, name: str) -> None:
    headers, _ = await filing.shop.contact()

    sent = await filing.sent(headers, b"text", name)
    served = await filing.get(f"/v1/uploads/{sent['id']}", headers)

    assert 0 < len(sent["name"].encode()) <= 200
    assert not set(sent["name"]) & set("/\\\x00\r\n\u202e")
    assert "x-evil" not in served.headers
    keys, _ = await filing.kept()
    assert keys == {f"{filing.shop.mine.id}/{sent['id']}"}


@in_a_filing_shop
async def test_a_part_is_served_as_a_part(filing: Filing) -> None:
    headers, _ = await filing.shop.contact()
    sent = await filing.sent(headers, b"0123456789")
    path = f"/v1/uploads/{sent['id']}"

    part = await filing.get(path, {**headers, "range": "bytes=2-4"})
    last = await filing.get(path, {**headers, "range": "bytes=-3"})
    beyond = await filing.get(path, {**headers, "range": "bytes=10-"})
    several = await filing.get(path, {**headers, "range": "bytes=" + ",".join(["0-1"] * 1000)})
    other = await filing.get(path, {**headers, "range": "bytes=2-4", "if-range": '"another"'})

    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    assert part.headers["content-length"] == "3"
    assert (last.status_code, last.content) == (206, b"789")
    assert (beyond.status_code, beyond.json()["code"]) == (416, "bad_range")
    assert beyond.headers["content-range"] == "bytes */10"
    assert (several.status_code, several.content) == (200, b"0123456789")
    assert (other.status_code, other.content) == (200, b"0123456789")


@in_a_filing_shop
async def test_what_a_browser_has_already_is_not_sent_again(filing: Filing) -> None:
    headers, _ = await filing.shop.contact()
    path = f"/v1/uploads/{(await filing.sent(headers, b'text' * 1000))['id']}"
    tag = (await filing.get(path, headers)).headers["etag"]

    again = await filing.get(path, {**headers, "if-none-match": f'"x", W/{tag}'})
    head = await filing.client.head(path, headers=headers)

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["content-security-policy"].startswith("sandbox; ")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "4000")


@in_a_filing_shop
async def test_a_file_is_never_compressed_on_its_way(filing: Filing) -> None:
    headers, _ = await filing.shop.contact()
    path = f"/v1/uploads/{(await filing.sent(headers, b'text' * 1000))['id']}"

    served = await filing.get(path, {**headers, "accept-encoding": "gzip"})

    assert "content-encoding" not in served.headers
    assert served.headers["content-length"] == "4000"


@in_a_filing_shop
async def test_a_file_whose_object_is_lost_is_not_there(filing: Filing) -> None:
    headers, _ = await filing.shop.contact()
    sent = await filing.sent(headers, a_picture())
    await filing.files.delete((await filing.kept())[0])

    for path in ("", "/thumbnail"):
        assert (await filing.get(f"/v1/uploads/{sent['id']}{path}", headers)).status_code == 404


@pytest.mark.parametrize("id", ["x" * 65, "%00", "..%2f..%2fsecret", "%E0%B8%81", "upl_" + "0" * 24])
@in_a_filing_shop
async def test_what_can_not_be_an_id_is_not_there(filing: Filing, id: str) -> None:
    headers, _ = await filing.shop.contact()

    for path in (f"/v1/uploads/{id}", f"/v1/uploads/{id}/thumbnail", f"/v1/files/{id}"):
        assert (await filing.get(path, headers)).status_code == 404


# --- limits -----------------------------------------------------------------------------------------------------------


@in_a_filing_shop
async def test_an_inbox_limits_what_is_sent_to_it(filing: Filing) -> None:
    headers, contact = await filing.shop.contact()
    made = await filing.shop.conversation(filing.shop.mine, contact.id)

    await filing.inbox_says(filing.shop.mine.door, bytes=3, types=["text"])
    assert await filing.refused(headers, b"text") == "too_large"
    assert await filing.refused(headers, dripping(b"te", b"xt"), conversation=made.id) == "too_large"
    await filing.inbox_says(filing.shop.mine.door, types=["image"])
    assert await filing.refused(headers, b"txt") == "unsupported_type"
    await filing.inbox_says(filing.shop.mine.door, off=True)
    assert await filing.refused(headers, b"txt", conversation=made.id) == "forbidden"


@in_a_filing_shop
async def test_a_blocked_contact_sends_no_files(filing: Filing) -> None:
    headers, contact = await filing.shop.contact()

    await filing.block(contact, filing.shop.clock.now() + 1000)

    assert await filing.refused(headers, b"text") == "blocked"


@in_a_filing_shop
async def test_a_guard_may_turn_senders_away(filing: Filing) -> None:
    headers, _ = await filing.shop.contact()

    def guard(*_: object) -> None:
        raise RateLimited(after_ms=5000)

    filing.guard = guard
    answer = await filing.send(headers, b"text")

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")


@in_a_filing_shop
async def test_all_of_it_is_described(filing: Filing) -> None:
    document = (await filing.get("/v1/openapi.json")).json()

    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []
    described = document["paths"]["/v1/uploads"]["post"]
    assert {"201", "400", "401", "403", "404", "408", "413", "415", "503"} <= set(described["responses"])
    fetching = document["paths"]["/v1/files/{token}"]["get"]
    assert {"200", "206", "304", "404", "416"} <= set(fetching["responses"])
