"""The node: one root process a host, told what should be, doing it idempotently, reporting what is. Never sees SQL."""
