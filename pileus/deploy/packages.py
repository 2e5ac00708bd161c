"""The programs a host needs and the packages they come in: read from host-packages.txt, which the installer reads too."""

import shutil
from pathlib import Path

from pileus.deploy.errors import DeployError
from pileus.deploy.process import PATH

LIST = Path(__file__).with_name("host-packages.txt")


def programs() -> dict[str, str]:
    """Package by program, of what a running host needs."""
    lines = [line.split() for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
    return {words[0]: words[1] for words in lines if words[0] not in "-?" and len(words) == 2}


def missing() -> list[str]:
    """Packages whose program is nowhere to be found."""
    return sorted({package for program, package in programs().items() if not shutil.which(program, path=PATH)})


def require() -> None:
    if packages := missing():
        raise DeployError(
            f"Host packages are missing: install them with `apt-get install {' '.join(packages)}`, or with `make setup`;"
            " or try `pileus up --fake`, which needs none."
        )
