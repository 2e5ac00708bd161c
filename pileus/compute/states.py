"""What a server can be (vm_state), what can be happening to it (task_state), and which requests each allows.

One place: the API's `status` is a function of both, and every transition is a line of TRANSITIONS.
"""

from typing import NamedTuple

from pileus.core.errors import Conflict

# stable states
ACTIVE, BUILDING, STOPPED, ERROR = "active", "building", "stopped", "error"
HELD, SUSPENDED, RESCUED, RESIZED, OFFLOADED = "paused", "suspended", "rescued", "resized", "shelved_offloaded"

# what is happening
SCHEDULING, NETWORKING, BLOCK_DEVICES, SPAWNING = "scheduling", "networking", "block_device_mapping", "spawning"
POWERING_ON, POWERING_OFF, DELETING = "powering-on", "powering-off", "deleting"
REBOOTING, REBOOTING_HARD = "rebooting", "rebooting_hard"
PAUSING, UNPAUSING, SUSPENDING, RESUMING = "pausing", "unpausing", "suspending", "resuming"
RESCUING, UNRESCUING = "rescuing", "unrescuing"
REBUILDING, REBUILD_SPAWNING = "rebuilding", "rebuild_spawning"
SNAPSHOT_PENDING, SNAPSHOT, UPLOADING, BACKUP = (
    "image_snapshot_pending", "image_snapshot", "image_uploading", "image_backup",
)  # fmt: skip
MIGRATING = "migrating"
SHELVING, OFFLOADING, UNSHELVING = "shelving", "shelving_offloading", "unshelving"
RESIZE_PREP, RESIZE_MIGRATING, RESIZE_MIGRATED, RESIZE_FINISH, RESIZE_REVERTING = (
    "resize_prep", "resize_migrating", "resize_migrated", "resize_finish", "resize_reverting",
)  # fmt: skip

# power, as libvirt counts
NOSTATE, RUNNING, PAUSED, SHUTDOWN, CRASHED, SLEEPING = 0, 1, 3, 4, 6, 7
POWER = {
    "nostate": NOSTATE, "running": RUNNING, "paused": PAUSED, "shutdown": SHUTDOWN, "crashed": CRASHED,
    "suspended": SLEEPING,
}  # fmt: skip

REBUILDS = dict.fromkeys((REBUILDING, REBUILD_SPAWNING), "REBUILD")
RESIZES = dict.fromkeys((RESIZE_PREP, RESIZE_MIGRATING, RESIZE_MIGRATED, RESIZE_FINISH), "RESIZE")
# status by vm_state, and where a task shows, by task_state
STATUS: dict[str, tuple[str, dict[str, str]]] = {
    BUILDING: ("BUILD", {}),
    ACTIVE: (
        "ACTIVE",
        {REBOOTING: "REBOOT", REBOOTING_HARD: "HARD_REBOOT", MIGRATING: "MIGRATING", **REBUILDS, **RESIZES},
    ),
    STOPPED: ("SHUTOFF", {REBOOTING_HARD: "HARD_REBOOT", **REBUILDS, **RESIZES}),
    ERROR: ("ERROR", {REBOOTING_HARD: "HARD_REBOOT", **REBUILDS}),
    HELD: ("PAUSED", {MIGRATING: "MIGRATING"}),
    SUSPENDED: ("SUSPENDED", {}),
    RESCUED: ("RESCUE", {}),
    RESIZED: ("VERIFY_RESIZE", {RESIZE_REVERTING: "REVERT_RESIZE"}),
    OFFLOADED: ("SHELVED_OFFLOADED", {}),
}
# what os-resetState may set
RESETTABLE = {"active": ACTIVE, "error": ERROR}


def status(vm_state: str, task_state: str | None) -> str:
    plain, busy = STATUS[vm_state]
    return busy.get(task_state, plain) if task_state else plain


def states_of(wanted: str) -> list[tuple[str, str | None]]:
    """The (vm_state, task_state) pairs shown as this status; a task_state of None means any that shows no other."""
    found: list[tuple[str, str | None]] = []
    for vm_state, (plain, busy) in STATUS.items():
        if plain == wanted.upper():
            found.append((vm_state, None))
        found += [(vm_state, task) for task, shown in busy.items() if shown == wanted.upper()]
    return found


ANY = "*"
KEPT = (ACTIVE, STOPPED, HELD, SUSPENDED)
PLUGGABLE = (ACTIVE, STOPPED, HELD, RESIZED, OFFLOADED)


