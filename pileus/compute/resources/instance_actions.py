"""A server's action log, as clients see it."""

from pileus.core import clock
from pileus.core.fields import Field, Text
from pileus.core.resources import Resource

ACTION = Resource(
    "instanceAction",
    [
        Text("action"),
        Text("instance_uuid", source="server_id"),
        Text("request_id"),
        Text("user_id"),
        Text("project_id"),
        Text("start_time", show=lambda row: clock.naive(row.started_at)),
        Text("message"),
        Text("updated_at", since="2.58", show=lambda row: clock.naive(row.updated_at)),
    ],
)
EVENT = Resource(
    "event",
    [
        Text("event"),
        Text("start_time", show=lambda row: clock.naive(row.started_at)),
        Text("finish_time", show=lambda row: clock.naive(row.finished_at)),
        Text("result"),
        Text("traceback"),
        Text("host", since="2.62"),
        Field("hostId", since="2.62", show=lambda row: ""),
        Text("details", since="2.84"),
    ],
)
