"""OpenStack's own black-box suite against a cloud of ours: what has passed once goes on passing.

The kit is no part of this repository: PILEUS_CONFORMANCE names its `run` command, `../shared/conformance/run` is where it
is looked for. Without it the tests are skipped. `smoke.txt` and `identity.txt` list the tests that pass; they may only grow:

    $PILEUS_CONFORMANCE smoke --write-baseline tests/live/smoke.txt

`identity.txt` is all of identity.api and identity.plugin, and of identity.rbac (1,936 tests, which ask what
`tests/spec/identity/personas.txt` holds within seconds) what a domain's manager, whose rights are the most particular, may
do to users, groups, projects, roles and grants.
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
here = pytest.mark.skipif(not KIT.exists(), reason=f"no conformance kit at {KIT}")


def conform(cloud: LiveCloud, folder: Path, baseline: str, *suites: str) -> None:
    file = Path(__file__).with_name(baseline)
    command = [sys.executable, str(KIT), *suites, "--baseline", str(file), "--only-baseline"]
    options = ["--work-dir", str(folder / "conformance"), "--time-limit", "900", "--workers", "2"]
    done = subprocess.run([*command, *options], env=cloud.environment(), capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@here
def test_what_passed_of_tempests_smoke_tests_still_passes(live_cloud: LiveCloud, tmp_path: Path) -> None:
    conform(live_cloud, tmp_path, "smoke.txt", "smoke")
