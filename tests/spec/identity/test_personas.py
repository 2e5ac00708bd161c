"""Each kind of caller may use what `personas.txt` says, and nothing else. See personas.py for who they are."""

from collections.abc import Iterator

import pytest

from pileus.core.routes import PUBLIC
from tests.harness import World
from tests.spec.identity import personas
from tests.spec.identity.personas import PERSONAS, Furniture

WRITE = "python -m tests.spec.identity.personas writes the table anew: read what changed in it"


@pytest.fixture(scope="module")
def furniture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Furniture]:
    world = World(tmp_path_factory.mktemp("personas"))
    yield Furniture(world)
    world.stop()


def test_the_table_has_a_line_for_each_route_and_no_others(furniture: Furniture) -> None:
    routes = {route.name for route in personas.routes(furniture.world)}
    told = set(personas.read())
    assert not routes - told, f"{sorted(routes - told)}: who may use these? {WRITE}"
    assert not told - routes, f"{sorted(told - routes)}: there are no such routes. {WRITE}"


@pytest.mark.parametrize("persona", PERSONAS)
def test_a_persona_may_do_what_the_table_says_and_nothing_else(furniture: Furniture, persona: str) -> None:
    table, wrong = personas.read(), []
    for route in personas.routes(furniture.world):
        told = table.get(route.name, "").replace(" ", "")
        if route.policy is PUBLIC:
            assert told == "opentoeverybody"
            continue
        found = furniture.sign(persona, route)
        if told and told[PERSONAS.index(persona)] != found:
            wrong.append(f"{route.name}: the table says {told[PERSONAS.index(persona)]}, it is {found}")
    assert not wrong, "\n".join([*wrong, WRITE])
