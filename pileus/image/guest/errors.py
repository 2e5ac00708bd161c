"""The one error of the guest image's makers: a sentence that says what to do next."""


class GuestImageError(Exception):
    """The image cannot be built or fetched; the message is meant for the user."""
