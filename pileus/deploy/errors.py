"""What can go wrong when a cloud is started or stopped: one sentence that says what is missing and what to do."""


class DeployError(Exception):
    """Shown to the user as it is, without a traceback."""
