"""The node protocol: what travels (`values`), the calls as data (`calls`), and the contract that nodes obey (`contract`)."""
# ruff: noqa: F403  (read as one: `p.InstanceSpec`, `p.POWER`, `p.Node`)

from pileus.node.protocol.calls import *
from pileus.node.protocol.contract import *
from pileus.node.protocol.values import *
from pileus.node.protocol.volumes import *
