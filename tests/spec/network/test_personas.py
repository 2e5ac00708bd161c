"""Each role may use what `personas.txt` says, and nothing else. See personas.py for who asks, and about what."""

from tests.harness import World
from tests.spec.network import personas

WRITE = "python -m tests.spec.network.personas writes the table anew: read what changed in it"


def test_each_role_may_do_what_the_table_says_and_nothing_else(still: World) -> None:
    told, found = personas.read(), personas.asked(still)
    wrong = [
        f"{route}: the table says {told.get(route, 'nothing')}, it is {found.get(route, 'gone')}"
        for route in sorted(told.keys() | found.keys())
        if told.get(route) != found.get(route)
    ]
    assert not wrong, "\n".join([*wrong, WRITE])
    assert "?" not in "".join(found.values())
