"""qemu-img on what strangers made: a disk's facts, and the same disk in another format."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from pileus.core.confined import command
from pileus.core.errors import EngineError, UnsupportedMediaType

QEMU_NAMES = {
    "raw": "raw", "qcow2": "qcow2", "vmdk": "vmdk", "vdi": "vdi", "vhd": "vpc", "vhdx": "vhdx", "ploop": "parallels",
    "iso": "raw", "gpt": "raw",
}  # fmt: skip
INSPECT_SECONDS = 30
CONVERT_SECONDS = 3600
MAX_DISK = 16 << 40
CHUNK = 1 << 20


def info(path: Path, disk_format: str) -> dict[str, Any]:
    """What qemu-img says of the file. Raises UnsupportedMediaType, EngineError."""
    with path.open("rb") as file:
        _let_in(file.fileno())
        told = _run(
            command(
                "qemu-img", "info", "--output=json", "-f", QEMU_NAMES[disk_format], f"/proc/self/fd/{file.fileno()}",
                seconds=INSPECT_SECONDS,
            ),
            (file.fileno(),),
            INSPECT_SECONDS + 30,
        )  # fmt: skip
    found: dict[str, Any] = json.loads(told)
    data = found.get("format-specific", {}).get("data", {})
    if found.get("backing-filename") or data.get("data-file"):
        raise UnsupportedMediaType("The image points to other files: flatten it first (qemu-img convert).")
    return found


def convert(source: Path, disk_format: str, target: Path, wanted: str) -> None:
    """`target` becomes the same disk in another format. Raises UnsupportedMediaType, EngineError; then it is gone."""
    if disk_format not in QEMU_NAMES:
        raise UnsupportedMediaType(f"An image of disk_format {disk_format} cannot be converted.")
    size = int(info(source, disk_format).get("virtual-size", 0))
    if size > MAX_DISK:
        raise UnsupportedMediaType(f"The image is a disk of {size} bytes: that is more than is converted here.")
    options = ["-o", "subformat=streamOptimized"] if wanted == "vmdk" else []
    with source.open("rb") as read:
        file = os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        try:
            if os.geteuid() == 0:
                os.fchown(file, 65534, 65534)
            _run(
                command(
                    "qemu-img", "convert", "-f", QEMU_NAMES[disk_format], "-O", wanted, *options,
                    f"/proc/self/fd/{read.fileno()}", f"/proc/self/fd/{file}",
                    seconds=CONVERT_SECONDS, file_size=2 * size + (1 << 30),
                ),
                (read.fileno(), file),
                CONVERT_SECONDS,
            )  # fmt: skip
            if os.geteuid() == 0:
                os.fchown(file, 0, 0)
            os.fsync(file)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        finally:
            os.close(file)


def _let_in(file: int) -> None:
    """The confined child opens its input again as nobody; the folders above let no other stranger in."""
    if os.geteuid() == 0:
        os.fchmod(file, os.fstat(file).st_mode | 0o004)


def _run(argv: list[str], files: tuple[int, ...], seconds: float) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds, pass_fds=files)
    except subprocess.TimeoutExpired:
        raise EngineError(f"qemu-img has worked for {seconds:g} seconds without an end") from None
    if done.returncode == 0:
        return done.stdout
    words = (done.stderr.strip() or done.stdout.strip() or f"it ended with {done.returncode}").splitlines()[-1]
    if done.returncode == 127:
        raise EngineError("qemu-img is not installed: install qemu-utils")
    raise UnsupportedMediaType(f"qemu-img cannot read the image: {words[-300:]}")
