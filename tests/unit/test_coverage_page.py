"""The page of what is built, from the routes."""

from pileus import coverage
from pileus.services import apis


def test_every_operation_has_a_line() -> None:
    services = apis()
    lines = [line for line in coverage.page(services).splitlines() if line.startswith("| `")]
    assert len(lines) == sum(len(service.routes) for service in services)


def test_an_operation_is_named_with_its_rule() -> None:
    assert "| `GET /os-keypairs` |" in coverage.page(apis())
