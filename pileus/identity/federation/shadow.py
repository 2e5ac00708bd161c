"""Users whom an identity provider vouches for, as rows here: they come into being, and are brought up to date, by log-in."""

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import quote

from pileus.core import clock
from pileus.core.db import Database, Tx
from pileus.core.errors import BadRequest, Conflict, Duplicate, Unauthorized
from pileus.identity import projects
from pileus.identity.federation.mapping import Mapped, Unmappable
from pileus.identity.federation.store import FederatedUser, IdentityProvider, Protocol
from pileus.identity.store import Assignment, Group, Membership, Project, Role, User, changed
from pileus.identity.tokens.provider import Token

_LONGEST = 255  # of what a column of names takes


Result = TypeVar("Result")


def settle(db: Database, work: Callable[[Tx], Result]) -> Result:
    """Work that makes rows which another may be making at this moment: the second try finds them made."""
    try:
        with db.write() as tx:
            return work(tx)
    except Duplicate:
        with db.write() as tx:
            return work(tx)


def public_id(domain_id: str, kind: str, local_id: str) -> str:
    """The id of somebody whom we have from elsewhere: always the same, and unlike any other domain's."""
    return hashlib.sha256(f"{domain_id}{kind}{local_id}".encode()).hexdigest()


def arrive(tx: Tx, idp: IdentityProvider, protocol: Protocol, mapped: Mapped, remote_user: str, until: str) -> User:
    """The user that was mapped, with the groups and projects that were. `until` is when the token to be made ends.

    Raises Unmappable when the rules named nobody, or what is not here.
    """
    if mapped.user.get("type") == "local":
        return _local(tx, mapped.user)
    name = mapped.user.get("name") or remote_user or mapped.user.get("id")
    if not name:
        raise Unmappable("the mapping gives the user neither an id nor a name")
    unique_id = quote(mapped.user.get("id") or name)
    home = _domain(tx, mapped.user["domain"]).id if mapped.user.get("domain") else idp.domain_id
    if len(name) > _LONGEST or len(unique_id) > _LONGEST or "\0" in name:
        raise Unmappable("the user's name or id is too long, or cannot be stored")
    groups = _groups(tx, mapped)
    wanted = _projects(tx, mapped, home, idp.domain_id)
    user = _shadow(tx, idp, protocol, unique_id, name, home, mapped.user.get("email"))
    ttl = clock.after(60 * idp.authorization_ttl) if idp.authorization_ttl else until
    _join(tx, user, idp, groups, max(until, ttl))
    _assign(tx, user, wanted, exactly=mapped.version == "3.0" and bool(mapped.projects))
    return user


def _local(tx: Tx, wanted: dict[str, Any]) -> User:
    """Somebody who is here anyway."""
    found = None
    if wanted.get("id"):
        found = tx.find(User, id=wanted["id"])
    elif wanted.get("name") and wanted.get("domain"):
        found = tx.find(User, domain_id=_domain(tx, wanted["domain"]).id, name=wanted["name"])
    if found is None:
        raise Unmappable("the mapping names a local user who is not here")
    return found


def _domain(tx: Tx, wanted: dict[str, Any]) -> Project:
    if wanted.get("id"):
        found = tx.find(Project, id=wanted["id"], is_domain=True)
    else:
        found = tx.find(Project, domain_id=None, name=wanted.get("name", ""))
    if found is None:
        raise Unmappable(f"the mapping names a domain that is not here: {wanted}")
    return found


def _shadow(
    tx: Tx, idp: IdentityProvider, protocol: Protocol, unique_id: str, name: str, home: str, email: str | None
) -> User:
    link = tx.find(FederatedUser, idp_id=idp.id, protocol_id=protocol.id, unique_id=unique_id)
    if link is not None:
        user = tx.get(User, id=link.user_id)
        _rename(tx, user, unique_id, name, email)
        return user
    user_id = public_id(home, "user", unique_id)
    known = tx.find(User, id=user_id)
    if known is None:
        shown = _free_name(tx, home, name, unique_id)
        extra = {"email": email} if email else {}
        known = User(user_id, shown, home, True, None, None, None, clock.now(), extra=extra)
        changed(tx)
        tx.insert(known)
    elif not tx.find(FederatedUser, idp_id=idp.id, user_id=user_id):
        # two identity providers may share a domain: neither speaks for the users of the other
        raise Unmappable(f"user {unique_id} of domain {home} belongs to another identity provider")
    tx.insert(FederatedUser(idp.id, protocol.id, unique_id, user_id))
    return known


def _rename(tx: Tx, user: User, unique_id: str, name: str, email: str | None) -> None:
    values: dict[str, Any] = {}
    # somebody with a password is an ordinary user who may also come this way, under the name given here
    if user.password_hash is None and user.name not in (name, _with_id(name, unique_id)):
        values["name"] = _free_name(tx, user.domain_id, name, unique_id)
    if email and user.extra.get("email") != email:
        values["extra"] = {**user.extra, "email": email}
    if values:
        changed(tx)
        tx.update(User, user.id, **values)
        for key, value in values.items():
            setattr(user, key, value)


def _free_name(tx: Tx, domain_id: str, name: str, unique_id: str) -> str:
    """Names are unique in a domain here, and need not be where the user comes from."""
    return name if tx.find(User, domain_id=domain_id, name=name) is None else _with_id(name, unique_id)


def _with_id(name: str, unique_id: str) -> str:
    return f"{name} ({unique_id})"


# -- groups --------------------------------------------------------------------------------------------------------------


