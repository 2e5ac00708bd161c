"""What this machine can do: asked by trying, with a time limit, never by looking at a device node."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from pileus.deploy.process import PATH

KERNELS = Path("/boot")


def datapath() -> str:
    """OVS's datapath: the kernel's where it has the modules, else the one in user space."""
    for module in ("openvswitch", "geneve"):
        if not Path(f"/sys/module/{module}").exists():
            modprobe = shutil.which("modprobe", path=PATH)
            if not modprobe or subprocess.run([modprobe, "-q", module], stderr=subprocess.DEVNULL).returncode != 0:
                return "netdev"
    return "system"


def accelerator(more_kernels: Iterable[Path] = ()) -> str:
    """`kvm` when a Linux kernel really boots under it, `tcg` when not; empty when there is no kernel to try with.

    The kernel finds no root file system, panics, and reboots at once, which ends QEMU: half a second where KVM works.
    Some virtual machines have a /dev/kvm under which any guest hangs, or QEMU ends on an assertion.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    kernels = [*sorted(KERNELS.glob("vmlinuz-*"), reverse=True), *more_kernels]
    readable = [kernel for kernel in kernels if os.access(kernel, os.R_OK)]
    if not readable:
        return ""
    try:
        done = subprocess.run(
            [
                "qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-machine", "q35", "-m", "256", "-nodefaults",
                "-display", "none", "-no-reboot", "-kernel", str(readable[0]), "-append", "panic=-1 quiet",
            ],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=10,
            env={"PATH": PATH},
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return "tcg"
    return "kvm" if done.returncode == 0 else "tcg"
