"""OpenStack's own black-box suite against a real cloud of ours: what has passed once goes on passing.

The kit is no part of this repository: PILEUS_CONFORMANCE names its `run` command, `../shared/conformance/run` is where it
is looked for. Without it the test is skipped. `smoke.txt` lists the tests that pass; it may only grow:

    $PILEUS_CONFORMANCE smoke --write-baseline tests/live/smoke.txt
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.cloud import LiveCloud

pytestmark = pytest.mark.live
ROOT = Path(__file__).parents[2]
KIT = Path(os.environ.get("PILEUS_CONFORMANCE", ROOT.parent / "shared/conformance/run"))
BASELINE = Path(__file__).with_name("smoke.txt")


@pytest.mark.skipif(not KIT.exists(), reason=f"no conformance kit at {KIT}")
def test_what_passed_of_tempests_smoke_tests_still_passes(live_cloud: LiveCloud, tmp_path: Path) -> None:
    command = [sys.executable, str(KIT), "smoke", "--baseline", str(BASELINE), "--only-baseline"]
    options = ["--work-dir", str(tmp_path / "conformance"), "--time-limit", "900", "--workers", "2"]
    done = subprocess.run(
        [*command, *options], env=live_cloud.environment(), capture_output=True, text=True, timeout=1800
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
