"""Which processes a cloud is made of, what each needs, and how each is made what it should be."""

import os
import pwd
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from pileus.deploy import confine, hosts
from pileus.deploy.process import Process, enter, run
from pileus.deploy.state import Cloud, Host

OVS_SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
OVN_SCHEMAS = Path("/usr/share/ovn")
NODE_INSIDE = "/run/pileus/node"  # of a host: its folder's node/
INSIDE = "/run/openvswitch"  # of a host: its folder's run/
PYTHON = (sys.executable, "-P", "-m")


def engines(cloud: Cloud) -> list[Process]:
    """Databases, switches and hypervisors: without the processes of pileus itself."""
    if cloud.fake:
        return []
    return [*central(cloud), *(process for host in cloud.hosts for process in host_engines(host))]


def services(cloud: Cloud) -> list[Process]:
    """The processes of pileus: a node on each host, and the controller."""
    return [*(node(host) for host in cloud.hosts), serve(cloud)]


def make_folders(cloud: Cloud) -> None:
    for folder in (cloud.folder, cloud.run, cloud.log, cloud.ovn, cloud.folder / "hosts"):
        folder.mkdir(parents=True, exist_ok=True)
    for host in cloud.hosts:
        libvirt = [host.folder / "libvirt" / name for name in ("etc", "lib/images", "lib/boot", "log", "cache", "run")]
        for folder in (host.run, host.log, host.folder / "node", *libvirt):
            folder.mkdir(parents=True, exist_ok=True)
    names = "".join(f"{host.tunnel_address} {host.name}\n" for host in cloud.hosts)
    # Written in place: hosts have these very files over their own.
    (cloud.run / "hosts").write_text(f"127.0.0.1 localhost\n::1 localhost\n{names}")
    (cloud.run / "resolv.conf").write_text("")


def central(cloud: Cloud) -> list[Process]:
    """OVN's two databases and what translates one into the other. Hosts reach them over unix sockets."""
    ovn = cloud.ovn

    def database(name: str) -> Process:
        file = ovn / f"{name}.db"
        return Process(
            name=f"ovn/{name}",
            argv=(
                "ovsdb-server", str(file), f"--remote=punix:{ovn / f'{name}.sock'}", f"--unixctl={ovn / f'{name}.ctl'}",
                f"--pidfile={ovn / f'{name}.pid'}", f"--log-file={cloud.log / f'ovn-{name}.log'}", *DAEMON,
            ),
            pidfile=ovn / f"{name}.pid",
            log=cloud.log / f"ovn-{name}.log",
            sockets=(ovn / f"{name}.sock",),
            before=partial(create_database, file, OVN_SCHEMAS / f"ovn-{name}.ovsschema"),
            after=partial(open_to_controller, ovn / f"{name}.sock"),
        )  # fmt: skip

    northd = Process(
        name="ovn/northd",
        argv=(
            "ovn-northd", f"--ovnnb-db=unix:{ovn / 'nb.sock'}", f"--ovnsb-db=unix:{ovn / 'sb.sock'}",
            f"--unixctl={ovn / 'northd.ctl'}", f"--pidfile={ovn / 'northd.pid'}",
            f"--log-file={cloud.log / 'ovn-northd.log'}", *DAEMON,
        ),
        pidfile=ovn / "northd.pid",
        log=cloud.log / "ovn-northd.log",
        needs=("ovn/nb", "ovn/sb"),
        env=(("OVN_RUNDIR", str(ovn)),),
    )  # fmt: skip
    return [database("nb"), database("sb"), northd]


DAEMON = ("--detach", "-vconsole:off", "-vsyslog:off")


