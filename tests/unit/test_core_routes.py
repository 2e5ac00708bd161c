"""The route table: what leads where, and what is refused when it is declared."""

import contextlib

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pileus.core import faults
from pileus.core.errors import BadRequest, MethodNotAllowed, NotAcceptable, NotFound
from pileus.core.microversions import Microversions, Version, version
from pileus.core.routes import RouteTable, Service, choose
from pileus.core.wire import Query, Request


def nothing(rq: Request) -> None:
    """Do nothing."""


def table() -> RouteTable:
    compute = Service("compute", "/compute/v2.1", faults.compute)
    compute.get("/servers", policy=None)(nothing)
    compute.post("/servers", policy=None)(nothing)
    compute.get("/servers/detail", policy=None)(nothing)
    compute.get("/servers/{server_id}", policy=None)(nothing)
    compute.delete("/servers/{server_id}", policy=None)(nothing)
    compute.get("/servers/{server_id}/metadata/{key}", policy=None)(nothing)
    compute.do("/servers/{server_id}/action", "reboot", policy=None)(nothing)
    compute.do("/servers/{server_id}/action", "lock", policy=None, until="2.72")(nothing)
    compute.do("/servers/{server_id}/action", "lock", policy=None, since="2.73")(nothing)
    compute.get("/old", policy=None, until="2.35")(nothing)
    objects = Service("object", "/object", faults.identity)
    objects.get("/v1/{account}/{object:path}", policy=None)(nothing)
    identity = Service("identity", "/identity", faults.identity, aliases=("",))
    identity.get("/", policy=None)(nothing)
    identity.get("/v3", policy=None)(nothing)
    return RouteTable([identity, compute, objects])


TABLE = table()


@pytest.mark.parametrize(
    ("path", "route", "params"),
    [
        ("/compute/v2.1/servers", "/servers", {}),
        ("/compute/v2.1/servers/", "/servers", {}),
        ("//compute//v2.1/servers", "/servers", {}),
        ("/compute/v2.1/servers/detail", "/servers/detail", {}),
        ("/compute/v2.1/servers/details", "/servers/{server_id}", {"server_id": "details"}),
        (
            "/compute/v2.1/servers/a/metadata/b c",
            "/servers/{server_id}/metadata/{key}",
            {"server_id": "a", "key": "b c"},
        ),
        ("/object/v1/acc/a/b//c", "/v1/{account}/{object:path}", {"account": "acc", "object": "a/b//c"}),
        ("/", "/", {}),
        ("/identity", "/", {}),
        ("/v3/", "/v3", {}),
        ("/identity/v3", "/v3", {}),
    ],
)
def test_a_path_leads_to_its_route(path: str, route: str, params: dict[str, str]) -> None:
    found, given = TABLE.find("GET", path)
    assert (found[0].path, given) == (route, params)


@pytest.mark.parametrize(
    "path", ["/compute", "/compute/v2.1", "/compute/v2.1/servers/a/b", "/v4", "/identity/v3/x", "/x"]
)
def test_a_path_nobody_declared_is_not_found(path: str) -> None:
    with pytest.raises(NotFound):
        TABLE.find("GET", path)


def test_another_method_is_refused_and_told_which_are_allowed() -> None:
    with pytest.raises(MethodNotAllowed) as refused:
        TABLE.find("PATCH", "/compute/v2.1/servers")
    assert refused.value.headers == {"allow": "GET, HEAD, POST"}
    with pytest.raises(MethodNotAllowed) as refused:
        TABLE.find("GET", "/compute/v2.1/servers/a/action")
    assert refused.value.headers == {"allow": "POST"}


def test_a_method_that_an_exact_name_has_not_is_looked_for_where_any_name_goes() -> None:
    found, params = TABLE.find("DELETE", "/compute/v2.1/servers/detail")
    assert (found[0].path, params) == ("/servers/{server_id}", {"server_id": "detail"})
    with pytest.raises(MethodNotAllowed):
        TABLE.find("PUT", "/compute/v2.1/servers/detail")


def test_head_is_answered_where_get_is() -> None:
    assert TABLE.find("HEAD", "/compute/v2.1/servers")[0][0].method == "GET"


@pytest.mark.parametrize(
    ("path", "service"),
    [("/compute/v2.1/x", "compute"), ("/compute/v2.10", "identity"),
     ("/", "identity"), ("/object", "object"), ("", "identity")],
)  # fmt: skip
def test_a_path_belongs_to_a_service_also_when_it_leads_nowhere(path: str, service: str) -> None:
    assert TABLE.service_of(path).name == service


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(), st.sampled_from(["GET", "POST", "BREW", ""]))
def test_any_path_is_found_or_refused(path: str, method: str) -> None:
    for prefix in ("", "/", "/compute/v2.1/servers/", "/object/v1/"):
        try:
            found, _ = TABLE.find(method, prefix + path)
            assert found
        except (NotFound, MethodNotAllowed):
            pass


def action(body: object, asked: str = "2.1", method: str = "POST", path: str = "/servers/a/action") -> str | None:
    rq = Request(method, f"/compute/v2.1{path}", body=msgspec.json.encode(body) if body is not None else b"")
    rq.version = version(asked)
    chosen = choose(TABLE.find(rq.method, rq.path)[0], rq)
    return f"{chosen.action} {chosen.since or ''}".strip()


def test_an_action_is_chosen_by_the_bodys_key_and_by_version() -> None:
    assert action({"reboot": {}}) == "reboot"
    assert action({"lock": None}, "2.72") == "lock"
    assert action({"lock": None}, "2.73") == "lock 2.73"


