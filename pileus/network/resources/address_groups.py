"""Address groups: networks that rules of security groups name together."""

from typing import Any

from pileus.core.fields import OPTIONAL, Boolean, Cidr, Items
from pileus.core.resources import Resource
from pileus.network.resources.standard import EVERYWHERE, standard


class Members(Items):
    """A single address stands for itself where members are taken away."""

    def convert(self, value: Any) -> Any:
        if isinstance(value, list):
            value = [_with_length(item) for item in value]
        return super().convert(value)


def _with_length(item: Any) -> Any:
    if not isinstance(item, str) or "/" in item:
        return item
    return f"{item}/{128 if ':' in item else 32}"


ADDRESSES = Items("addresses", of=Cidr("addresses"), create=OPTIONAL, default=list)
LEAVING = Members("addresses", of=Cidr("addresses"))

address_group = Resource(
    "address_group",
    [*standard(), ADDRESSES, Boolean("shared", default=False, create=OPTIONAL, rule=True, **EVERYWHERE)],
)
