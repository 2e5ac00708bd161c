"""The state folder: where everything of one cloud is, and the files that people and `pileus serve` read."""

import hashlib
import ipaddress
import json
import os
import secrets
import shlex
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from pileus.deploy.errors import DeployError
from pileus.settings import CONFIG, NodeAddress, Settings, check

# A unix socket's address holds 107 bytes. The longest one below a state folder:
LONGEST_SOCKET = "/hosts/node-99/libvirt/run/libvirt-sock"
LONGEST_STATE = 107 - len(LONGEST_SOCKET)

REGION = "RegionOne"
# settings that no file may give: they follow from what is started
_DECIDED = {"state", "port", "region", "database_url", "nodes", "fake_nodes", "ovn_nb", "ovn_sb", "external"}


def default_folder() -> Path:
    if os.environ.get("PILEUS_STATE"):
        return Path(os.environ["PILEUS_STATE"])
    if os.geteuid() == 0:
        return Path("/var/lib/pileus")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "pileus"


@dataclass
class External:
    """The network outside the cloud: a wire from the machine, with the machine as its gateway."""

    physnet: str = "public"
    cidr: str = "172.24.4.0/24"
    gateway: str = "172.24.4.1"
    dns: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{self.gateway}/{ipaddress.ip_network(self.cidr).prefixlen}"


@dataclass
class Cloud:
    """What cloud.json says: written by `pileus up`, read by everyone else."""

    folder: Path
    id: str
    port: int = 5000
    nodes: int = 1
    fake: bool = False
    datapath: str = "netdev"
    accel: str = ""  # "" = not known yet: see probe.py
    external: External = field(default_factory=External)

    @property
    def hash(self) -> str:
        """Short name of this cloud on this machine, from the folder: unique among what exists at one time."""
        return hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:6]

    @property
    def prefix(self) -> str:
        """Of namespaces, and the name of the veth on the machine (15 characters at most)."""
        return f"pileus-{self.hash}"

    @property
    def auth_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v3"

    @property
    def ovn(self) -> Path:
        return self.folder / "ovn"

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def underlay(self) -> str:
        """The network namespace which is the cables and switches between the hosts."""
        return f"{self.prefix}-net"

    @property
    def hosts(self) -> list["Host"]:
        return [] if self.fake else [Host(self, index) for index in range(1, self.nodes + 1)]

    def save(self, options: dict[str, Any] | None = None) -> None:
        """With settings that an operator gives; those given before (see settings.py) stay."""
        path = self.folder / CONFIG
        document: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"host": "127.0.0.1"}
        document |= options or {}
        document |= {
            "id": self.id,
            "port": self.port,
            "region": REGION,
            "database_url": f"sqlite:///{self.folder / 'pileus.db'}",
            "nodes": [{"name": host.name, "socket": str(host.socket)} for host in self.hosts],
            "fake_nodes": self.nodes if self.fake else 0,
            "ovn_nb": "" if self.fake else f"unix:{self.ovn / 'nb.sock'}",
            "ovn_sb": "" if self.fake else f"unix:{self.ovn / 'sb.sock'}",
            "external": asdict(self.external),
            "datapath": self.datapath,
            "accel": self.accel,
        }
        write(path, json.dumps(document, indent=2) + "\n", mode=0o644)


@dataclass(frozen=True)
class Host:
    """One machine of the cloud: here, a set of namespaces."""

    cloud: Cloud
    index: int

    @property
    def name(self) -> str:
        return f"node-{self.index}"

    @property
    def folder(self) -> Path:
        return self.cloud.folder / "hosts" / self.name

    @property
    def run(self) -> Path:
        return self.folder / "run"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def socket(self) -> Path:
        return self.folder / "node.sock"

    @property
    def ovsdb(self) -> str:
        return f"unix:{self.run / 'db.sock'}"

    @property
    def libvirt_socket(self) -> Path:
        """As seen from outside the host; inside it is /run/libvirt/libvirt-sock, short enough for any folder."""
        return self.folder / "libvirt/run/libvirt-sock"

    @property
    def namespace(self) -> str:
        return f"{self.cloud.prefix}-{self.index}"

    @property
    def holder(self) -> Path:
        """Pid file of the process that keeps the namespaces."""
        return self.run / "hold.pid"

    @property
    def tunnel_address(self) -> str:
        return f"192.0.2.{self.index}"

    @property
    def uuid(self) -> str:
        """libvirt's host UUID: the same after every start, another for each host."""
        return str(uuid.uuid5(uuid.UUID(self.cloud.id), self.name))


class Document(msgspec.Struct):
    """What of cloud.json is read here; settings.py has the rest."""

    id: str
    port: int
    nodes: list[NodeAddress]
    fake_nodes: int
    datapath: str
    accel: str
    external: External


def read(folder: Path) -> Cloud | None:
    """The cloud in this folder; None when there was never one."""
    path = folder / CONFIG
    try:
        document = msgspec.json.decode(path.read_bytes(), type=Document)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise DeployError(f"You may not read {error.filename}: use the account that started the cloud.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DeployError(
            f"{path} is not as `pileus up` wrote it ({error}): restore it, or choose another --state."
        ) from error
    return Cloud(
        folder=folder.resolve(),
        id=document.id,
        port=document.port,
        nodes=document.fake_nodes or len(document.nodes),
        fake=bool(document.fake_nodes),
        datapath=document.datapath,
        accel=document.accel,
        external=document.external,
    )


