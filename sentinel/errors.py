"""What can go wrong, told in two parts: what happened, and what to do next."""


class SentinelError(Exception):
    """A failure that is the user's to know about. The CLI prints it as one line and exits with `exit_code`."""

    code = "failed"  # the machine's word for it, in JSON errors
    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class UsageError(SentinelError):
    """What was asked for can't be meant: refused before anything is touched. Exit status 2."""

    code = "usage"
    exit_code = 2


class NotFound(SentinelError):
    """No process, group or port of that name."""

    code = "not_found"


class Conflict(SentinelError):
    """The name, port or state is taken by something else."""

    code = "conflict"


class StateError(SentinelError):
    """state.json can't be read or written; the file is kept as it is."""

    code = "state"


class LaunchError(SentinelError):
    """A process could not be started: a missing program, directory, user, resource."""

    code = "launch"


class StopError(SentinelError):
    """Something of a process is still there after everything was tried."""

    code = "stop"


class BackendError(SentinelError):
    """The engine can't be reached, or refuses what it was asked."""

    code = "backend"


class Unsupported(BackendError):
    """The backend can't honour an option, and says so instead of ignoring it."""

    code = "unsupported"


class PartlyFailed(SentinelError):
    """A bulk command did some of it. `failures` are (name, error)."""

    code = "partly_failed"

    def __init__(self, message: str, failures: list[tuple[str, SentinelError]]) -> None:
        super().__init__(message)
        self.failures = failures
