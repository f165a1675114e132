"""Whether each process could be started again: program, directory, user, files, and who may change them."""

import os
import re
from collections.abc import Iterator

from sentinel import accounts, environment
from sentinel import command as commands
from sentinel.errors import LaunchError, SentinelError
from sentinel.model import Record
from sentinel.supervisor.doctor.check import Check, Subject, command, ok, problem, skipped, warning

# Directories whose programs change or go when another version is chosen or removed.
_MANAGED = re.compile(
    r"/(?:\.nvm/versions|fnm_multishells|\.pyenv/(?:shims|versions)|\.rbenv/(?:shims|versions)|\.nodenv/(?:shims|versions)"
    r"|\.asdf/(?:shims|installs)|mise/(?:shims|installs)|\.rvm|\.volta/bin|\.sdkman)/"
)
_SHIM = re.compile(r"/(?:shims|fnm_multishells|\.volta/bin)/")


def programs(subject: Subject) -> Iterator[Check]:
    """All records, with the environments that were captured for them."""
    records = list(subject.state.processes.values())
    if not records:
        yield skipped("programs", "there are no processes")
        return
    found = [check for record in records if (check := _one(subject, record)) is not None]
    yield from found
    if not found:
        yield ok("programs", f"all that is needed to start {len(records)} process{'es' * (len(records) != 1)} is there")


def _one(subject: Subject, record: Record) -> Check | None:
    spec, name = record.spec, record.name
    try:
        account = accounts.lookup(spec.user) if spec.user is not None else None
    except LaunchError as error:
        return problem("programs", f"{name}: {error.message}", f"{subject.sudo}{command('useradd', spec.user)}")
    if not os.path.isdir(spec.cwd):
        return problem("programs", f"{name}: its directory {spec.cwd} is gone", command("mkdir", "-p", spec.cwd))
    if spec.env_file is not None and not os.path.isfile(spec.env_file):
        return problem("programs", f"{name}: its file {spec.env_file} is gone", command("touch", spec.env_file))
    again = command("sentinel", "restart", name, "--update-env")
    try:
        captured = environment.load_captured(subject.home, record.id)
    except LaunchError as error:
        return problem("programs", f"{name}: {error.message}", again)
    path = spec.env.get("PATH", (captured or {}).get("PATH"))
    try:
        program, _ = commands.resolve(spec.argv, spec.cwd, path, account)
    except SentinelError as error:
        return problem("programs", f"{name}: {error.message.removeprefix('cannot start: ')}", _found_now(record, again))
    if _SHIM.search(program):
        return warning("programs", f"{name} runs {program}: what that is changes with every switch of versions", again)
    if _MANAGED.search(program):
        return warning("programs", f"{name} runs {program}, which goes when that version is removed", again)
    return None


def _found_now(record: Record, again: str) -> str:
    """Captured anew from this shell it may be found; else it has to be put where it was."""
    try:
        commands.resolve(record.spec.argv, record.spec.cwd, os.environ.get("PATH"))
    except SentinelError:
        return f"install it again, then: {command('sentinel', 'restart', record.name)}"
    return again
