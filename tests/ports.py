"""Ports for the clouds of tests: several checkouts may be tested on one machine at once."""

import random

from pileus.deploy import up


def free_port() -> int:
    """Free with the next one, and below the range that the kernel gives to clients."""
    while True:
        port = random.randrange(20000, 32000, 2)
        if up.is_free(port):
            return port
