"""What a terminal may get of a log line that may hold any bytes."""


def safe(data: bytes, *, colour: bool = True) -> str:
    """The line as text without anything that could steer the terminal; SGR colours stay if `colour`."""
    raise NotImplementedError
