"""The project's source as data: modules, their imports, their parts."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
SERVICES = sorted(path.parent.name for path in (ROOT / "pileus").glob("*/store*") if path.parent.name != "core")


class Module(NamedTuple):
    path: Path
    name: str  # dotted
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """The first name below the package: `core`, `compute`, `app`."""
        return [*self.name.split("."), ""][1]

    @property
    def where(self) -> str:
        return str(self.path.relative_to(ROOT))


def modules(*folders: str) -> list[Module]:
    return [module for folder in folders or ("pileus",) for module in _modules(folder)]


@cache
def _modules(folder: str) -> tuple[Module, ...]:
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        if path.parent.name == "versions":  # migrations, as Alembic writes them
            continue
        text = path.read_text()
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.append(Module(path, name, text, ast.parse(text, str(path))))
    return tuple(found)


@cache
def module_names() -> frozenset[str]:
    return frozenset(module.name for module in modules("pileus"))


def imports(module: Module) -> Iterator[tuple[int, str]]:
    """The modules of this package that it imports, wherever in the file: (line, dotted name)."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield node.lineno, whole if whole in module_names() else node.module


def local(module: Module) -> Iterator[tuple[int, str]]:
    return ((line, name) for line, name in imports(module) if name == "pileus" or name.startswith("pileus."))
