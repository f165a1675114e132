"""Where everything lives below SENTINEL_HOME, and the modes it is made with."""

import os
import stat
from pathlib import Path

from sentinel.errors import StateError


class Home:
    """The directory of one sentinel: 0700, files in it 0600. Paths of any length."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(os.path.abspath(root))
        self.state = self.root / "state.json"
        self.backup = self.root / "state.json.bak"
        self.lock = self.root / "state.lock"
        self.claims = self.root / "claims.lock"
        self.dotenv = self.root / ".env"
        self.logs = self.root / "logs"
        self.events = self.root / "events.jsonl"
        self.events_before = self.root / "events.jsonl.1"
        self.exits = self.root / "exits"
        self.run = self.root / "run"
        self.environments = self.root / "environments"
        self.keeper_socket = self.run / "keeper.sock"
        self.keeper_lock = self.run / "keeper.lock"
        self.keeper_log = self.logs / ".keeper.log"
        self.daemon_fifo = self.run / "daemon.fifo"  # "!" in it: state.json has changed; an id: its unit has
        self.daemon_pid = self.run / "daemon.pid"
        self.daemon_metrics = self.run / "daemon.metrics"  # where it is to serve them, also after a reboot
        self.daemon_log = self.logs / ".daemon.log"  # a process name never starts with a dot
        self.hooks_log = self.logs / ".hooks.log"
        self.errors_log = self.logs / ".errors.log"

    @property
    def key(self) -> str:
        """A short name for this home, for what has to be told apart outside of it."""
        import hashlib

        return hashlib.sha256(os.fsencode(self.root)).hexdigest()[:8]

    def log(self, name: str, stream: str) -> Path:
        """The log file of a process; `stream` is stdout or stderr.

        Raises nothing: a name of 128 characters of four bytes each would not fit a file name, so a long one
        is cut and made unique by a hash.
        """
        stem = name
        if len(os.fsencode(stem)) > 200:
            import hashlib

            digest = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
            stem = os.fsencode(stem)[:180].decode(errors="ignore") + "~" + digest
        return self.logs / f"{stem}.{stream}.log"

    def environment(self, id: int) -> Path:
        """The captured environment of a process (JSON object, 0600)."""
        return self.environments / f"{id}.json"

    def prepare(self) -> None:
        """Make the directories that are missing, each 0700.

        Raises:
            StateError: it can't be made, is no directory, or belongs to somebody else.
        """
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_owner()
            for directory in (self.logs, self.exits, self.run, self.environments):
                self._make(directory)
        except (FileExistsError, NotADirectoryError):
            raise StateError(f"{self.root} is not a directory", "set SENTINEL_HOME to one") from None
        except OSError as error:
            raise StateError(
                f"cannot use {self.root}: {os.strerror(error.errno or 0).lower()}",
                "check its permissions and free space, or set SENTINEL_HOME",
            ) from error

    @staticmethod
    def _make(directory: Path) -> None:
        try:
            directory.mkdir(mode=0o700)
            directory.chmod(0o700)  # a strange umask may have taken our own bits away
        except FileExistsError:
            if not directory.is_dir():
                raise

    def _check_owner(self) -> None:
        found = self.root.stat()
        if found.st_uid != os.geteuid():
            raise StateError(
                f"{self.root} belongs to uid {found.st_uid}, not to you", "set SENTINEL_HOME to a directory of your own"
            )
        if stat.S_IMODE(found.st_mode) != 0o700:
            self.root.chmod(0o700)


def home_from_environment() -> Home:
    """$SENTINEL_HOME, or ~/.sentinel."""
    given = os.environ.get("SENTINEL_HOME")
    return Home(given if given else os.path.expanduser("~/.sentinel"))


def default_home() -> Path:
    return Path(os.path.abspath(os.path.expanduser("~/.sentinel")))


def template_directory() -> Path:
    """Where the Jinja templates are: in the wheel inside the package, in a checkout beside it."""
    package = Path(__file__).resolve().parent
    inside = package / "templates"
    return inside if inside.is_dir() else package.parent / "templates"
