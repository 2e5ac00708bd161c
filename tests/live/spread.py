"""Two workers wait for guests at once: files stay whole, and what is tried on the shared cloud is tried by one of them."""

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).parents[2]


@cache
def _shares(file: str) -> bool:
    return "live_cloud" in (ROOT / file).read_text()


class Spread(LoadFileScheduling):  # type: ignore[misc]
    def _split_scope(self, nodeid: str) -> str:
        """What stays together; xdist's own groups are lost on the pytest of today."""
        file = str(super()._split_scope(nodeid))
        return "live_cloud" if _shares(file) else file
