"""The error of the sandbox."""


class SandboxError(ValueError):
    """A sandbox cannot be started or set like this; the text says what to write instead."""
