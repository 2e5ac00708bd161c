"""The guest image on real QEMU: it boots, learns who it is, lets its owner in, and has the tools people use."""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pileus.cli.image import default_cache
from pileus.image.guest import build

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="needs qemu-system-x86"),
    pytest.mark.skipif(shutil.which("apt-get") is None, reason="the image is made of Debian packages"),
]

# Far more than a boot takes even on a busy machine; a warm one costs an emulator three times a cold one.
PATIENCE = 400.0

USER_DATA = "#!/bin/sh\necho user data ran as $(id -un) on $(hostname)\n"

# What QEMU runs for each connection to 169.254.169.254: one HTTP request on stdin, a file of the folder as the answer.
METADATA_SERVICE = """\
import pathlib, sys
path = sys.stdin.buffer.readline().split()[1].decode().strip("/")
while sys.stdin.buffer.readline().strip():
    pass
file = pathlib.Path(sys.argv[1]) / path
body = file.read_bytes() if file.is_file() else b""
status = "200 OK" if file.is_file() else "404 Not Found"
sys.stdout.buffer.write(f"HTTP/1.0 {status}\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n".encode() + body)
"""


def eventually(true: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < until, f"waited in vain: {what}"
        time.sleep(0.3)


class Guest:
    """One virtual machine, emulated, reachable over loopback only."""

    def __init__(self, folder: Path, disk: Path, *qemu: str, network: str = "", machine: str = "pc") -> None:
        self.folder, self.key = folder, folder / "key"
        self.serial, self.monitor = folder / "serial.log", folder / "monitor"
        self.serial.touch()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [
            "qemu-system-x86_64", "-accel", "tcg", "-machine", machine, "-m", "160", "-display", "none",
            "-serial", f"file:{self.serial}", "-monitor", f"unix:{self.monitor},server,nowait",
            "-drive", f"file={disk},if=none,id=root,format=qcow2", "-device", "virtio-blk-pci,drive=root,bootindex=1",
            "-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{self.port}-:22{network}",
            "-device", "virtio-net-pci,netdev=net,romfile=", *qemu,
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def ssh(
        self, command: str, key: Path | None = None, patience: float = PATIENCE
    ) -> subprocess.CompletedProcess[str]:
        options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes",
                   "IdentitiesOnly=yes", "ConnectTimeout=5"]  # fmt: skip
        flags = [flag for option in options for flag in ("-o", option)]
        where = ["-i", str(key or self.key), "-p", str(self.port), "cirros@127.0.0.1"]
        return subprocess.run(["ssh", *flags, *where, command], capture_output=True, text=True, timeout=patience)

    def answers(self, command: str = "true") -> bool:
        """One short try: a connection made while the guest goes down or comes up may otherwise hang for minutes."""
        try:
            return self.ssh(command, patience=15).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    def run(self, command: str) -> str:
        # The words a well-known test suite puts before every command.
        done = self.ssh(f"set -eu -o pipefail; PATH=$PATH:/sbin:/usr/sbin; {command}")
        assert done.returncode == 0, f"{command}: {done.stdout} {done.stderr}"
        return done.stdout.strip()

    def tell_monitor(self, *commands: str) -> None:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self.monitor))
            for command in commands:
                line.sendall(command.encode() + b"\n")
                time.sleep(0.5)
                line.recv(65536)

    def wait_for(self, text: str, times: int = 1) -> None:
        eventually(lambda: self.serial.read_text(errors="replace").count(text) >= times, f"{text!r} on the console")

    def wait_for_ssh(self, boots: int = 1) -> None:
        # QEMU's own network keeps a connection that came too early waiting: no try before the guest says it is up.
        self.wait_for(" login:", boots)
        eventually(self.answers, "SSH with the key")

    def power_off(self) -> None:
        self.tell_monitor("system_powerdown")
        self.process.wait(PATIENCE)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("image") / "guest.qcow2", default_cache(), print)


def make_disk(folder: Path, image: Path, size: str) -> Path:
    disk = folder / "disk.qcow2"
    qemu_img("create", "-f", "qcow2", "-b", str(image), "-F", "qcow2", str(disk), size)
    return disk


def qemu_img(*arguments: str) -> None:
    subprocess.run(["qemu-img", *arguments], check=True, capture_output=True)


def make_key(path: Path, kind: str) -> str:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", str(path)], check=True)
    return path.with_suffix(".pub").read_text()


def write_instance(folder: Path, uuid: str, hostname: str, key: str) -> None:
    latest = folder / "openstack/latest"
    latest.mkdir(parents=True, exist_ok=True)
    data = {"uuid": uuid, "hostname": hostname, "public_keys": {"mine": key}, "meta": {"role": "x"}}
    (latest / "meta_data.json").write_text(json.dumps(data))
    (latest / "user_data").write_text(USER_DATA)


