"""The budgets of CONTRIBUTING.md: what is longer than this is hard to hold in one's head."""

import ast
from collections.abc import Iterator

import msgspec

from pileus.settings import Settings
from tests.complete.source import ROOT, Module, modules

FILE_LINES, FUNCTION_LINES, CLASS_METHODS, OPTIONS = 500, 60, 25, 40
DRAWERS = {"utils", "util", "common", "helpers", "helper", "misc", "manager", "tools"}
EVERYWHERE = ("pileus", "tests", "bench")


def over_budget(module: Module) -> Iterator[str]:
    lines = len(module.text.splitlines())
    if lines > FILE_LINES:
        yield f"{module.where}: {lines} lines, {FILE_LINES} are allowed: make it a folder, a file for what changes together"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            length = (node.end_lineno or first) - first + 1
            if length > FUNCTION_LINES:
                yield (
                    f"{module.where}:{first}: {node.name} has {length} lines, {FUNCTION_LINES} are allowed: "
                    "give its parts names of their own"
                )
        elif isinstance(node, ast.ClassDef) and "Contract" not in node.name:
            public = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name[0] != "_"]
            if len(public) > CLASS_METHODS:
                yield (
                    f"{module.where}:{node.lineno}: class {node.name} has {len(public)} public methods, "
                    f"{CLASS_METHODS} are allowed: it does more than one thing"
                )


def test_files_functions_and_classes_keep_their_budgets() -> None:
    found = [line for module in modules(*EVERYWHERE) for line in over_budget(module)]
    assert not found, "\n".join(found)


def test_a_module_says_what_lives_in_it() -> None:
    mute = [m.where for m in modules("pileus", "bench") if m.text.strip() and not ast.get_docstring(m.tree)]
    assert not mute, f"{mute}: open them with a line on what lives there"


def test_there_are_few_options() -> None:
    count = len(msgspec.structs.fields(Settings))
    assert count <= OPTIONS, f"{count} settings, {OPTIONS} are allowed: an option is a decision not made"


def test_no_module_is_a_drawer() -> None:
    found = [module.where for module in modules(*EVERYWHERE) if set(module.name.split(".")) & DRAWERS]
    found += [
        str(path.relative_to(ROOT)) for path in (ROOT / "pileus").rglob("*") if path.is_dir() and path.name in DRAWERS
    ]
    assert not found, f"{found}: name it after what lives in it, so that it is found in one guess"
