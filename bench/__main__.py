"""`python -m bench [NAME ...]`: measure, print, and write bench/RESULTS.md. Stops by itself; asserts no time."""

import os
import platform
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench import measures
from bench.client import Cloud
from bench.measures import Line

FAKE: dict[str, Callable[[Cloud], Iterator[Line]]] = {
    "start": measures.start,
    "tokens": measures.tokens,
    "ports": measures.ports,
    "servers": measures.servers,
    "images": measures.images,
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
    return f"| {line.what} | {line.value:.2f} {line.unit} | {line.reference} | {ratio} |"


def main() -> None:
    wanted = sys.argv[1:] or [*FAKE, *(["real"] if os.geteuid() == 0 else [])]
    lines: list[Line] = []
    if fakes := [name for name in wanted if name in FAKE]:
        lines += run(Cloud(24000, "--fake", "--nodes", "20"), fakes, FAKE)
    if "real" in wanted:
        lines += run(Cloud(24100), ["real"], {"real": measures.real})
    head = f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}"
    RESULTS.write_text(
        "# Results\n\nMade by `make bench`; every line is of one run on one machine, so the ratios are what counts.\n"
        f"Load when it ended: {os.getloadavg()[0]:.1f}. {head}.\n\n"
        "| what | measured | reference in the same run | ratio |\n|---|---|---|---|\n"
        + "\n".join(_row(line) for line in lines)
        + "\n"
    )


main()
