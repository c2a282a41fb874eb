"""docs/identity.md: the snippets sign what the server takes."""

import re
import shutil
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.identity import Signed, verify

PAGE = (Path(__file__).parent.parent / "docs" / "identity.md").read_text()
KEY = "sbk_" + "k" * 43


def snippet(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


def counts(token: str) -> bool:
    signed = verify(token, {"key_one": KEY.encode()}, int(time.time() * 1000))
    return signed == Signed("7", "ดาน่า", "dana@example.com", {})


def test_pythons() -> None:
    names: dict[str, object] = {"SHOPBELL_KEY": KEY}
    exec(snippet("python"), names)
    identity = names["identity"]
    assert callable(identity)

    assert counts(identity(SimpleNamespace(id=7, name="ดาน่า", email="dana@example.com")))


def test_nodes() -> None:
    customer = '{ id: 7, name: "ดาน่า", email: "dana@example.com" }'
    script = f'const SHOPBELL_KEY = "{KEY}";\n{snippet("js")}\nconsole.log(identity({customer}));'
    ended = subprocess.run(
        ["node", "--input-type=module", "-"], input=script, capture_output=True, text=True, check=True
    )

    assert counts(ended.stdout.strip())


@pytest.mark.skipif(shutil.which("php") is None, reason="no PHP here")
def test_phps() -> None:
    customer = "(object) ['id' => 7, 'name' => 'ดาน่า', 'email' => 'dana@example.com']"
    script = f"<?php const SHOPBELL_KEY = '{KEY}';\n{snippet('php')}\necho identity({customer});"
    ended = subprocess.run(["php"], input=script, capture_output=True, text=True, check=True)

    assert counts(ended.stdout.strip())
