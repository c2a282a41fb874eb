"""Files in entries: only whole ones, only one's own, each once."""

from __future__ import annotations

import pytest
from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from chat.errors import BadRequest, NotFound
from chat.model import Attachment, Upload
from chat.rules.attachments import attached
from tests.builders import DANA, MINE, NOA, a_held_conversation, a_turn, an_id

CAT = Upload(MINE, "upl_cat", DANA.id, "cat.png", "image/png", 900, 30, 20)
LIST = Upload(MINE, "upl_list", DANA.id, "list.pdf", "application/pdf", 5000)
TURN = a_turn(DANA, a_held_conversation(), uploads={CAT.id: CAT, LIST.id: LIST})


def test_an_entry_has_of_a_file_what_is_shown_before_it_is_fetched() -> None:
    assert attached(["upl_list", "upl_cat"], TURN) == (
        Attachment("upl_list", "list.pdf", "application/pdf", 5000),
        Attachment("upl_cat", "cat.png", "image/png", 900, 30, 20),
    )


@pytest.mark.parametrize("none", [UNSET, []])
def test_most_entries_have_none(none: list[str] | UnsetType) -> None:
    assert attached(none, TURN) == ()


@pytest.mark.parametrize(
    "upload", [None, replace(CAT, owner=NOA.id), replace(CAT, conversation="cnv_1", entry=an_id(1))]
)
def test_a_file_that_is_not_there_not_ones_own_or_in_an_entry_already_is_not_found(upload: Upload | None) -> None:
    uploads = {CAT.id: upload} if upload else {}
    with pytest.raises(NotFound) as refused:
        attached([CAT.id], replace(TURN, uploads=uploads))

    assert (refused.value.field, str(refused.value)) == ("attachments", "There is no such thing.")


def test_a_file_is_attached_once() -> None:
    with pytest.raises(BadRequest):
        attached(["upl_cat", "upl_cat"], TURN)
