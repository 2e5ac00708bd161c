"""The only SQL of the network service: `rows` declares the tables, the modules here ask and write."""

from pileus.network import rows

__all__ = ["rows"]