def options(file: Path) -> dict[str, Any]:
    """Settings of settings.py from a file. Raises DeployError for one that is unknown, wrong, or not for people to set."""
    try:
        given = json.loads(file.read_text())
        if not isinstance(given, dict):
            raise ValueError("it is no object")
        known = msgspec.to_builtins(Settings())
        if unknown := sorted(_unknown(given, known)):
            raise ValueError(f"there is no setting {', '.join(unknown)}; there are {', '.join(sorted(known))}")
        if fixed := sorted(_DECIDED & set(given)):
            raise ValueError(f"{', '.join(fixed)}: `pileus up` decides that")
        check(msgspec.convert(given, Settings))
    except (OSError, ValueError) as error:  # msgspec's errors are ValueErrors
        raise DeployError(f"{file} cannot be used: {error}.") from error
    return given


def _unknown(given: dict[str, Any], known: dict[str, Any], where: str = "") -> Iterator[str]:
    for name, value in given.items():
        if name not in known:
            yield where + name
        elif isinstance(value, dict) and isinstance(known[name], dict) and known[name]:
            yield from _unknown(value, known[name], f"{where}{name}.")


def new(folder: Path, *, port: int, nodes: int, fake: bool) -> Cloud:
    folder = folder.resolve()
    if not fake and len(os.fsencode(folder)) > LONGEST_STATE:
        raise DeployError(
            f"The state folder's path has {len(os.fsencode(folder))} bytes and unix sockets leave room for"
            f" {LONGEST_STATE}: choose a shorter --state than {folder}."
        )
    return Cloud(folder=folder, id=str(uuid.uuid4()), port=port, nodes=nodes, fake=fake)


def refuse_foreign(folder: Path) -> None:
    """A cloud takes over its whole folder, owners and all, and `down --purge` empties it: it must not be another's."""
    try:
        found = sorted(entry.name for entry in folder.iterdir())
    except FileNotFoundError:
        return
    except NotADirectoryError as error:
        raise DeployError(f"{folder} is not a folder: choose another --state.") from error
    if found and not {"secrets.json", "pileus.db"} & set(found):
        shown = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
        raise DeployError(f"{folder} has other things in it ({shown}): choose a new or an empty folder as --state.")


def passwords(folder: Path) -> dict[str, str]:
    """Random at the first start, kept afterwards."""
    path = folder / "secrets.json"
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    missing = [name for name in ("admin_password", "demo_password") if name not in known]
    if missing:
        known |= {name: secrets.token_urlsafe(15) for name in missing}
        write(path, json.dumps(known, indent=2) + "\n", mode=0o600)
    return known


def exports(cloud: Cloud, user: str) -> dict[str, str]:
    """The environment in which `openstack` is this user (admin or demo)."""
    return {
        "OS_AUTH_URL": cloud.auth_url,
        "OS_IDENTITY_API_VERSION": "3",
        "OS_REGION_NAME": REGION,
        "OS_USERNAME": user,
        "OS_PASSWORD": passwords(cloud.folder)[f"{user}_password"],
        "OS_PROJECT_NAME": user,
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_INTERFACE": "public",
    }


def export_lines(cloud: Cloud, user: str) -> str:
    # What an earlier rc file of another cloud left behind would win over these.
    stale = ("CLOUD", "TOKEN", "USER_ID", "PROJECT_ID", "SYSTEM_SCOPE", "DOMAIN_NAME", "DOMAIN_ID", "AUTH_TYPE")
    cleared = f"unset {' '.join('OS_' + name for name in stale)}\n"
    return cleared + "".join(f"export {name}={shlex.quote(value)}\n" for name, value in exports(cloud, user).items())


def clouds_yaml(cloud: Cloud) -> str:
    def entry(name: str, user: str) -> str:
        env = exports(cloud, user)
        return "\n".join(
            [
                f"  {name}:",
                f"    region_name: {REGION}",
                "    identity_api_version: 3",
                "    interface: public",
                "    auth:",
                f"      auth_url: {json.dumps(env['OS_AUTH_URL'])}",
                f"      username: {json.dumps(user)}",
                f"      password: {json.dumps(env['OS_PASSWORD'])}",
                f"      project_name: {json.dumps(user)}",
                "      user_domain_name: Default",
                "      project_domain_name: Default",
                "",
            ]
        )

    return "clouds:\n" + entry("pileus", "admin") + entry("pileus-admin", "admin") + entry("pileus-demo", "demo")


def write_client_files(cloud: Cloud) -> None:
    write(cloud.folder / "clouds.yaml", clouds_yaml(cloud), mode=0o600)
    for user in ("admin", "demo"):
        write(cloud.folder / f"keystonerc_{user}", export_lines(cloud, user), mode=0o600)


def write(path: Path, text: str, *, mode: int) -> None:
    """Whole or not at all, and never readable by more than meant, not even for a moment."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as stream:
        os.fchmod(stream.fileno(), mode)
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(temporary, path)
