"""Who may know whom. The arrows of ARCHITECTURE.md, checked."""

from tests.complete.source import SERVICES, Module, local, modules

# what each part may import besides itself and `core`; a service is reached through its front, `pileus.<service>`
BESIDES: dict[str, set[str]] = {
    "core": set(),
    "node": set(),
    "settings": set(),
    "dashboard": {"settings"},
    "deploy": {"settings", "node"},
    **{service: {"settings", "node"} for service in SERVICES},
}
# the demo builds its first image with the image service's builder, which needs no cloud
TOLERATED = {("deploy", "pileus.image.guest")}


def test_there_are_services_to_check() -> None:
    assert {"compute", "identity", "network"} <= set(SERVICES)


def test_core_and_node_know_no_service_and_services_meet_at_their_fronts() -> None:
    wrong = [f"{module.where}:{line} imports {name}" for module in modules("pileus") for line, name in _wrong(module)]
    assert not wrong, (
        "\n".join(wrong)
        + "\nA service is used through what its __init__.py offers; core, node and dashboard know no service. "
        "Move the import, or add what is needed to that service's front."
    )


def _wrong(module: Module) -> list[tuple[int, str]]:
    if module.room not in BESIDES:
        return []  # app, cloud, services, cli: they put the parts together
    allowed = BESIDES[module.room] | {module.room, "core"}
    found = []
    for line, name in local(module):
        parts = name.split(".")
        other = parts[1] if len(parts) > 1 else ""
        is_front = other in SERVICES and len(parts) == 2 and module.room in SERVICES
        if other not in allowed and not is_front:
            found.append((line, name))
    return [(line, name) for line, name in found if (module.room, name) not in TOLERATED]


def test_a_services_drivers_and_store_do_not_know_its_api() -> None:
    wrong = [
        f"{module.where}:{line} imports {name}"
        for module in modules("pileus")
        if module.room in SERVICES and module.name.split(".")[2:3] in (["drivers"], ["store"])
        for line, name in local(module)
        if name.split(".")[2:3] == ["api"]
    ]
    assert not wrong, "\n".join(wrong) + "\nThe API is the edge: what lies below it knows nothing of requests."