def host_engines(host: Host) -> list[Process]:
    name, sock = host.name, host.run / "db.sock"

    def openvswitch(
        program: str,
        *arguments: str,
        sockets: tuple[Path, ...] = (),
        needs: tuple[str, ...] = (),
        before: Callable[[], None] | None = None,
        after: Callable[[], None] | None = None,
    ) -> Process:
        pidfile, log = host.run / f"{program}.pid", host.log / f"{program}.log"
        # Their control sockets go where OVS's tools look for them: inside the host, /run/openvswitch is its run folder.
        common = (f"--pidfile={pidfile}", f"--log-file={log}", *DAEMON)
        return Process(
            name=f"{name}/{program}",
            argv=(program, *arguments, *common),
            pidfile=pidfile,
            log=log,
            within=host.holder,
            sockets=sockets,
            needs=(f"{name}/hold", *needs),
            env=(("OVS_RUNDIR", INSIDE), ("OVN_RUNDIR", INSIDE), ("OVS_LOGDIR", str(host.log))),
            before=before,
            after=after,
        )

    def libvirt(program: str, socket: Path, *needs: str, before: Callable[[], None] | None = None) -> Process:
        pidfile = host.run / f"{program}.pid"
        return Process(
            name=f"{name}/{program}",
            argv=(program, "--daemon", "--pid-file", str(pidfile)),
            pidfile=pidfile,
            log=host.log / f"{program}.log",
            within=host.holder,
            sockets=(socket,),
            needs=(f"{name}/hold", *needs),
            before=before,
        )

    return [
        hold(host),
        openvswitch(
            "ovsdb-server", str(host.run / "conf.db"), f"--remote=punix:{sock}",
            sockets=(sock,), before=partial(create_database, host.run / "conf.db", OVS_SCHEMA),
        ),
        openvswitch(
            "ovs-vswitchd", host.ovsdb, needs=(f"{name}/ovsdb-server",),
            before=partial(init_switch, host), after=partial(configure_switch, host),
        ),
        openvswitch("ovn-controller", host.ovsdb, needs=(f"{name}/ovs-vswitchd", "ovn/sb")),
        libvirt("virtlogd", host.libvirt_socket.with_name("virtlogd-sock"), before=partial(configure_libvirt, host)),
        libvirt("libvirtd", host.libvirt_socket, f"{name}/virtlogd"),
    ]  # fmt: skip


def hold(host: Host) -> Process:
    return Process(
        name=f"{host.name}/hold",
        argv=(
            "nsenter", f"--net={hosts.NAMESPACES / host.namespace}", "--",
            *PYTHON, "pileus.deploy.hold", str(host.folder), host.name, host.cloud.accel or "tcg",
        ),
        pidfile=host.holder,
        log=host.log / "hold.log",
        forks=False,
        before=partial(hosts.ensure_wires, host.cloud, host.index, host.namespace),
    )  # fmt: skip


def node(host: Host) -> Process:
    user = confine.user_of_controller()
    return Process(
        name=f"{host.name}/node",
        argv=(
            *PYTHON, "pileus", "node", "--dir", NODE_INSIDE, "--name", host.name, "--socket", str(host.socket),
            "--libvirt", "qemu+unix:///system?socket=/run/libvirt/libvirt-sock",
            "--ovsdb", host.ovsdb, "--accel", host.cloud.accel or "tcg",
            *(("--group", user.pw_name) if user else ()),
        ),
        pidfile=host.run / "node.pid",
        log=host.log / "node.log",
        forks=False,
        within=host.holder,
        sockets=(host.socket,),
        needs=(f"{host.name}/libvirtd", f"{host.name}/ovs-vswitchd"),
    )  # fmt: skip


def serve(cloud: Cloud) -> Process:
    user = confine.user_of_controller()
    confined = (*PYTHON, "pileus.deploy.confine", user.pw_name, str(cloud.folder)) if user else ()
    return Process(
        name="serve",
        argv=(*confined, *PYTHON, "pileus", "serve", "--state", str(cloud.folder)),
        pidfile=cloud.run / "serve.pid",
        log=cloud.log / "serve.log",
        forks=False,
        before=partial(confine.give, cloud.folder),
        ready=partial(serves, cloud.port),
        needs=() if cloud.fake else ("ovn/nb", "ovn/sb"),
    )


