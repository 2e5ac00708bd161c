"""What of a cloud runs, and where it writes to."""

import os
import time
from pathlib import Path
from typing import Any

from pileus.deploy import plan
from pileus.deploy.process import pid_of
from pileus.deploy.state import Cloud


def of(cloud: Cloud) -> dict[str, Any]:
    """state: `running`, `stopped`, `degraded` when some of it runs, or `left over` of a cloud that nobody knows."""
    files = {"supervisor": cloud.run / "supervisor.pid"}
    files |= {process.name: process.pidfile for process in [*plan.engines(cloud), *plan.services(cloud)]}
    processes = []
    for name, file in files.items():
        pid = pid_of(file, cloud.hash)
        processes.append({"name": name, "pid": pid, "seconds": age(pid) if pid else None})
    running = [process for process in processes if process["pid"]]
    state = "running" if len(running) == len(processes) else "degraded" if running else "stopped"
    if not cloud.nodes:
        state = "left over"
    return {
        "state": state,
        "folder": str(cloud.folder),
        "auth_url": cloud.auth_url,
        "nodes": cloud.nodes,
        "fake": cloud.fake,
        "datapath": None if cloud.fake else cloud.datapath,
        "accelerator": None if cloud.fake else cloud.accel or "tcg",
        "external_network": None if cloud.fake else cloud.external.cidr,
        "processes": processes,
    }


def text(report: dict[str, Any]) -> str:
    kind = "fake cloud" if report["fake"] else f"cloud of {report['nodes']} node{'s' if report['nodes'] > 1 else ''}"
    lines = [f"{kind} in {report['folder']}: {report['state']}", f"  API       {report['auth_url']}"]
    if not report["fake"]:
        lines.append(f"  guests    {report['accelerator']}, OVS datapath {report['datapath']}")
        lines.append(f"  external  {report['external_network']}")
    for process in report["processes"]:
        seconds = process["seconds"]
        what = f"pid {process['pid']:<8} up {duration(seconds)}" if process["pid"] else "not running"
        lines.append(f"  {process['name']:24} {what}")
    return "\n".join(lines)


def duration(seconds: float) -> str:
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {int(seconds % 60)} s" if minutes else f"{int(seconds)} s"


def age(pid: int) -> float:
    """Seconds since it was started."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - int(words[19]) / os.sysconf("SC_CLK_TCK"))


def logs(cloud: Cloud) -> dict[str, Path]:
    """The log of every process, by its name."""
    files = {"supervisor": cloud.log / "supervisor.log"}
    return files | {process.name: process.log for process in [*plan.services(cloud), *plan.engines(cloud)]}
