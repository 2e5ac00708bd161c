"""Containers: their rows, what they were told, and what they may hold."""

from pileus.core import clock
from pileus.core.db import Tx
from pileus.core.errors import BadRequest, Conflict, NotFound, TooLarge
from pileus.object_storage import limits, store
from pileus.object_storage.accounts import limit, merged, update_account
from pileus.object_storage.store import ENABLED, SUSPENDED, Change, Container

META = "x-container-meta-"
QUOTA_BYTES, QUOTA_COUNT = "x-container-meta-quota-bytes", "x-container-meta-quota-count"
ARCHIVES = ("x-versions-location", "x-history-location")
SYNC_TO, SYNC_KEY = "x-container-sync-to", "x-container-sync-key"


def find_container(tx: Tx, account: str, name: str) -> Container | None:
    return tx.find(Container, account=account, name=name)


def get_container(tx: Tx, account: str, name: str) -> Container:
    """Raises NotFound."""
    found = find_container(tx, account, name)
    if found is None:
        raise NotFound("The resource could not be found.")
    return found


def put_container(
    tx: Tx, account: str, name: str, changes: dict[str, str], versioning: bool | None = None
) -> tuple[Container, bool]:
    """Create it, or tell an existing one more. Whether it is new is in the answer. Raises BadRequest."""
    update_account(tx, account, {})
    store.hold(tx, f"{account}/{name}")
    found = find_container(tx, account, name)
    if found is not None:
        update_container(tx, found, changes, versioning)
        tx.update(Container, found.id, put_at=store.now())
        return found, False
    moment = store.now()
    made = Container(clock.new_hex_id(), account, name, moment, moment)
    tx.insert(made)
    update_container(tx, made, changes, versioning)
    return made, True


def update_container(tx: Tx, found: Container, changes: dict[str, str], versioning: bool | None = None) -> None:
    """An empty value removes. Raises BadRequest."""
    headers = merged(found.headers, changes)
    for one, other in (ARCHIVES, ARCHIVES[::-1]):  # the mode that is asked for now takes the other's place
        if changes.get(one) and one in headers:
            headers.pop(other, None)
    limits.check_metadata({key[len(META) :]: value for key, value in headers.items() if key.startswith(META)})
    state = found.versioning if versioning is None else ENABLED if versioning else SUSPENDED
    if versioning is False and not found.versioning:
        state = ""
    if state and any(name in headers for name in ARCHIVES):
        raise BadRequest(
            "Cannot enable object versioning on a container configured to use the legacy versioned writes."
        )
    if headers != found.headers or state != found.versioning:
        synced_before = found.headers.get(SYNC_TO)
        tx.update(Container, found.id, headers=headers, versioning=state)
        found.headers, found.versioning = headers, state
        if headers.get(SYNC_TO) != synced_before:
            tx.delete(Change, container_id=found.id)
            if headers.get(SYNC_TO):
                store.note_all(tx, found.id)


def delete_container(tx: Tx, found: Container) -> None:
    """Raises Conflict unless it is empty, of versions too."""
    current = tx.find(Container, id=found.id)
    if current is None:
        raise NotFound("The resource could not be found.")
    if current.objects or store.has_versions(tx, found.id):
        raise Conflict("There was a conflict when trying to complete your request.")
    tx.delete(Container, id=found.id)


def check_room(container: Container, objects: int, size: int) -> None:
    """Raises TooLarge when so much more would be over the container's quota."""
    most = limit(container.headers, QUOTA_BYTES)
    if most is not None and size > 0 and container.bytes + size > most:
        raise TooLarge("Upload exceeds quota.")
    most = limit(container.headers, QUOTA_COUNT)
    if most is not None and objects > 0 and container.objects + objects > most:
        raise TooLarge("Upload exceeds quota.")
