"""docs/api-coverage.md, written from the route table:  python -m pileus.coverage"""

from collections.abc import Iterable

from pileus.core.routes import Route, Service
from pileus.services import apis

HEAD = """\
# API coverage

Written by `make coverage-page` from the routes themselves: what is not here is not built, and answers so.
"""


def page(services: Iterable[Service]) -> str:
    return HEAD + "".join(section(service) for service in services)


def section(service: Service) -> str:
    routes = sorted(
        service.routes, key=lambda route: (route.path, route.method, route.action or "", route.since or (0, 0))
    )
    title = f"\n## {service.name} ({service.prefix or '/'})\n\n{len(routes)} operations.\n\n"
    return title + "| operation | versions | rule | what it does |\n|---|---|---|---|\n" + "".join(map(line, routes))


def line(route: Route) -> str:
    name = f"{route.method} {route.path or '/'}" + (f" {{{route.action}}}" if route.action else "")
    first = ".".join(map(str, route.since)) if route.since else ""
    last = ".".join(map(str, route.until)) if route.until else ""
    versions = f"{first}-{last}" if last else f"{first}+" if first else ""
    words = [f"`{name}`", versions, f"`{route.policy}`" if route.policy else "everybody", route.summary]
    return "| " + " | ".join(word.replace("|", "\\|") for word in words) + " |\n"


if __name__ == "__main__":
    print(page(apis()), end="")
