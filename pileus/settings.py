"""The few options of a cloud, as `cloud.json` in its state folder keeps them."""

import re
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


class SecurityCompliance(msgspec.Struct, kw_only=True):
    """What passwords and log-ins must keep to, by the names of keystone.conf's section of this name; 0 means no rule."""

    lockout_failure_attempts: int = 0
    lockout_duration: int = 1800  # seconds
    password_expires_days: int = 0
    unique_last_password_count: int = 0
    minimum_password_age: int = 0  # days
    password_regex: str = ""
    password_regex_description: str = ""
    change_password_upon_first_use: bool = False
    disable_user_account_days_inactive: int = 0


class LogInLimits(msgspec.Struct, kw_only=True):
    """How many log-ins may fail within `seconds` before further ones are answered 429; 0 means any number."""

    seconds: int = 60
    per_user: int = 30
    per_address: int = 300


class Kerberos(msgspec.Struct, kw_only=True):
    """Log-in by Kerberos, where there is a keytab: `realms` says which domain a realm's users are in, by name."""

    keytab: str = ""
    realms: dict[str, str] = {}


class SyncRealm(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Clusters that share a key; `clusters` says where each one's API is, an empty address for this cloud's own."""

    key: str
    key2: str = ""  # also taken, for the time in which the key is changed
    clusters: dict[str, str] = {}


class ObjectStorage(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """With whom containers may be kept the same; `sync_hosts` may be named by their address, without a realm."""

    sync_realms: dict[str, SyncRealm] = {}
    sync_hosts: list[str] = []


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
    image: dict[str, Any] = {}  # stores, imports, cache: the image service's own, see image/options.py
    object_storage: ObjectStorage = msgspec.field(default_factory=ObjectStorage)
    network_quotas: dict[str, int] = {}  # what of the network's resources a project may have by default; -1: any number
    log_level: str = "info"
    security_compliance: SecurityCompliance = msgspec.field(default_factory=SecurityCompliance)
    log_in_limits: LogInLimits = msgspec.field(default_factory=LogInLimits)
    kerberos: Kerberos = msgspec.field(default_factory=Kerberos)
    totp_previous_windows: int = 1  # a code is taken this many half minutes after its own
    cors_allowed_origins: list[str] = []  # web pages elsewhere that may call the APIs; `*` for all
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
    try:
        check(found)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return found


def check(settings: Settings) -> None:
    """What types alone do not tell. Raises ValueError."""
    try:
        re.compile(settings.security_compliance.password_regex)
    except re.error as error:
        raise ValueError(f"security_compliance.password_regex is no regular expression: {error}") from error
    numbers = [*msgspec.structs.astuple(settings.security_compliance), *msgspec.structs.astuple(settings.log_in_limits)]
    if any(isinstance(value, int) and value < 0 for value in numbers):
        raise ValueError("the numbers of security_compliance and log_in_limits are none below 0")