def _groups(tx: Tx, mapped: Mapped) -> list[str]:
    """Groups by name that are not here are left out, as are their domains; an id that is not is a mistake."""
    found = []
    for group_id in mapped.group_ids:
        if tx.find(Group, id=group_id) is None:
            raise Unmappable(f"the mapping names group {group_id}, which is not here")
        found.append(group_id)
    for wanted in mapped.groups:
        group = tx.find(Group, domain_id=_domain(tx, wanted["domain"]).id, name=wanted["name"])
        if group is not None:
            found.append(group.id)
    return list(dict.fromkeys(found))


def _join(tx: Tx, user: User, idp: IdentityProvider, groups: list[str], until: str) -> None:
    """Be in these groups until then, and in no others that this identity provider gave. Ordinary memberships stay."""
    now = clock.now()
    known = {row.group_id: row for row in tx.select(Membership, user_id=user.id)}
    for group_id in groups:
        row = known.get(group_id)
        if row is None:
            tx.insert(Membership(group_id, user.id, until, idp.id))
            changed(tx)
        elif row.expires_at is not None:
            if row.expires_at <= now:
                changed(tx)
            later = max(until, row.expires_at)
            tx.update(Membership, {"group_id": group_id, "user_id": user.id}, expires_at=later, idp_id=idp.id)
    for row in known.values():
        if row.idp_id == idp.id and row.group_id not in groups:
            tx.delete(Membership, group_id=row.group_id, user_id=user.id)
            changed(tx)


# -- projects ------------------------------------------------------------------------------------------------------------

Wanted = list[tuple[str, str, set[str]]]  # domain, name, roles


def _projects(tx: Tx, mapped: Mapped, user_domain: str, idp_domain: str) -> Wanted:
    """Looked up before anything is made: every role a mapping hands out has to be here."""
    found = []
    for project in mapped.projects:
        home = _domain(tx, project["domain"]).id if project.get("domain") else idp_domain
        roles = set()
        for wanted in project["roles"]:
            name = wanted["name"]
            role = tx.find(Role, name=name, domain_id=None) or tx.find(Role, name=name, domain_id=user_domain)
            if role is None:
                raise Unmappable(f"the mapping hands out role {name}, which is not here")
            roles.add(role.id)
        if not project["name"].strip() or len(project["name"]) > 64:
            raise Unmappable("the mapping names a project by a name that no project can have")
        found.append((home, project["name"], roles))
    return found


def _assign(tx: Tx, user: User, wanted: Wanted, exactly: bool) -> None:
    """Make the projects that are missing, and have these roles there; `exactly` takes back all direct roles besides."""
    targets = set()
    for domain_id, name, roles in wanted:
        project = tx.find(Project, domain_id=domain_id, name=name)
        if project is None:
            project = projects.create_project(tx, {"name": name}, domain_id)
        for role_id in roles:
            targets.add((project.id, role_id))
            row = Assignment(user.id, project.id, role_id, 0, "user", "project")
            if not tx.find(Assignment, actor_id=user.id, target_id=project.id, role_id=role_id, inherited=0):
                tx.insert(row)
                changed(tx)
    if not exactly:
        return
    for row in tx.select(Assignment, actor_id=user.id, target_type="project"):
        if (row.target_id, row.role_id) not in targets:
            tx.delete(
                Assignment, actor_id=user.id, target_id=row.target_id, role_id=row.role_id, inherited=row.inherited
            )
            changed(tx)


# -- what bodies tell of it ----------------------------------------------------------------------------------------------


def described(tx: Tx, token: Token) -> dict[str, Any]:
    """In a token's body: how its user came, and the groups that gave it."""
    idp_id, protocol_id = token.payload.federation or ("", "")
    now = clock.now()
    given = [row for row in tx.select(Membership, order="group_id", user_id=token.user.id) if row.expires_at]
    return {
        "identity_provider": {"id": idp_id},
        "protocol": {"id": protocol_id},
        "groups": [{"id": row.group_id} for row in given if (row.expires_at or "") > now],
    }


def links_of(tx: Tx, user_id: str) -> list[dict[str, Any]]:
    """By identity provider: the protocols that the user comes by, and who it is there."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in sorted(tx.select(FederatedUser, user_id=user_id), key=lambda row: (row.idp_id, row.protocol_id)):
        found.setdefault(row.idp_id, []).append({"protocol_id": row.protocol_id, "unique_id": row.unique_id})
    return [{"idp_id": idp_id, "protocols": protocols} for idp_id, protocols in found.items()]


def link(tx: Tx, user: User, wanted: list[dict[str, Any]] | None) -> None:
    """Be known to these identity providers, and to no others. Raises BadRequest, Conflict for who is somebody else."""
    if wanted is None:
        return
    tx.delete(FederatedUser, user_id=user.id)
    for idp in wanted:
        for protocol in idp["protocols"]:
            key = {"idp_id": idp["idp_id"], "protocol_id": protocol["protocol_id"]}
            if tx.find(Protocol, idp_id=key["idp_id"], id=key["protocol_id"]) is None:
                raise BadRequest(
                    f"Invalid input for field 'federated': there is no protocol {key['protocol_id']} "
                    f"of an identity provider {key['idp_id']}."
                )
            if tx.find(FederatedUser, **key, unique_id=protocol["unique_id"]):
                raise Conflict(f"{protocol['unique_id']} of identity provider {key['idp_id']} is another user.")
            tx.insert(FederatedUser(**key, unique_id=protocol["unique_id"], user_id=user.id))


def refuse(detail: str) -> Unauthorized:
    """In the same words whatever was wrong: the log has the reason."""
    return Unauthorized("The request you have made requires authentication.", detail=detail)
