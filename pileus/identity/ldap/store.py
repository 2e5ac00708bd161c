"""Which rows here stand for which entries of a directory."""

import msgspec

from pileus.core.tables import Key, table


@table("directory_entries", unique=[("domain_id", "entity_type", "local_id")])
class Entry(msgspec.Struct):
    """`public_id` is the id of the user or group here, `local_id` what the directory identifies it by."""

    public_id: Key
    domain_id: str
    entity_type: str  # user or group
    local_id: str
    dn: str
