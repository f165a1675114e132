"""Users are looked up by name, then by uid, and only root may be another one."""

import os
import pwd

import pytest

from sentinel.accounts import current_name, lookup, refuse_other_user
from sentinel.errors import LaunchError

ME = pwd.getpwuid(os.geteuid())


def test_lookup_by_name_and_uid() -> None:
    account = lookup(ME.pw_name)
    assert account == lookup(str(ME.pw_uid))
    assert (account.name, account.uid, account.gid) == (ME.pw_name, ME.pw_uid, ME.pw_gid)
    assert account.gid in account.groups
    assert account.home == ME.pw_dir
    assert current_name() == ME.pw_name


@pytest.mark.parametrize(
    "user", ["", "no-such-user-here", "4000000000", "99999999999", "-1", "a\0b", "\udc80", "a:b", "٣"]
)
def test_nobody(user: str) -> None:
    with pytest.raises(LaunchError, match="no such user") as caught:
        lookup(user)
    assert str(caught.value).isprintable()


def test_oneself_is_nobody_else() -> None:
    assert refuse_other_user(None) is None
    assert refuse_other_user(ME.pw_name) is None
    assert refuse_other_user(str(ME.pw_uid)) is None


def test_another_user_is_for_root_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    other = next(entry for entry in pwd.getpwall() if entry.pw_uid not in (0, os.geteuid()))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    account = refuse_other_user(other.pw_name)
    assert account is not None
    assert account.uid == other.pw_uid
    monkeypatch.setattr(os, "geteuid", lambda: other.pw_uid + 1)
    with pytest.raises(LaunchError, match=f"cannot run as {other.pw_name}: only root may"):
        refuse_other_user(other.pw_name)
