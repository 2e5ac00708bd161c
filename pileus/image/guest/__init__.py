"""The guest image: a tiny Linux made of Debian packages, for trying a cloud out and for testing it.

`build` makes it, `fetch` brings a distribution's cloud image instead. What the guest does is in `files/`.
"""

from pileus.image.guest.errors import GuestImageError
from pileus.image.guest.packages import HOST_PACKAGES
from pileus.image.guest.recipe import build

__all__ = ["HOST_PACKAGES", "GuestImageError", "build"]
