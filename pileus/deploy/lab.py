"""Engines without the rest, for live tests of one part.

    python -m pileus.deploy.lab --state DIR [--nodes N] start|stop|show

`start` prints, as JSON, OVN's sockets and for each host how to enter it and where its libvirt and OVS answer:
    {"ovn_nb": "unix:...", "ovn_sb": ..., "external": {...}, "hosts": [{"name": "node-1", "enter": ["nsenter", ...],
     "ovsdb": "unix:...", "libvirt": "qemu+unix:///system?socket=...", "dir": ".../node", "socket": ".../node.sock"}]}
"""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pileus.deploy import plan, state, up
from pileus.deploy.errors import DeployError
from pileus.deploy.teardown import stop_cloud


def start(folder: Path, nodes: int = 1, for_pid: int | None = None) -> state.Cloud:
    """A running one is left as it is. It ends, and its folder is emptied, with the process `for_pid`."""
    cloud = state.read(folder) or state.new(folder, port=0, nodes=nodes, fake=False)
    if not up.is_up(cloud):
        plan.make_folders(cloud)
        cloud.save()
        up.launch(cloud, lambda _: None, engines_only=True, for_pid=for_pid)
    return state.read(folder) or cloud


def show(cloud: state.Cloud) -> dict[str, Any]:
    return {
        "ovn_nb": f"unix:{cloud.ovn / 'nb.sock'}",
        "ovn_sb": f"unix:{cloud.ovn / 'sb.sock'}",
        "external": asdict(cloud.external),
        "hosts": [
            {
                "name": host.name,
                "enter": plan.enter_host(host),
                "ovsdb": host.ovsdb,
                "libvirt": f"qemu+unix:///system?socket={host.libvirt_socket}",
                "dir": plan.NODE_INSIDE,
                "dir_outside": str(host.folder / "node"),
                "socket": str(host.socket),
            }
            for host in cloud.hosts
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pileus.deploy.lab")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("verb", choices=["start", "stop", "show"])
    arguments = parser.parse_args()
    begin = time.monotonic()
    try:
        if arguments.verb == "start":
            print(json.dumps(show(start(arguments.state, arguments.nodes)), indent=2))
        else:
            cloud = state.read(arguments.state)
            if cloud is None:
                raise DeployError(f"There is no cloud in {arguments.state}.")
            if arguments.verb == "stop":
                stop_cloud(cloud, lambda line: print(line, file=sys.stderr))
            else:
                print(json.dumps(show(cloud), indent=2))
    except DeployError as error:
        sys.exit(str(error))
    print(f"{arguments.verb}: {time.monotonic() - begin:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
