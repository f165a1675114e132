"""Files in the home: written whole or not at all, opened only where they are really ours."""

import os


def write_atomic(path: str | os.PathLike[str], data: bytes, *, durable: bool = True, mode: int = 0o600) -> None:
    """Replace `path` by `data`; a reader sees the old bytes or the new ones. `durable`: survives a power cut."""
    raise NotImplementedError


def open_private(path: str | os.PathLike[str], flags: int = os.O_RDONLY, mode: int = 0o600) -> int:
    """A descriptor of a regular file that is ours (or root's); OSError for symlinks, FIFOs and others' files."""
    raise NotImplementedError


def read_private(path: str | os.PathLike[str]) -> bytes:
    """All bytes of a file, opened with `open_private`."""
    raise NotImplementedError
