"""The image service's tables, and how a list's conditions on visibility, tags and properties read in SQL."""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from pileus.core.tables import Key, columns, table
from pileus.image.metadefs import store as _metadefs  # noqa: F401  (its tables)

# saving: bytes arrive; uploading (the API's word): they have, and wait for the import that makes the image active
ACTIVE, DEACTIVATED, QUEUED, SAVING, STAGED = "active", "deactivated", "queued", "saving", "uploading"
IMPORTING = "importing"
PUBLIC, COMMUNITY, SHARED, PRIVATE = "public", "community", "shared", "private"
VISIBILITIES = (PUBLIC, COMMUNITY, SHARED, PRIVATE)
PENDING, ACCEPTED, REJECTED = "pending", "accepted", "rejected"
MEMBER_STATUSES = (PENDING, ACCEPTED, REJECTED)


class Location(msgspec.Struct):
    """Whole data of an image: in which store, and under which key (of a store of web addresses: the address)."""

    store: str
    key: str
    metadata: dict[str, Any] = {}


class Importing(msgspec.Struct):
    """How far the newest import is: which stores still wait for the data, and which did not get it."""

    task: str
    to: list[str]
    failed: list[str] = []


@table("images", index=[("project_id",), ("visibility",), ("status",)])
class Image(msgspec.Struct):
    """An image. `data` names bytes on their way in or staged, from the moment they begin to arrive; `locations` has what
    is whole. Bytes never change."""

    id: Key
    project_id: str | None
    name: str | None
    status: str
    visibility: str
    os_hidden: bool
    protected: bool
    container_format: str | None
    disk_format: str | None
    min_disk: int
    min_ram: int
    size: int | None
    virtual_size: int | None
    checksum: str | None
    os_hash_algo: str | None
    os_hash_value: str | None
    data: str | None
    tags: list[str]
    properties: dict[str, str]
    created_at: str
    updated_at: str
    locations: list[Location]
    importing: Importing | None

    @property
    def owner(self) -> str | None:
        """The API's and the policy's word for the project."""
        return self.project_id

    @property
    def extra(self) -> dict[str, str]:
        return self.properties


@table("image_members", index=[("member_id",)], references={"image_id": "images.id"}, cascade=["image_id"])
class Member(msgspec.Struct):
    """A project that a shared image is offered to."""

    image_id: Key
    member_id: Key
    status: str
    created_at: str
    updated_at: str


@table("image_tasks", index=[("image_id",), ("expires_at",)])
class Task(msgspec.Struct):
    """What was asked of an image beside its upload, and how it ended: kept for two days, also when the image goes."""

    id: Key
    image_id: str
    project_id: str | None
    user_id: str | None
    request_id: str
    type: str
    status: str
    input: dict[str, Any]
    message: str
    created_at: str
    updated_at: str
    expires_at: str
    result: dict[str, Any] | None


class _InJson(sa.ColumnElement[bool]):
    """A condition on a column of JSON text."""

    inherit_cache = True
    type = sa.Boolean()

    def __init__(self, column: Any, *parameters: str):
        self.column = column
        self.parameters = [sa.bindparam(name, type_=sa.Text()) for name in parameters]


class has_item(_InJson):
    """The JSON array has this item."""

    inherit_cache = True


class has_member(_InJson):
    """The JSON object has this member with this value."""

    inherit_cache = True


def _parts(element: _InJson, compiler: Any, kw: Any) -> list[str]:
    return [compiler.process(part, **kw) for part in (element.column, *element.parameters)]


@compiles(has_item, "sqlite")
def _item_sqlite(element: has_item, compiler: Any, **kw: Any) -> str:
    column, item = _parts(element, compiler, kw)
    return f"EXISTS (SELECT 1 FROM json_each({column}) AS item WHERE item.value = {item})"


@compiles(has_item, "postgresql")
def _item_postgresql(element: has_item, compiler: Any, **kw: Any) -> str:
    column, item = _parts(element, compiler, kw)
    return f"jsonb_exists(CAST({column} AS JSONB), {item})"


class item_count(sa.ColumnElement[int]):
    """How many items the JSON array has."""

    inherit_cache = True
    type = sa.Integer()

    def __init__(self, column: Any):
        self.column = column


@compiles(item_count, "sqlite")
def _count_sqlite(element: item_count, compiler: Any, **kw: Any) -> str:
    return f"json_array_length({compiler.process(element.column, **kw)})"


@compiles(item_count, "postgresql")
def _count_postgresql(element: item_count, compiler: Any, **kw: Any) -> str:
    return f"jsonb_array_length(CAST({compiler.process(element.column, **kw)} AS JSONB))"


@compiles(has_member, "sqlite")
def _member_sqlite(element: has_member, compiler: Any, **kw: Any) -> str:
    column, name, value = _parts(element, compiler, kw)
    return f"EXISTS (SELECT 1 FROM json_each({column}) AS member WHERE member.key = {name} AND member.value = {value})"


@compiles(has_member, "postgresql")
def _member_postgresql(element: has_member, compiler: Any, **kw: Any) -> str:
    column, name, value = _parts(element, compiler, kw)
    return f"jsonb_extract_path_text(CAST({column} AS JSONB), {name}) = {value}"


_image = columns(Image)
_member = columns(Member)

# values: caller (a project's id)
MINE = _image.project_id == sa.bindparam("caller", type_=sa.Text())
# values: caller, member_status
OFFERED = sa.and_(
    _image.visibility == SHARED,
    sa.exists(
        sa.select(sa.literal(1)).where(
            _member.image_id == _image.id,
            _member.member_id == sa.bindparam("caller", type_=sa.Text()),
            sa.or_(
                sa.bindparam("member_status", type_=sa.Text()) == "all",
                _member.status == sa.bindparam("member_status", type_=sa.Text()),
            ),
        )
    ),
)
VISIBLE = sa.or_(_image.visibility == PUBLIC, _image.visibility == COMMUNITY, MINE, OFFERED)
# community images are listed only when asked for, save one's own
NOT_COMMUNITY = sa.or_(MINE, _image.visibility != COMMUNITY)
NOTHING = sa.false()
# values: visibility
IS_VISIBILITY = _image.visibility == sa.bindparam("visibility", type_=sa.Text())
COLUMNS = frozenset(column.name for column in _image) - {"data", "tags", "properties", "locations", "importing"}


def outside(column: str) -> Any:
    """Values: COLUMN_begin, COLUMN_end."""
    begin, end = (sa.bindparam(f"{column}_{edge}", type_=sa.Text()) for edge in ("begin", "end"))
    return sa.or_(_image[column] < begin, _image[column] >= end)


def tagged(parameter: str) -> Any:
    """The image has the tag of this parameter."""
    return has_item(_image.tags, parameter)


def with_property(name: str, value: str) -> Any:
    """The image has the property of one parameter with the value of the other."""
    return has_member(_image.properties, name, value)
