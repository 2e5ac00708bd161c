"""What entries of a directory mean here."""

import uuid
from typing import Any

import pytest

from pileus.core.errors import Unavailable
from pileus.identity.ldap.entries import circle, person, plain
from pileus.identity.ldap.options import Options, read

DN = "cn=alice,ou=Users,dc=x"


def found(options: dict[str, Any], members: set[str] | None = None, **attributes: list[bytes]) -> Any:
    given = {"cn": [b"alice"], "sn": [b"Alice"], **attributes}
    return person(Options(**options), DN, {"cn": "alice"}, given, members)


@pytest.mark.parametrize(
    ("options", "value", "enabled"),
    [
        ({}, None, True),
        ({}, b"TRUE", True),
        ({}, b"false", False),
        ({"user_enabled_invert": True, "user_enabled_default": "False"}, None, True),
        ({"user_enabled_invert": True}, b"TRUE", False),
        ({"user_enabled_default": "False"}, None, False),
        ({"user_enabled_mask": 2, "user_enabled_default": "512"}, None, True),
        ({"user_enabled_mask": 2}, b"514", False),
        ({"user_enabled_mask": 2}, b"512", True),
        ({"user_enabled_mask": 2}, b"none", False),
        ({"user_attribute_ignore": ["enabled"]}, b"false", True),
    ],
)
def test_directories_say_in_several_ways_who_is_enabled(
    options: dict[str, Any], value: bytes | None, enabled: bool
) -> None:
    given = {} if value is None else {"enabled": [value]}
    assert found(options, **given).enabled is enabled


def test_membership_may_stand_for_being_enabled() -> None:
    assert found({}, {plain(DN.upper())}).enabled and not found({}, set()).enabled


def test_attributes_are_found_whatever_their_capitals() -> None:
    got = found({"user_additional_attribute_mapping": ["telephoneNumber:phone"]}, Mail=[b"a@x"], TELEPHONENUMBER=[b"1"])
    assert (got.email, got.extra) == ("a@x", {"phone": "1"})
    assert found({"user_attribute_ignore": ["email"]}, mail=[b"a@x"]).email is None


def test_an_id_in_bytes_is_a_uuid_and_one_of_several_values_is_none() -> None:
    id = uuid.uuid4()
    assert found({"user_id_attribute": "objectGUID"}, objectguid=[id.bytes_le]).local_id == str(id)
    assert found({"user_id_attribute": "uid"}, uid=[b"a", b"b"]) is None
    assert found({}, cn=[b"a", b"b"]).local_id == "alice"


@pytest.mark.parametrize("name", [[], [b""], [b"  "], [b"\xff\xfe"], [b"a\0b"], [b"x" * 300]])
def test_an_entry_without_a_usable_name_is_nobody(name: list[bytes]) -> None:
    assert found({}, sn=name) is None


def test_groups_name_members_by_dn_or_by_id() -> None:
    given = {"cn": [b"g"], "ou": [b"Group"], "member": [b"CN=Bob , OU=x", b"\xff"], "description": [b"d"]}
    assert circle(Options(), "cn=g", {}, given).members == ["cn=bob,ou=x"]  # type: ignore[union-attr]
    by_id = circle(Options(group_members_are_ids=True), "cn=g", {}, given)
    assert by_id is not None and (by_id.members, by_id.description) == (["CN=Bob , OU=x"], "d")


def test_a_dn_is_the_same_however_it_is_written() -> None:
    assert plain("CN=A B , ou = Users,dc=X") == plain("cn=a b,OU=users,DC=x")
    assert plain(r"cn=a\,b,dc=x") != plain("cn=a,b,dc=x")
    assert plain("") == "" and plain("\\") == "\\"


def test_options_come_as_strings_or_as_what_they_are() -> None:
    given = {"page_size": "5", "use_tls": "true", "user_filter": None, "pool_size": 9}
    config = {"identity": {"driver": "ldap"}, "ldap": {**given, "user_attribute_ignore": "email, enabled"}}
    options = read(config)
    assert options is not None and (options.page_size, options.use_tls) == (5, True)
    assert options.user_attribute_ignore == ["email", "enabled"]
    assert read({"identity": {"driver": "sql"}}) is None and read({}) is None
    with pytest.raises(Unavailable, match="page_size"):
        read({"identity": {"driver": "ldap"}, "ldap": {"page_size": "x"}})
