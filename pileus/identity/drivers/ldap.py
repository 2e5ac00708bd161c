"""A directory that speaks LDAP, through python-ldap (OpenLDAP's library): a connection a call, bounded in time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pileus.core import log
from pileus.core.errors import Unavailable
from pileus.identity.drivers.patience import Patience
from pileus.identity.ldap.entries import Circle, Person, circle, person, plain, text
from pileus.identity.ldap.options import Options, further

try:
    import ldap
    import ldap.dn
    import ldap.filter
    from ldap.controls import SimplePagedResultsControl
except ImportError:  # an extra, as it is compiled against the host's library
    ldap = None

_log = log.logger("pileus.identity")
_SECONDS = 5  # for one answer, where the options do not say
_AGAIN = 5.0  # seconds before a directory that did not answer is asked again
_DN_ONLY = ["1.1"]
_ALIASES = {"never": 0, "searching": 1, "finding": 2, "always": 3}
_MOST_PAGES = 100_000
_MOST_TERMS = 100  # of one condition


class LdapDirectory:
    def __init__(self, options: Options):
        if ldap is None:
            raise Unavailable("This controller cannot speak LDAP: install python-ldap (pip install pileus[ldap]).")
        self.options = options
        self.seconds = options.connection_timeout if options.connection_timeout > 0 else _SECONDS
        self._patience = Patience(_silent, _AGAIN)
        self._scope = ldap.SCOPE_ONELEVEL if options.query_scope == "one" else ldap.SCOPE_SUBTREE

    # -- the contract ----------------------------------------------------------------------------------------------

    def people(self) -> list[Person]:
        with self._service() as connection:
            enabled = self._enabled_ones(connection)
            return list(self._people(connection, "", enabled))

    def circles(self) -> list[Circle]:
        with self._service() as connection:
            return list(self._circles(connection, "", with_members=True))

    def find(self, *, name: str | None = None, local_id: str | None = None) -> Person | None:
        options = self.options
        attribute, wanted = (
            (options.user_name_attribute, name) if name is not None else (options.user_id_attribute, local_id)
        )
        condition = f"({attribute}={ldap.filter.escape_filter_chars(wanted or '')})"
        with self._patience.waiting(), self._service() as connection:
            found = list(self._people(connection, condition, self._enabled_ones(connection)))
        # directories compare without regard to capitals: what they find has to be what was asked for
        if name is not None:
            found = [one for one in found if one.name.lower() == name.lower()]
        return found[0] if len(found) == 1 else None

    def circles_of(self, members: list[str]) -> list[Circle]:
        attribute = self.options.group_member_attribute
        with self._patience.waiting(), self._service() as connection:
            found = {}
            for start in range(0, len(members), _MOST_TERMS):
                terms = (ldap.filter.escape_filter_chars(member) for member in members[start : start + _MOST_TERMS])
                condition = "(|" + "".join(f"({attribute}={term})" for term in terms) + ")"
                found.update({one.dn: one for one in self._circles(connection, condition, with_members=False)})
            return list(found.values())

    def proves(self, dn: str, password: str) -> bool:
        # a bind without a password is one as nobody, and succeeds
        if not password or "\0" in password:
            return False
        with self._patience.waiting(), self._answering():
            connection = self._connect()
            try:
                connection.simple_bind_s(dn, password)
                return True
            except (
                ldap.INVALID_CREDENTIALS, ldap.INAPPROPRIATE_AUTH, ldap.UNWILLING_TO_PERFORM, ldap.NO_SUCH_OBJECT,
                ldap.CONSTRAINT_VIOLATION, ldap.INVALID_DN_SYNTAX, ldap.INSUFFICIENT_ACCESS,
            ):  # fmt: skip
                return False
            finally:
                _close(connection)

    # -- searching -------------------------------------------------------------------------------------------------

    def _people(self, connection: Any, condition: str, enabled: set[str] | None) -> Iterator[Person]:
        options = self.options
        wanted = [
            options.user_id_attribute, options.user_name_attribute, options.user_description_attribute,
            options.user_mail_attribute, options.user_enabled_attribute, options.user_default_project_id_attribute,
            *(source for source, _ in further(options.user_additional_attribute_mapping)),
        ]  # fmt: skip
        bounds = f"(objectClass={options.user_objectclass}){options.user_filter or ''}{condition}"
        for dn, attributes in self._search(connection, options.users_below, f"(&{bounds})", wanted):
            found = person(options, dn, _rdn(dn), attributes, enabled)
            if found is not None:
                yield found

    def _circles(self, connection: Any, condition: str, with_members: bool) -> Iterator[Circle]:
        options = self.options
        wanted = [
            options.group_id_attribute, options.group_name_attribute, options.group_desc_attribute,
            options.group_member_attribute if with_members else None,
            *(source for source, _ in further(options.group_additional_attribute_mapping)),
        ]  # fmt: skip
        bounds = f"(objectClass={options.group_objectclass}){options.group_filter or ''}{condition}"
        for dn, attributes in self._search(connection, options.groups_below, f"(&{bounds})", wanted):
            found = circle(options, dn, _rdn(dn), attributes)
            if found is not None:
                yield found

    def _enabled_ones(self, connection: Any) -> set[str] | None:
        """The plain DNs of a group whose members alone are enabled, where the options say that there is one."""
        options = self.options
        if not options.user_enabled_emulation:
            return None
        attribute = options.group_member_attribute if options.user_enabled_emulation_use_group_config else "member"
        try:
            found = connection.search_ext_s(
                options.enabled_group, ldap.SCOPE_BASE, "(objectClass=*)", [attribute], timeout=self.seconds
            )
        except ldap.NO_SUCH_OBJECT:
            return set()
        members = [text(value) for dn, held in found if dn for values in held.values() for value in values]
        return {plain(member) for member in members if member}

    def _search(
        self, connection: Any, base: str, condition: str, wanted: list[str | None]
    ) -> Iterator[tuple[str, dict[str, list[bytes]]]]:
        """Page after page, where the options want pages: a directory may refuse to tell more at once."""
        attributes = [name for name in wanted if name] or _DN_ONLY
        paging = SimplePagedResultsControl(True, size=self.options.page_size, cookie="")
        for _ in range(_MOST_PAGES):
            controls = [paging] if self.options.page_size > 0 else None
            try:
                asked = connection.search_ext(base, self._scope, condition, attributes, serverctrls=controls)
                _, found, _, answered = connection.result3(asked, timeout=self.seconds)
            except ldap.NO_SUCH_OBJECT:
                return
            for dn, held in found:
                if dn is not None:  # else a referral, and not an entry
                    yield dn, held
            cookies = [control.cookie for control in answered if control.controlType == paging.controlType]
            if not controls or not cookies or not cookies[0]:
                return
            paging.cookie = cookies[0]

    # -- connecting ------------------------------------------------------------------------------------------------

    @contextmanager
    def _service(self) -> Iterator[Any]:
        """A connection as the user that the options name, or as nobody."""
        with self._answering():
            connection = self._connect()
            try:
                if self.options.user:
                    connection.simple_bind_s(self.options.user, self.options.password or "")
                yield connection
            finally:
                _close(connection)

    def _connect(self) -> Any:
        options = self.options
        connection = ldap.initialize(" ".join(options.url.replace(",", " ").split()))
        connection.set_option(ldap.OPT_PROTOCOL_VERSION, ldap.VERSION3)
        connection.set_option(ldap.OPT_NETWORK_TIMEOUT, self.seconds)
        connection.set_option(ldap.OPT_TIMEOUT, self.seconds)
        connection.set_option(ldap.OPT_REFERRALS, int(bool(options.chase_referrals)))
        if options.alias_dereferencing in _ALIASES:
            connection.set_option(ldap.OPT_DEREF, _ALIASES[options.alias_dereferencing])
        if options.use_tls or "ldaps:" in options.url.lower():
            wanted = {"demand": ldap.OPT_X_TLS_DEMAND, "allow": ldap.OPT_X_TLS_ALLOW, "never": ldap.OPT_X_TLS_NEVER}
            connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, wanted[options.tls_req_cert])
            if options.tls_cacertfile:
                connection.set_option(ldap.OPT_X_TLS_CACERTFILE, options.tls_cacertfile)
            if options.tls_cacertdir:
                connection.set_option(ldap.OPT_X_TLS_CACERTDIR, options.tls_cacertdir)
            connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        if options.use_tls and "ldaps:" not in options.url.lower():
            connection.start_tls_s()
        return connection

    @contextmanager
    def _answering(self) -> Iterator[None]:
        self._patience.check()
        try:
            yield
        except ldap.LDAPError as error:
            if isinstance(error, ldap.SERVER_DOWN | ldap.TIMEOUT | ldap.CONNECT_ERROR | ldap.TIMELIMIT_EXCEEDED):
                self._patience.silent()
            raise _silent(f"{type(error).__name__}: {error}") from None


def _close(connection: Any) -> None:
    try:
        connection.unbind_ext_s()
    except ldap.LDAPError:
        _log.debug("a directory's connection was gone already")


def _rdn(dn: str) -> dict[str, str]:
    """What an entry is called by, attribute to value."""
    try:
        return {name.lower(): value for name, value, _ in ldap.dn.str2dn(dn)[0]}
    except (ldap.DECODING_ERROR, IndexError):
        return {}


def _silent(detail: str) -> Unavailable:
    return Unavailable("The domain's directory does not answer as it should; try again.", detail=detail)
