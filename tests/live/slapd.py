"""A real OpenLDAP server on loopback, with a small company in it."""

import datetime
import ipaddress
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

SUFFIX = "dc=corp,dc=test"
ADMIN, PASSWORD = f"cn=admin,{SUFFIX}", "root secret"
_CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
pidfile {folder}/slapd.pid
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
modulepath /usr/lib/ldap
moduleload back_mdb
sizelimit size.soft=3 size.hard=3 size.prtotal=unlimited
database mdb
maxsize 10485760
suffix "{suffix}"
rootdn "{admin}"
rootpw "{password}"
directory {folder}/data
access to attrs=userPassword by anonymous auth by * none
access to * by * read
limits dn.exact="cn=reader,{suffix}" size.soft=3 size.hard=3 size.prtotal=unlimited
"""


def person(name: str, password: str, uid: str = "") -> str:
    uid = uid or name
    return (
        f"dn: cn={name},ou=Users,{SUFFIX}\nobjectClass: inetOrgPerson\ncn: {name}\nsn: {name}\nuid: {uid}\n"
        f"mail: {uid}@corp.test\nuserPassword: {password}\ndescription: {uid} of corp\n\n"
    )


def company() -> str:
    """As LDIF: eight people, more than the server tells at once; groups, one in another; hostile names among them."""
    text = f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\ndc: corp\no: Corp\n\n"
    for unit in ("Users", "UserGroups"):
        text += f"dn: ou={unit},{SUFFIX}\nobjectClass: organizationalUnit\nou: {unit}\n\n"
    text += (
        f"dn: cn=reader,{SUFFIX}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\ncn: reader\n"
        "userPassword: reader secret\n\n"
    )
    for name in ("alice", "bob", "carol", "dave", "erin", "frank"):
        text += person(name, f"{name} secret")
    text += person("star *)(cn=*", "star secret", "star")
    text += (
        person("back\\5Cslash", "slash secret", "slash")
        .replace("cn: back\\5Cslash", "cn: back\\slash")
        .replace("sn: back\\5Cslash", "sn: back\\slash")
    )
    for group, members in (("ops", ("alice", "bob")), ("dev", ("alice",))):
        text += f"dn: cn={group},ou=UserGroups,{SUFFIX}\nobjectClass: groupOfNames\ncn: {group}\nou: {group}\n"
        text += "".join(f"member: cn={member},ou=Users,{SUFFIX}\n" for member in members) + "\n"
    text += f"dn: cn=staff,ou=UserGroups,{SUFFIX}\nobjectClass: groupOfNames\ncn: staff\nou: staff\n"
    text += f"member: cn=ops,ou=UserGroups,{SUFFIX}\nmember: cn=carol,ou=Users,{SUFFIX}\n\n"
    return text


def _certificate(folder: Path) -> None:
    """One that signs itself, for 127.0.0.1: who trusts it trusts nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "slapd")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "server.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.key").write_bytes(private)


class Slapd:
    def __init__(self, folder: Path):
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"ldap://127.0.0.1:{self.port}"
        (folder / "data").mkdir()
        settings = {"folder": folder, "suffix": SUFFIX, "admin": ADMIN, "password": PASSWORD}
        (folder / "slapd.conf").write_text(_CONFIG.format(**settings))
        _certificate(folder)
        (folder / "company.ldif").write_text(company())
        self._run("slapadd", "-f", str(folder / "slapd.conf"), "-l", str(folder / "company.ldif"))
        self.process: subprocess.Popen[bytes] | None = None

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run([_program(program), *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        # -d keeps it in the foreground: it ends with us
        command = [_program("slapd"), "-d", "0", "-f", str(self.folder / "slapd.conf"), "-h", self.url]
        with (self.folder / "slapd.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in range(250):
            assert self.process.poll() is None, (self.folder / "slapd.log").read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("slapd does not listen")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=20)
            self.process = None


def _program(name: str) -> str:
    return shutil.which(name) or f"/usr/sbin/{name}"


@contextmanager
def running() -> Iterator[Slapd]:
    folder = Path(tempfile.mkdtemp(prefix="pl-ldap-"))
    server = Slapd(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
