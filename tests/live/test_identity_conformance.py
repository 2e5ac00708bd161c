"""Identity's part of what `test_conformance.py` is about, on a fake cloud of its own: other tests go on meanwhile."""

from pathlib import Path

import pytest

from tests.live.cloud import LiveCloud
from tests.live.test_conformance import conform, here

pytestmark = pytest.mark.live
# what the kit expects of a cloud; no limit on log-ins, as all come from one address
IDENTITY = {
    "security_compliance": {"lockout_failure_attempts": 2, "lockout_duration": 5, "unique_last_password_count": 2},
    "log_in_limits": {"per_user": 0, "per_address": 0},
}


@here
def test_what_passed_of_the_identity_tests_still_passes(tmp_path: Path) -> None:
    cloud = LiveCloud("--fake", settings=IDENTITY)
    try:
        cloud.start()
        conform(cloud, tmp_path, "identity.txt", "identity.api", "identity.plugin", "identity.rbac")
    finally:
        cloud.stop()