class Transition(NamedTuple):
    """A request, the states it may be made in, and what the server is then shown to be doing."""

    action: str
    vm_states: tuple[str, ...]
    task_states: tuple[str | None, ...]
    task_state: str | None
    why: str


TRANSITIONS = {
    line.action: line
    for line in (
        Transition("start", (STOPPED,), (None,), POWERING_ON, "a running server has nothing to start"),
        Transition("stop", (ACTIVE, ERROR), (None,), POWERING_OFF, "an erroneous one may still be running"),
        Transition("reboot", (ACTIVE,), (None,), REBOOTING, "the guest is asked, so it must run"),
        Transition(
            "reboot-hard", (ACTIVE, STOPPED, HELD, SUSPENDED, ERROR), (None, REBOOTING, REBOOTING_HARD), REBOOTING_HARD,
            "the way out of what hangs",
        ),
        Transition("delete", (ANY,), (ANY,), DELETING, "always possible"),
        Transition("pause", (ACTIVE,), (None,), PAUSING, "the guest must run"),
        Transition("unpause", (HELD,), (None,), UNPAUSING, "the opposite of pause"),
        Transition("suspend", (ACTIVE,), (None,), SUSPENDING, "the guest must run"),
        Transition("resume", (SUSPENDED,), (None,), RESUMING, "the opposite of suspend"),
        Transition("rescue", (ACTIVE, STOPPED, ERROR), (None,), RESCUING, "not what is held in between"),
        Transition("unrescue", (RESCUED,), (None,), UNRESCUING, "the opposite of rescue"),
        Transition("rebuild", (ACTIVE, STOPPED, ERROR), (None,), REBUILDING, "not what is held in between"),
        Transition("createImage", (ACTIVE, STOPPED, HELD, SUSPENDED), (None,), SNAPSHOT_PENDING, "it needs its disk"),
        Transition("backup", (ACTIVE, STOPPED, HELD, SUSPENDED), (None,), BACKUP, "it needs its disk"),
        Transition("shelve", (ACTIVE, STOPPED, HELD, SUSPENDED), (None,), SHELVING, "it needs its disk"),
        Transition("shelveOffload", (), (None,), OFFLOADING, "what is shelved is on no host already"),
        Transition("restore", (), (None,), None, "what is deleted is gone"),
        Transition("unshelve", (OFFLOADED,), (None,), UNSHELVING, "the opposite of shelve"),
        Transition("resize", (ACTIVE, STOPPED), (None,), RESIZE_PREP, "not what is held in between"),
        Transition("migrate", (ACTIVE, STOPPED), (None,), RESIZE_PREP, "not what is held in between"),
        Transition("os-migrateLive", (ACTIVE, HELD), (None,), MIGRATING, "the guest must run"),
        Transition("evacuate", (ACTIVE, STOPPED, ERROR), (None,), REBUILDING, "its host is down, so nothing is asked of it"),
        Transition("confirmResize", (RESIZED,), (None,), None, "there must be something to confirm"),
        Transition("revertResize", (RESIZED,), (None,), RESIZE_REVERTING, "there must be something to revert"),
        Transition("attach_volume", PLUGGABLE, (None,), None, "what is on no host has it when it is again"),
        Transition("detach_volume", PLUGGABLE, (None,), None, "as it was attached"),
        Transition("swap_volume", (ACTIVE, HELD, RESIZED), (None,), None, "its hypervisor copies while the guest runs"),
        Transition("attach_interface", (ACTIVE, STOPPED, HELD), (None,), None, "the guest must not be in between"),
        Transition("detach_interface", (ACTIVE, STOPPED, HELD), (None,), None, "the guest must not be in between"),
        Transition("update metadata", KEPT, (ANY,), None, "the guest is told of it"),
        Transition("delete metadata", KEPT, (ANY,), None, "the guest is told of it"),
        Transition("inject_network_info", KEPT, (None,), None, "the guest is told of it"),
        Transition("get_diagnostics", (ACTIVE, HELD, SUSPENDED, STOPPED), (ANY,), None, "its host is asked"),
    )
}  # fmt: skip


def check(action: str, server_id: str, vm_state: str, task_state: str | None) -> Transition:
    """The transition of a request. Raises Conflict where the server's state does not allow it."""
    line = TRANSITIONS[action]
    word = action.removesuffix("-hard")
    if ANY not in line.vm_states and vm_state not in line.vm_states:
        raise Conflict(f"Cannot '{word}' instance {server_id} while it is in vm_state {vm_state}")
    if ANY not in line.task_states and task_state not in line.task_states:
        raise Conflict(f"Cannot '{word}' instance {server_id} while it is in task_state {task_state}")
    return line
