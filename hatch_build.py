"""Build hook: a wheel carries the built front end, so that `pip install .` gives the whole product."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MANIFEST = Path("gateway/static/manifest.json")
INSTALLED = Path("node_modules/.package-lock.json")  # npm writes it last
SOURCE_FOLDERS = ("widget", "console")
SOURCE_FILES = ("build.mjs", "package.json", "package-lock.json", "tsconfig.json")


class FrontEnd(BuildHookInterface[Any]):
    """Runs npm when the built files are missing or older than their sources."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build if needed. An editable install is left alone: there the Makefile builds."""
        root = Path(self.root)
        if version == "editable" or not (root / "package.json").exists() or is_fresh(root):
            return
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError("The front end must be built first, and npm isn't here. Install Node.js 20 or newer.")
        if not is_installed(root):
            subprocess.run([npm, "ci"], cwd=root, check=True)
        subprocess.run([npm, "run", "build"], cwd=root, check=True)


def is_installed(root: Path) -> bool:
    """Are the packages there that package-lock.json names? Another `npm ci` would pull them away under a build."""
    installed = root / INSTALLED
    return installed.exists() and installed.stat().st_mtime >= (root / "package-lock.json").stat().st_mtime


def is_fresh(root: Path) -> bool:
    """Is the built front end there and no older than any of its sources?"""
    manifest = root / MANIFEST
    if not manifest.exists():
        return False
    built = manifest.stat().st_mtime
    return all(source.stat().st_mtime <= built for source in sources(root))


def sources(root: Path) -> Iterator[Path]:
    """Every file that the built front end depends on."""
    for folder in SOURCE_FOLDERS:
        yield from (path for path in (root / folder).rglob("*") if path.is_file())
    yield from (root / name for name in SOURCE_FILES if (root / name).exists())
