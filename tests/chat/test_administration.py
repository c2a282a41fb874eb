"""Setting an account up: what is changed is read again, by its own account alone, and teams leave nothing behind."""

import pytest
from sqlalchemy import select, update

from chat.administration import Administration
from chat.audit import Audit
from chat.errors import InvalidState, NotFound
from chat.preferences import AccountSettings, InboxSettings
from chat.store.tables import inbox_teams, inboxes, team_members
from chat.uploads import UploadLimits
from tests.shop import Shop, in_a_shop


def heard(shop: Shop) -> tuple[Administration, Audit]:
    return Administration(shop.store), Audit(shop.store, shop.clock)


@in_a_shop
async def test_an_account_begins_with_defaults_and_keeps_what_it_is_given(shop: Shop) -> None:
    administration, audit = heard(shop)
    before = await administration.account(shop.mine.id)
    given = {"name": "Mine & Co", "settings": AccountSettings("Asia/Bangkok", "th")}

    after = await administration.change_account(shop.mine.id, given, audit.by(shop.mine.agent.actor))

    assert (before.name, before.settings) == ("mine", AccountSettings())
    assert (after.name, after.settings) == ("Mine & Co", AccountSettings("Asia/Bangkok", "th"))
    assert await administration.account(shop.mine.id) == after
    assert (await administration.account(shop.other.id)).name == "other"


@in_a_shop
async def test_an_inbox_takes_settings_origins_and_teams(shop: Shop) -> None:
    administration, audit = heard(shop)
    what = (shop.mine.id, shop.mine.door.id)
    by = audit.by(shop.mine.agent.actor)
    second = await shop.directory.add_team(shop.mine.id, "second")
    await administration.change_inbox(what, {}, [shop.mine.team.id], by)

    limits = InboxSettings(UploadLimits(bytes=1000))
    await administration.change_inbox(
        what, {"name": "New", "origins": ["https://a.example"], "settings": limits}, None, by
    )
    changed = await administration.change_inbox(what, {}, [second.id, second.id], by)

    assert (changed.name, changed.origins, changed.settings) == ("New", ["https://a.example"], limits)
    assert changed.teams == [second.id]
    assert changed == await administration.inbox(what)


@in_a_shop
async def test_an_inbox_takes_no_team_of_another_account(shop: Shop) -> None:
    administration, audit = heard(shop)
    what = (shop.mine.id, shop.mine.door.id)
    await administration.change_inbox(what, {}, [shop.mine.team.id], audit.by(shop.mine.agent.actor))

    with pytest.raises(NotFound):
        await administration.change_inbox(what, {"name": "New"}, [shop.other.team.id], audit.by(shop.mine.agent.actor))

    kept = await administration.inbox(what)
    assert (kept.name, kept.teams) == ("mine inbox", [shop.mine.team.id])  # none of it happened


@in_a_shop
async def test_settings_that_cannot_be_read_count_as_not_said(shop: Shop) -> None:
    administration, _ = heard(shop)
    await shop.store.administer(
        lambda connection: connection.execute(update(inboxes).values(settings={"uploads": {"bytes": "many"}}))
    )

    assert (await administration.inbox((shop.mine.id, shop.mine.door.id))).settings == InboxSettings()


@in_a_shop
async def test_a_deleted_team_is_nowhere_any_more(shop: Shop) -> None:
    administration, audit = heard(shop)
    what = (shop.mine.id, shop.mine.team.id)
    by = audit.by(shop.mine.agent.actor)
    await shop.directory.add_member(what, shop.mine.agent.id)
    await shop.directory.serve_inbox((shop.mine.id, shop.mine.door.id), shop.mine.team.id)
    await shop.conversation(shop.mine, "con_a", team=shop.mine.team.id, status="resolved")
    team = await administration.team(what)
    assert (team.members, team.inboxes) == ([shop.mine.agent.id], [shop.mine.door.id])

    await administration.delete_team(what, by)

    assert await administration.teams(shop.mine.id) == []
    for table in (team_members, inbox_teams):
        assert await shop.store.inspect(lambda found, table=table: found.execute(select(table)).all()) == []  # type: ignore[misc]
    with pytest.raises(NotFound):
        await administration.delete_team(what, by)


@in_a_shop
async def test_a_team_with_something_to_do_is_not_deleted(shop: Shop) -> None:
    administration, audit = heard(shop)
    await shop.conversation(shop.mine, "con_a", team=shop.mine.team.id, status="snoozed")

    with pytest.raises(InvalidState):
        await administration.delete_team((shop.mine.id, shop.mine.team.id), audit.by(shop.mine.agent.actor))


@in_a_shop
async def test_a_member_leaves_once(shop: Shop) -> None:
    administration, audit = heard(shop)
    what = (shop.mine.id, shop.mine.team.id)
    by = audit.by(shop.mine.agent.actor)
    await shop.directory.add_member(what, shop.mine.bot.id)
    await administration.change_team(what, {"name": "Renamed"}, by)

    await administration.remove_member(what, shop.mine.bot.id, by)

    assert (await administration.team(what)).members == []
    assert (await administration.team(what)).name == "Renamed"
    for member in (shop.mine.bot.id, shop.other.bot.id):
        with pytest.raises(NotFound):
            await administration.remove_member(what, member, by)
