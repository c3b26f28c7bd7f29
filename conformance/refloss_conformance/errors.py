"""What the command answers when it is used wrongly: one sentence, and exit code 2."""


class UsageError(Exception):
    """A mistake of the person at the keyboard: an unknown name, a mapping that does not fit, an option without effect."""
