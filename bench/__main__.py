"""`python -m bench [NAME ...]`: measure and print; all of them also write bench/RESULTS.md. Asserts no time."""

import os
import platform
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench import images, measures, objects
from bench.client import Cloud
from bench.measures import Line

ALONE: dict[str, Callable[[], Iterator[Line]]] = {"start": measures.start, "controllers": measures.controllers}
FAKE: dict[str, Callable[[Cloud], Iterator[Line]]] = {
    "start": measures.memory,
    "tokens": measures.tokens,
    "assignments": measures.assignments,
    "ports": measures.ports,
    "servers": measures.servers,
    "image-lists": measures.image_lists,
    "images": images.images,
    "objects": objects.objects,
}
RESULTS = Path(__file__).with_name("RESULTS.md")


def run(cloud: Cloud, names: list[str], table: dict[str, Callable[[Cloud], Iterator[Line]]]) -> list[Line]:
    found = []
    try:
        for name in names:
            for line in table[name](cloud):
                print(_row(line), flush=True)
                found.append(line)
    finally:
        cloud.stop()
    return found


def _row(line: Line) -> str:
    ratio = f"{line.ratio:.2f}" if line.ratio is not None else ""
    return f"| {line.what} | {line.value:.{places(line.value)}f} {line.unit} | {line.wanted} | {line.reference} | {ratio} |"


def places(value: float) -> int:
    return 0 if value >= 100 else 1 if value >= 10 else 2


HEAD = """# Results

Made by `make bench`, in one run on one machine: the ratios are what counts, and what another machine can be compared by.
A ratio says how many times the reference's time (or memory) ours takes, for MiB/s which part of its speed we reach. The
references need no other cloud:

- *echo*: the least a server can do: the same ASGI server (Granian), answering as many bytes without a look at the request;
- *raw copy*: one file copied to a new one and brought to disk by one process, nothing checked; our client too writes what it
  downloads to a new file and brings it to disk;
- *copy and hashes*: that copy, and the hashes that the API demands of an upload (an image's two, an object's md5), all at
  once on the same processors;
- *libvirt create*: `virsh create` of the very same guest without disks and network (ours makes both);
- *imports*: a bare Python that imports the same libraries and ends.

Clients run on the same machine and take part of its processors. The `wanted` column is what the project holds itself to
on an idle machine of two cores.

"""


def main() -> None:
    known = list(dict.fromkeys([*ALONE, *FAKE]))
    wanted = sys.argv[1:] or [*known, *(["real"] if os.geteuid() == 0 else [])]
    unknown = set(wanted) - {*known, "real"}
    if unknown:
        sys.exit(f"There is no measure {', '.join(sorted(unknown))}: there are {', '.join(known)}, real.")
    before = os.getloadavg()[0]
    lines: list[Line] = []
    for name in (name for name in ALONE if name in wanted):
        for line in ALONE[name]():
            print(_row(line), flush=True)
            lines.append(line)
    if fakes := [name for name in wanted if name in FAKE]:
        lines += run(Cloud("--fake", "--nodes", "20"), fakes, FAKE)
    if "real" in wanted:
        lines += run(Cloud(), ["real"], {"real": measures.real})
    if not set(known) <= set(wanted):
        return  # part of a table is none
    machine = f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}"
    load = f"load of the machine before: {before:.1f}"
    RESULTS.write_text(
        f"{HEAD}{machine}, {load}.\n\n"
        "| what | measured | wanted | reference in the same run | ratio |\n|---|---|---|---|---|\n"
        + "\n".join(_row(line) for line in lines)
        + "\n"
    )


main()
