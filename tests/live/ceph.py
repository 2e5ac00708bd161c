"""A real Ceph on loopback: one monitor, and one OSD that keeps its objects in memory."""

import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.live.cloud import eventually
from tests.ports import free_port

_CONFIG = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{port},v1:127.0.0.1:{old_port}]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
mon allow pool size one = true
mon data avail crit = 1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 1073741824
mon data = {folder}/mon
osd data = {folder}/osd
run dir = {folder}
admin socket = {folder}/$name.asok
pid file = {folder}/$name.pid
log file = {folder}/$name.log
mon cluster log file = {folder}/cluster.log
"""


class Ceph:
    """`config` is what its clients are given."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.config = folder / "ceph.conf"

    def run(self, program: str, *arguments: str) -> str:
        command = [program, "--conf", str(self.config), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    def pool(self) -> str:
        """A new pool for RBD."""
        name = f"images-{uuid.uuid4().hex[:8]}"
        self.run("ceph", "osd", "pool", "create", name)
        self.run("rbd", "pool", "init", name)
        return name

    def start(self, program: str, name: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{program}.out").open("wb") as output:
            command = [program, "--conf", str(self.config), "-f", "-i", name]
            return subprocess.Popen(command, stdout=output, stderr=output)


def _monitor_at(ceph: Ceph, fsid: str) -> None:
    port, old_port = free_port(), free_port()
    text = _CONFIG.format(fsid=fsid, port=port, old_port=old_port, folder=ceph.folder)
    ceph.config.write_text(text)
    for name in ("mon", "osd"):
        (ceph.folder / name).mkdir()
    addresses = f"[v2:127.0.0.1:{port},v1:127.0.0.1:{old_port}]"
    known = str(ceph.folder / "monmap")
    ceph.run("monmaptool", "--create", "--addv", "a", addresses, "--fsid", fsid, known)
    ceph.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", known)


@contextmanager
def running() -> Iterator[Ceph]:
    # a unix socket's path has room for about a hundred characters: pytest's own folders are too deep
    ceph, osd = Ceph(Path(tempfile.mkdtemp(prefix="pc-"))), str(uuid.uuid4())
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, ceph.folder, True)

        def started(program: str, name: str) -> None:
            process = ceph.start(program, name)
            undo.callback(process.wait)
            undo.callback(process.kill)  # memory is all there is to lose

        _monitor_at(ceph, str(uuid.uuid4()))
        started("ceph-mon", "a")
        assert ceph.run("ceph", "osd", "new", osd).strip() == "0"
        ceph.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        started("ceph-osd", "0")
        eventually(lambda: "1 up" in ceph.run("ceph", "osd", "stat"))
        yield ceph
