"""Files that guests see as disks: cached base images, overlays, ephemeral and swap disks, config drives."""
