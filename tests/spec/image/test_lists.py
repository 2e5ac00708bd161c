"""Lists of images: filters, order, pages."""

import pytest

from tests.harness import Client
from tests.spec.image.images import IMAGES, active, change, create, names


@pytest.fixture
def three(member: Client) -> Client:
    create(member, name="a", colour="blue", tags=["x"], min_ram=1)
    active(member, bytes(500), name="b", colour="red", tags=["x", "y"], protected=True)
    active(member, bytes(900), name="c, d", colour="blue", disk_format="raw", tags=["y"])
    return member


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=a", "a"),
        ("name=in:a,b", "ab"),
        ('name=in:"c, d",b', "bc"),
        ("status=active", "bc"),
        ("status=in:queued,saving", "a"),
        ("disk_format=raw", "bc"),
        ("container_format=in:bare,ova", "bc"),
        ("protected=true", "b"),
        ("protected=false", "ac"),
        ("tag=x", "ab"),
        ("tag=x&tag=y", "b"),
        ("tag=z", ""),
        ("colour=blue", "ac"),
        ("colour=blue&tag=y", "c"),
        ("colour=in:blue", ""),
        ("size_min=600", "c"),
        ("size_max=600", "b"),
        ("size_min=500&size_max=900", "bc"),
        ("size=500", "b"),
        ("min_ram=1", "a"),
        ("visibility=private", ""),
        ("visibility=shared", "abc"),
        ("visibility=all", "abc"),
        ("created_at=gt:2020-01-01T00:00:00Z", "abc"),
        ("created_at=lt:2020-01-01T00:00:00Z", ""),
        ("updated_at=lte:2020-01-01T00:00:00Z", ""),
        ("created_at=neq:2020-01-01T00:00:00Z", "abc"),
        ("created_at=2020-01-01T00:00:00Z", ""),
        ("os_hidden=true", ""),
        ("schema=x", "abc"),
    ],
)
def test_filters_narrow_a_list(three: Client, query: str, found: str) -> None:
    listed = names(three, f"{query}&owner={three.project_id}&sort=name:asc")
    assert "".join(name[0] for name in listed) == found


def test_a_time_filter_takes_what_is_shown(three: Client) -> None:
    shown = three.get(f"{IMAGES}?name=a&owner={three.project_id}").ok()["images"][0]["created_at"]
    for operator in ("eq", "gte", "lte"):
        assert "a" in names(three, f"created_at={operator}:{shown}&owner={three.project_id}")
    for operator in ("neq", "gt", "lt"):
        assert "a" not in names(three, f"created_at={operator}:{shown}&owner={three.project_id}")


def test_lists_are_sorted_newest_first_or_as_asked(three: Client) -> None:
    own = f"owner={three.project_id}"
    assert names(three, own) == ["c, d", "b", "a"]
    assert names(three, f"{own}&sort=size:desc") == ["c, d", "b", "a"]
    assert names(three, f"{own}&sort=size:asc,name:desc")[1:] == ["b", "c, d"]
    assert names(three, f"{own}&sort_key=name&sort_dir=asc") == ["a", "b", "c, d"]
    assert names(three, f"{own}&sort_key=name") == ["c, d", "b", "a"]
    assert names(three, f"{own}&sort_key=protected&sort_key=name&sort_dir=asc") == ["a", "c, d", "b"]


@pytest.mark.parametrize("order", ["", "&sort=size:asc", "&sort=size:desc", "&sort=name", "&sort=status:asc,size:desc"])
def test_pages_neither_skip_nor_repeat(three: Client, order: str) -> None:
    create(three, name="e")
    query = f"owner={three.project_id}{order}"
    whole, found, path = names(three, query), [], f"/v2/images?{query}&limit=1"
    while path:
        page = three.get(f"/image{path}").ok(200)
        found += [image["name"] for image in page["images"]]
        assert page["first"].startswith("/v2/images?") and "marker" not in page["first"]
        path = page.get("next", "")
    assert found == whole and len(found) == 4


def test_a_page_has_at_most_25_unless_asked(member: Client) -> None:
    for number in range(26):
        create(member, name=str(number))
    own = f"owner={member.project_id}"
    assert len(names(member, own)) == 25
    assert len(names(member, f"{own}&limit=5000")) == 26
    assert names(member, f"{own}&limit=0") == []


def test_hidden_images_are_listed_when_asked_for(member: Client) -> None:
    image = create(member, os_hidden=True)
    own = f"owner={member.project_id}"
    assert names(member, own) == []
    assert names(member, f"{own}&os_hidden=true") == ["mine"]
    change(member, image, {"op": "replace", "path": "/os_hidden", "value": False}).ok()
    assert names(member, own) == ["mine"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=-1",
        "limit=x",
        "limit=",
        "marker=nothing",
        "sort=colour",
        "sort=name:up",
        "sort=",
        "sort=name&sort_key=name",
        "sort_key=name&sort_dir=sideways",
        "sort_key=name&sort_dir=asc&sort_dir=desc",
        "visibility=secret",
        "member_status=maybe",
        "status=lost",
        "protected=maybe",
        "os_hidden=maybe",
        "size_min=x",
        "size_max=-1",
        "size=big",
        "created_at=yesterday",
        "created_at=gt:9999-12-31T23:59:59Z",
        "name=in:",
        'name=in:"open',
        "changes-since=2020-01-01",
    ],
)
def test_a_wrong_question_is_refused(member: Client, query: str) -> None:
    member.get(f"{IMAGES}?{query}").refused(400)
