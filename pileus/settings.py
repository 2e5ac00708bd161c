"""The few options of a cloud, as `cloud.json` in its state folder keeps them."""

from pathlib import Path
from typing import Any

import msgspec

CONFIG = "cloud.json"


class NodeAddress(msgspec.Struct):
    """How a host's node process is reached."""

    name: str
    socket: str


class External(msgspec.Struct):
    """The provider network that leads out of the cloud."""

    physnet: str = "public"
    cidr: str = "172.24.4.0/24"
    gateway: str = "172.24.4.1"
    dns: list[str] = []


class Settings(msgspec.Struct, kw_only=True):
    """`port` serves every API, `port + 1` images and objects; fake_nodes replaces engines by stateful fakes."""

    state: str = ""
    host: str = "127.0.0.1"
    port: int = 5000
    region: str = "RegionOne"
    public_url: str = ""  # where clients reach this cloud, when not http://host:port
    database_url: str = ""
    nodes: list[NodeAddress] = []
    fake_nodes: int = 0
    ovn_nb: str = ""
    ovn_sb: str = ""
    external: External = msgspec.field(default_factory=External)
    policy_file: str = ""
    enforce_scope: bool = True  # a rule's scope counts: a token of a domain is not one of the system or a project
    limit_model: str = "flat"  # how unified limits of a domain and its projects relate: flat or strict_two_level
    token_seconds: int = 3600 * 4
    token_provider: str = "fernet"  # or jws: what new tokens are; both are read
    dns_domain: str = "openstacklocal."  # of ports' names, as DHCP and the internal DNS tell them
    dhcp_domain: str = "novalocal"  # of servers' names, as metadata tells them
    image_content_check: bool = True
    image_property_protections: str = ""  # a file: who may do what with which properties of images
    image_property_rules: str = "roles"  # or policies: what that file's values are
    log_level: str = "info"
    extra: dict[str, Any] = {}

    @property
    def folder(self) -> Path:
        return Path(self.state)

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite:///{self.folder / 'pileus.db'}"

    @property
    def url(self) -> str:
        return self.public_url or f"http://{self.host}:{self.port}"

    @property
    def bodies_url(self) -> str:
        """Where images and objects are served: a process of its own, so that bodies never delay the APIs."""
        return self.public_url or f"http://{self.host}:{self.port + 1}"


def load(state: Path) -> Settings:
    """Raises ValueError with a reason a person can act on."""
    path = state / CONFIG
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Settings) if path.exists() else Settings()
    except (msgspec.DecodeError, OSError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    found.state = str(state)
    return found
