"""Backups' bytes."""

from typing import Any

from pileus.core.errors import NotBuilt


def restore(cloud: Any, backup_id: str, host: str, volume_id: str, size: int) -> None:
    raise NotBuilt("Backups are not built yet.")
