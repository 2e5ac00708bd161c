"""The lock files: complete, hashed, and free of addresses."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def lock() -> str:
    return "\n".join(path.read_text().strip() for path in sorted(ROOT.glob("requirements*.lock")))


def locked() -> dict[str, str]:
    text = lock()
    return {plain(match[1]): match[2] for match in re.finditer(r"^([A-Za-z0-9_.-]+)==([^ \\;]+)", text, re.MULTILINE)}


def test_everything_that_pyproject_asks_for_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    asked += [line for extra in project["project"]["optional-dependencies"].values() for line in extra]
    names = {plain(re.split(r"[\[<>=!~; ]", line)[0]) for line in asked}
    assert names <= set(locked()), "run `make lock`"


def test_every_locked_package_has_a_hash() -> None:
    text = lock()
    for entry in re.split(r"\n(?=[A-Za-z0-9])", text):
        assert "--hash=sha256:" in entry, entry.splitlines()[0]


def test_the_lock_file_names_no_address() -> None:
    text = lock()
    assert "://" not in text and "--index" not in text and "--find-links" not in text