@pytest.fixture(scope="module")
def guest(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """A server with a config drive on a CD, a second disk and more room on the root disk than the image has."""
    folder = tmp_path_factory.mktemp("guest")
    write_instance(folder / "drive", "11111111-2222-3333-4444-555555555555", "first.example", make_key(
        folder / "key", "ecdsa"))  # fmt: skip
    make_config_drive(folder / "drive", folder / "drive.iso")
    qemu_img("create", "-f", "qcow2", str(folder / "second.qcow2"), "1G")
    second = f"file={folder}/second.qcow2,if=none,id=second,format=qcow2"
    running = Guest(folder, make_disk(folder, image, "2G"), "-cdrom", str(folder / "drive.iso"),
                    "-drive", second, "-device", "virtio-blk-pci,drive=second,serial=volume-1")  # fmt: skip
    try:
        running.wait_for_ssh()
        yield running
    finally:
        running.kill()


def make_config_drive(folder: Path, iso: Path) -> None:
    import pycdlib

    disc = pycdlib.PyCdlib()
    disc.new(vol_ident="config-2", rock_ridge="1.09", interchange_level=4)
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir():
            disc.add_directory(f"/{name}".upper(), rr_name=path.name)
        else:
            disc.add_file(str(path), f"/{name}".upper(), rr_name=path.name)
    disc.write(str(iso))
    disc.close()


def test_the_console_greets_and_asks_for_a_login(guest: Guest) -> None:
    guest.wait_for("Welcome to pileus")
    guest.wait_for("first login:")


def test_user_data_runs_as_root_and_is_seen_on_the_console(guest: Guest) -> None:
    guest.wait_for("user data ran as root on first")


def test_instance_data_can_be_looked_at(guest: Guest) -> None:
    assert guest.run("hostname; hostname -f").split() == ["first", "first.example"]
    assert json.loads(guest.run("cat /var/lib/cloud/instance/meta_data.json"))["meta"] == {"role": "x"}


def test_the_config_drive_is_found_by_its_label(guest: Guest) -> None:
    device = guest.run("blkid -L config-2 -o device")
    guest.run(f"sudo mount {device} /mnt")
    assert json.loads(guest.run("sudo cat /mnt/openstack/latest/meta_data.json; sudo umount /mnt"))["meta"]


def test_sudo_asks_nothing(guest: Guest) -> None:
    assert guest.run("id -un; sudo id -un; sudo -n id -un").split() == ["cirros", "root", "root"]


def test_the_root_file_system_fills_its_disk(guest: Guest) -> None:
    eventually(lambda: int(guest.run("df -m / | awk 'NR==2 {print $2}'")) > 1800, "a root file system of 2 GB")


def test_a_second_disk_can_be_formatted_and_mounted(guest: Guest) -> None:
    assert guest.run("cat /sys/block/vdb/serial") == "volume-1"
    assert "vdb" in [line.split()[0] for line in guest.run("lsblk -lb --nodeps").splitlines()]
    for kind in ("ext4", "vfat"):
        guest.run(f"sudo mkfs -t {kind} /dev/vdb; sudo mount /dev/vdb /mnt")
        guest.run('sudo sh -c "date > /mnt/timestamp; sync"; sudo cat /mnt/timestamp; sudo umount /mnt')


def test_the_network_is_up_and_its_lease_can_be_renewed(guest: Guest) -> None:
    assert guest.run("ip -o addr | awk '/10.0.2.15/ {print $2}'").strip(":") == "eth0"
    assert guest.run("ip -4 -o addr | awk '/eth0/ {print $4}'") == "10.0.2.15/24"
    guest.run("sudo /bin/kill -USR1 $(cat /var/run/udhcpc.eth0.pid)")
    eventually(lambda: "nameserver" in guest.run("cat /etc/resolv.conf"), "a name server")
    guest.run("ping -c1 -w5 -s56 10.0.2.2; ping6 -c1 -w5 ::1; sudo ping -I eth0 -c1 -w5 10.0.2.2")
    assert "lladdr" in guest.run("ip neigh")


def test_netcat_serves_and_asks(guest: Guest) -> None:
    guest.run("sudo nc -p 80 -lk -e echo foolish >/dev/null 2>&1 &")
    guest.run("sudo nc -u -p 81 -lk -e echo foolish >/dev/null 2>&1 &")
    eventually(lambda: guest.ssh("echo bar | nc -w 1 127.0.0.1 80").stdout == "foolish\n", "an answer over TCP")
    assert guest.run('echo "bar" | nc -w 1 127.0.0.1 80') == "foolish"
    eventually(lambda: guest.ssh("echo bar | nc -w 1 -u 127.0.0.1 81").stdout == "foolish\n", "an answer over UDP")


@pytest.mark.parametrize(
    "program",
    ["curl -V", "wget --help", "blkid -V", "sfdisk -v", "traceroute --help", "arping --help", "netstat -tln",
     "dd --help", "md5sum /etc/passwd", "timeout 1 true", "killall --help", "sync", "uname -r", "which scp",
     "which mkfs.ext4", "w"],
)  # fmt: skip
def test_the_usual_tools_are_there(guest: Guest, program: str) -> None:
    guest.run(f"{program} 2>&1")


def test_files_are_copied_both_ways(guest: Guest, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("hello")
    for flag in ([], ["-O"]):  # over SFTP, and the old way
        common = ["scp", "-q", *flag, "-i", str(guest.key), "-P", str(guest.port), "-o", "StrictHostKeyChecking=no",
                  "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"]  # fmt: skip
        subprocess.run([*common, str(tmp_path / "there"), "cirros@127.0.0.1:there"], check=True, timeout=PATIENCE)
        subprocess.run([*common, "cirros@127.0.0.1:there", str(tmp_path / "back")], check=True, timeout=PATIENCE)
        assert (tmp_path / "back").read_text() == "hello"


def test_a_network_card_plugged_in_later_comes_up(guest: Guest) -> None:
    guest.tell_monitor("netdev_add user,id=late,net=10.9.0.0/24", "device_add virtio-net-pci,netdev=late,id=latecard")
    eventually(lambda: "10.9.0.15/24" in guest.run("ip -4 -o addr"), "an address on the new card")
    guest.tell_monitor("device_del latecard")
    eventually(lambda: "eth1" not in guest.run("ip -o link"), "the card to go away")


def test_reboot_keeps_the_host_keys_and_does_not_run_user_data_again(guest: Guest) -> None:
    keys = guest.run("sudo cat /etc/dropbear/dropbear_ed25519_host_key | md5sum")
    guest.run("sudo touch /run/before")
    guest.run("sudo sh -c '(sleep 1; reboot) >/dev/null 2>&1 &'")  # a connection would hang when its guest has gone
    guest.wait_for_ssh(boots=2)
    assert guest.answers("test ! -e /run/before")
    assert guest.run("sudo cat /etc/dropbear/dropbear_ed25519_host_key | md5sum") == keys
    assert guest.serial.read_text(errors="replace").count("user data ran") == 1


def test_the_power_button_ends_it(guest: Guest) -> None:
    guest.power_off()
    assert guest.process.returncode == 0


def test_a_server_made_of_a_snapshot_takes_its_own_name_and_keys_from_the_metadata_service(
    image: Path, tmp_path: Path
) -> None:
    service = tmp_path / "service.py"
    service.write_text(METADATA_SERVICE)
    # The service's address must lie in the emulated network; that all of it is link-local does not matter here.
    network = (
        ",net=169.254.0.0/16,host=169.254.0.2,dns=169.254.0.3,dhcpstart=169.254.0.15"
        f",guestfwd=tcp:169.254.169.254:80-cmd:{sys.executable} {service} {tmp_path}/data"
    )
    disk = make_disk(tmp_path, image, "512M")
    old, new = tmp_path / "key", tmp_path / "new"
    write_instance(tmp_path / "data", "aaaa", "original", make_key(old, "ed25519"))
    guest = Guest(tmp_path, disk, network=network, machine="q35")
    try:
        guest.wait_for_ssh()
        assert guest.run("hostname; curl -s http://169.254.169.254/openstack/latest/user_data").startswith(
            "original\n#!"
        )
        host_key = guest.run("sudo cat /etc/dropbear/dropbear_ed25519_host_key | md5sum")
        guest.power_off()

        write_instance(tmp_path / "data", "bbbb", "copy", make_key(new, "rsa"))
        guest = Guest(tmp_path, disk, network=network, machine="q35")
        guest.key = new
        guest.wait_for_ssh()
        assert guest.run("hostname") == "copy"
        assert guest.run("sudo cat /etc/dropbear/dropbear_ed25519_host_key | md5sum") != host_key
        assert guest.ssh("true", key=old).returncode == 255
        guest.wait_for("user data ran as root on copy")
    finally:
        guest.kill()


def test_without_any_instance_data_there_is_still_a_login(image: Path, tmp_path: Path) -> None:
    guest = Guest(tmp_path, make_disk(tmp_path, image, "256M"))
    try:
        guest.wait_for("pileus login:")
    finally:
        guest.kill()
