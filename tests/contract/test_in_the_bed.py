"""Where no service manager is at hand but one may be booted: the contract on that one."""

import os
import subprocess
from pathlib import Path

import lab
import pytest

BED = Path(__file__).resolve().parents[2] / "contrib/testbed"


def bed_missing() -> str:
    """Why no test bed can be used here; empty where one can."""
    if os.geteuid() != 0:
        return "the test bed needs root"
    prepared = subprocess.run([BED / "run-tests", "--prepare"], capture_output=True, timeout=600, check=False)
    if prepared.returncode != 0:
        return f"the test bed's environment cannot be made: {prepared.stderr.decode()[-300:]}"
    booted = subprocess.run([BED / "systemd-testbed", "true"], capture_output=True, timeout=600, check=False)
    return f"the test bed does not boot: {booted.stderr.decode()[-300:]}" if booted.returncode else ""


@pytest.mark.parametrize("backend", ["systemd"])
def test_the_contract_holds_on_a_real_systemd(backend: str) -> None:
    if not lab.systemd_missing():
        return  # then each of its tests has run here by itself
    if reason := bed_missing():
        lab.skip(reason)
    done = subprocess.run(
        [BED / "run-tests", "--", "tests/contract", "-q", "--backend", backend],
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]
