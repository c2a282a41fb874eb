"""Documents say what the code says."""

from pathlib import Path

import pytest

from gateway import docs
from gateway.docs import PARTS, Part, renewed, stale


def test_no_document_is_stale() -> None:
    assert [path.name for path in stale()] == [], "run `make docs`"


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_every_part_is_a_table_with_lines_in_it(part: Part) -> None:
    assert len(part.write().splitlines()) > 2


def test_a_stale_part_is_written_anew_and_the_rest_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "words.md"
    path.write_text("before\n<!-- begin words -->\nold\n<!-- end words -->\nafter\n")
    monkeypatch.setattr(docs, "PARTS", (Part("words.md", "words", lambda: "new"),))

    assert stale(tmp_path) == {path: "before\n<!-- begin words -->\nnew\n<!-- end words -->\nafter\n"}


def test_a_document_without_a_place_for_its_part_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no place for 'words'"):
        renewed("nothing here", Part("words.md", "words", lambda: "new"))


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert docs.table(("a",), [("x|y",)]) == "| a |\n| --- |\n| x\\|y |"