@pytest.mark.parametrize("body", [{}, {"explode": None}, {"reboot": {}, "lock": None}, [], None, "reboot"])
def test_a_body_that_names_no_action_or_several_is_refused(body: object) -> None:
    with pytest.raises(BadRequest):
        action(body)


def test_a_route_of_other_versions_is_not_found() -> None:
    assert action(None, "2.35", "GET", "/old") == "None"
    with pytest.raises(NotFound):
        action(None, "2.36", "GET", "/old")


def declared(*routes: tuple[str, str, dict[str, object]]) -> RouteTable:
    service = Service("s", "/s", faults.compute)
    for method, path, options in routes:
        service.route(method, path, policy=None, **options)(nothing)
    return RouteTable([service])


@pytest.mark.parametrize(
    "routes",
    [
        [("GET", "/a", {}), ("GET", "/a", {})],
        [("GET", "/a", {"until": "2.5"}), ("GET", "/a", {"since": "2.5"})],
        [("GET", "/a/{b}", {}), ("GET", "/a/{c}", {})],
        [("GET", "/a/{b}", {}), ("PUT", "/a/{b:path}", {})],
        [("POST", "/a", {"action": "x"}), ("POST", "/a", {"action": "x"})],
        [("POST", "/a", {"action": "x"}), ("POST", "/a", {})],
    ],
)
def test_routes_that_hide_one_another_are_refused(routes: list[tuple[str, str, dict[str, object]]]) -> None:
    with pytest.raises(ValueError, match="/s/a"):
        declared(*routes)


def test_routes_of_versions_that_follow_one_another_live_together() -> None:
    declared(("GET", "/a", {"until": "2.4"}), ("GET", "/a", {"since": "2.5"}), ("PUT", "/a", {}))


def test_a_misspelt_option_is_an_error() -> None:
    with pytest.raises(TypeError, match="polcy"):
        declared(("GET", "/a", {"polcy": "x"}))


VERSIONS = Microversions("compute", Version(2, 1), Version(2, 96), "x-openstack-nova-api-version")


@pytest.mark.parametrize(
    ("headers", "asked"),
    [
        ({}, "2.1"),
        ({"openstack-api-version": "compute 2.10"}, "2.10"),
        ({"openstack-api-version": "Compute  Latest"}, "2.96"),
        ({"openstack-api-version": "volume 3.59, compute 2.4"}, "2.4"),
        ({"openstack-api-version": "volume 3.59"}, "2.1"),
        ({"x-openstack-nova-api-version": "2.7"}, "2.7"),
        ({"x-openstack-nova-api-version": "latest"}, "2.96"),
        ({"openstack-api-version": "compute 2.5", "x-openstack-nova-api-version": "2.7"}, "2.5"),
    ],
)
def test_both_header_forms_ask_for_a_version(headers: dict[str, str], asked: str) -> None:
    found = VERSIONS.asked(headers)
    assert str(found) == asked
    assert VERSIONS.answer(found)["openstack-api-version"] == f"compute {asked}"
    assert VERSIONS.answer(found)["x-openstack-nova-api-version"] == asked


@pytest.mark.parametrize(
    "text", ["", "2", "2.", "2.01", "02.1", "two", "2.1.1", "2.٣", "9" * 5000 + ".1", "2.1\n", "-2.1"]
)
def test_what_is_no_version_is_a_bad_request(text: str) -> None:
    with pytest.raises(BadRequest, match="invalid format"):
        version(text)


@pytest.mark.parametrize("text", ["1.1", "2.0", "2.97", "3.1", "999999999.999999999"])
def test_versions_outside_the_range_are_not_acceptable(text: str) -> None:
    with pytest.raises(NotAcceptable) as refused:
        VERSIONS.asked({"openstack-api-version": f"compute {text}"})
    assert refused.value.extra == {"min_version": "2.1", "max_version": "2.96"}


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text())
def test_any_version_header_is_understood_or_refused(text: str) -> None:
    for headers in ({"openstack-api-version": f"compute {text}"}, {"x-openstack-nova-api-version": text}):
        with contextlib.suppress(BadRequest, NotAcceptable):
            VERSIONS.asked(headers)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.one_of(st.text(max_size=20), st.from_regex(r"-*[0-9٣]{0,20}", fullmatch=True)))
def test_any_query_value_is_a_number_or_flag_or_refused(text: str) -> None:
    query = Query("")
    query.pairs = [("q", text)]
    for read in (query.number, query.flag):
        try:
            read("q")
        except BadRequest as refused:
            assert "query parameter q" in refused.message


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"7",
        b'"\xff"',
        b'{"a": NaN}',
        b'{"a": "\\ud800"}',
        b'{"a":' * 5000,
        b"1" * 5000,
        b'{"a": 1e999}',
        b"\0",
    ],
)
def test_a_body_that_is_no_json_object_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(BadRequest, match="body"):
        _ = Request("POST", "/", body=body).json


def test_a_link_keeps_the_query_and_replaces_parts_of_it() -> None:
    rq = Request("GET", "/a b", "limit=2&name=x%26y&marker=m&name=z", {"host": "cloud:5000"})
    assert rq.link(marker="n/1") == "http://cloud:5000/a%20b?limit=2&name=x%26y&name=z&marker=n%2F1"
    assert rq.link(marker=None, limit=None, name=None) == "http://cloud:5000/a%20b"
