"""What a guest may do to a volume in a second: front-end QoS specs as numbers that its host holds to.

Names and meanings are Cinder's ("Quality-of-Service (QoS) specifications"): `..._per_gb` grows with the volume, and
`..._per_gb_min` is what it begins with.
"""

from collections.abc import Mapping

from pileus.block_storage.store import QosSpecs, Volume, VolumeType
from pileus.core.db import Tx

RATES = tuple(f"{way}_{what}_sec" for way in ("total", "read", "write") for what in ("bytes", "iops"))
BURSTS = tuple(f"{rate}_max{suffix}" for rate in RATES for suffix in ("", "_length"))
LIMITS = (*RATES, *BURSTS, "size_iops_sec")
GROWING = tuple(f"{name}_per_gb" for name in (*RATES, *(f"{rate}_max" for rate in RATES)))
KNOWN = {*LIMITS, *GROWING, *(f"{name}_min" for name in GROWING)}


def limits_of(tx: Tx, volume: Volume) -> dict[str, int]:
    """By libvirt's names; what is not limited is not there."""
    kind = tx.find(VolumeType, id=volume.volume_type_id)
    specs = tx.find(QosSpecs, id=kind.qos_specs_id) if kind and kind.qos_specs_id else None
    return numbers(specs.specs, volume.size) if specs and specs.consumer != "back-end" else {}


def numbers(specs: Mapping[str, str], size_gb: int) -> dict[str, int]:
    """What is no number, or not above zero, limits nothing."""
    found = {name: _number(specs.get(name)) for name in LIMITS}
    for name in GROWING:
        if grown := _number(specs.get(name), size_gb):
            found[name.removesuffix("_per_gb")] = max(grown, _number(specs.get(f"{name}_min")))
    return {name: value for name, value in found.items() if value > 0}


def _number(text: str | None, times: int = 1) -> int:
    try:
        return min(int(float(text or 0) * times), (1 << 63) - 1)
    except (ValueError, OverflowError):
        return 0