def serves(port: int) -> bool:
    """Whether the identity API answers. Asked many times a second while a controller starts, so it must cost nothing."""
    with socket.socket() as probe:
        try:
            # Who connects to a port of the ephemeral range where nobody listens may be given that very port himself,
            # be connected to himself, and hold the port.
            probe.bind(("127.0.0.1", 0))
            if probe.getsockname()[1] == port:
                return False
            probe.settimeout(2)
            probe.connect(("127.0.0.1", port))
            probe.sendall(f"GET /v3 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
            return probe.recv(12) == b"HTTP/1.1 200"
        except OSError:
            return False


def create_database(file: Path, schema: Path) -> None:
    # A lock that outlived its process is no obstacle: ovsdb-server locks with fcntl.
    if not file.exists():
        run("ovsdb-tool", "create", str(file), str(schema))


def open_to_controller(socket: Path) -> None:
    if user := confine.user_of_controller():
        os.chown(socket, 0, user.pw_gid)
        socket.chmod(0o660)


def vsctl(host: Host, *arguments: str) -> str:
    return run("ovs-vsctl", f"--db={host.ovsdb}", "--timeout=20", *arguments)


def init_switch(host: Host) -> None:
    vsctl(host, "--no-wait", "init")


def configure_switch(host: Host) -> None:
    """Bridges, and where this host finds the rest of the cloud."""
    cloud = host.cloud
    datapath = f"datapath_type={cloud.datapath}"
    vsctl(
        host,
        # br-phy carries the tunnel's address: the userspace datapath encapsulates by itself and needs it on a bridge.
        "--may-exist", "add-br", "br-phy", "--", "set", "bridge", "br-phy", datapath,
        f"other-config:hwaddr={quoted(hosts.mac(cloud, f'br-phy {host.index}'))}", "--",
        "--may-exist", "add-port", "br-phy", "tunnel", "--",
        "--may-exist", "add-br", "br-ex", "--", "set", "bridge", "br-ex", datapath,
        f"other-config:hwaddr={quoted(hosts.mac(cloud, f'br-ex {host.index}'))}", "--",
        "--may-exist", "add-port", "br-ex", "external", "--",
        "--may-exist", "add-br", "br-int", "--", "set", "bridge", "br-int", datapath, "fail-mode=secure",
        "other-config:disable-in-band=true", "--",
        "set", "open", ".",
        f"external-ids:system-id={host.name}",
        f"external-ids:hostname={host.name}",
        f"external-ids:ovn-remote={quoted(f'unix:{cloud.ovn}/sb.sock')}",
        "external-ids:ovn-encap-type=geneve",
        f"external-ids:ovn-encap-ip={host.tunnel_address}",
        f"external-ids:ovn-bridge-datapath-type={cloud.datapath}",
        f"external-ids:ovn-bridge-mappings={cloud.external.physnet}:br-ex",
        "external-ids:ovn-cms-options=enable-chassis-as-gw",
    )  # fmt: skip
    # The bridge's own device is new after every start of ovs-vswitchd.
    hosts.ip(
        f"addr replace {host.tunnel_address}/24 dev br-phy",
        "link set br-phy up",
        "link set br-ex up",
        namespace=host.namespace,
    )


def quoted(text: str) -> str:
    """A string for ovs-vsctl, which otherwise reads punctuation."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def configure_libvirt(host: Host) -> None:
    etc = host.folder / "libvirt/etc"
    (etc / "libvirtd.conf").write_text(libvirtd_conf(host))
    (etc / "qemu.conf").write_text(qemu_conf(host))
    (etc / "virtlogd.conf").write_text("max_clients = 1024\n")


def libvirtd_conf(host: Host) -> str:
    # Only unix sockets, and only root may open them. The node has one connection, and by default five calls at once:
    # five slow starts would hold up everything else on the host.
    return f"""\
host_uuid = "{host.uuid}"
listen_tls = 0
listen_tcp = 0
unix_sock_rw_perms = "0700"
unix_sock_ro_perms = "0700"
auth_unix_rw = "none"
auth_unix_ro = "none"
max_client_requests = 64
log_outputs = "2:file:{host.log / "libvirtd.log"}"
"""


def qemu_conf(host: Host) -> str:
    """Guests run as another user than root, without most system calls, with a /dev of their own."""
    user, group = qemu_user()
    return f"""\
user = "{user}"
group = "{group}"
dynamic_ownership = 1
remember_owner = 0
security_driver = "none"
seccomp_sandbox = 1
migration_host = "{host.tunnel_address}"
migration_address = "{host.tunnel_address}"
"""


def qemu_user() -> tuple[str, str]:
    """Debian's and Ubuntu's name for it; others run QEMU as `qemu`; root where there is neither."""
    for name in ("libvirt-qemu", "qemu"):
        try:
            account = pwd.getpwnam(name)
        except KeyError:
            continue
        return name, f"+{account.pw_gid}"
    return "root", "root"


def enter_host(host: Host) -> list[str]:
    return enter(host.holder, host.cloud.hash)
