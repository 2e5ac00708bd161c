"""Run as a module: python -m pileus."""

from pileus.cli import main

main()
