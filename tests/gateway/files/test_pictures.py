"""The process that looks at pictures: fed, bounded, and gone afterwards, whatever it does."""

import asyncio
import os
from pathlib import Path

import pytest

from gateway.files import pictures
from gateway.files.pictures import UNREADABLE, Pictures
from tests.filing import a_picture, a_png_bomb, dripping

SAYS_NOTHING = "import sys; sys.stdin.buffer.read()"
HANGS = "import os, time; open(__file__ + '.pid', 'w').write(str(os.getpid())); time.sleep(600)"
CRASHES = "import os; os.abort()"
TALKS = "import sys; sys.stdin.buffer.read()\nwhile True: sys.stdout.write('x' * 65536)"
TELLS = "import json, os, sys; sys.stdin.buffer.read(); print(json.dumps({'says': 'fine', 'width': len(os.environ)}))"


def program(folder: Path, text: str) -> Path:
    path = folder / "program.py"
    path.write_text(text)
    return path


async def test_a_picture_is_looked_at_in_a_process_of_its_own() -> None:
    data = a_picture()

    found = await Pictures().look("image/png", len(data), dripping(data[:1000], data[1000:]))

    assert (found.says, found.width, found.height) == ("fine", 600, 300)
    assert found.thumbnail.startswith(b"RIFF")


async def test_a_bomb_is_told_as_one() -> None:
    data = a_png_bomb()

    assert (await Pictures().look("image/png", len(data), dripping(data))).says == "bomb"


@pytest.mark.parametrize("text", [SAYS_NOTHING, CRASHES, TALKS], ids=["silent", "crashing", "talking"])
async def test_a_process_that_does_not_answer_well_knows_nothing(text: str, tmp_path: Path) -> None:
    found = await Pictures(program=program(tmp_path, text)).look("image/png", 5, dripping(*[bytes(65_536)] * 40))

    assert found == UNREADABLE


async def test_a_process_that_hangs_is_ended(tmp_path: Path) -> None:
    hanging = Pictures(1, program(tmp_path, HANGS))

    assert await hanging.look("image/png", 5, dripping(*[bytes(65_536)] * 40)) == UNREADABLE
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "program.py.pid").read_text()), 0)


async def test_who_waits_too_long_for_a_turn_goes_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "AT_ONCE", 1)
    hanging = Pictures(0.2, program(tmp_path, HANGS))

    found = await asyncio.gather(*(hanging.look("image/png", 5, dripping(b"x")) for _ in range(5)))

    assert found == [UNREADABLE] * 5


async def test_it_knows_none_of_our_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOPBELL_SECRET", "never")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "never")
    telling = Pictures(
        program=program(tmp_path, TELLS.replace("len(os.environ)", "sum('never' in v for v in os.environ.values())"))
    )

    assert (await telling.look("image/png", 1, dripping(b"x"))).width == 0


async def test_what_is_too_large_is_not_even_begun(tmp_path: Path) -> None:
    assert await Pictures(program=tmp_path / "never").look("image/png", pictures.LARGEST + 1, dripping()) == UNREADABLE


async def test_what_the_store_says_while_it_is_read_is_raised(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="away"):
        await Pictures().look("image/png", 5, dripping(b"x", fails=OSError("away")))
