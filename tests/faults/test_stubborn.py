"""Programs that do not go by themselves: a stop ends the whole tree, and says so only then."""

from __future__ import annotations

import lab
import pytest
from faultlab import REFUSED, House, marked

from sentinel.model import Restart, RestartPolicy

NO = RestartPolicy(Restart.NO)
PROGRAMS = {  # each touches $0 when it is ready
    "ignores TERM": 'trap "" TERM HUP INT; touch "$0"; while :; do sleep 0.05; done',
    "forks on TERM": """trap 'trap "" TERM; sleep 1000 & sleep 1000 & setsid sleep 1000 & exit 0' TERM
        touch "$0"; while :; do sleep 0.05; done""",
    "leaves its session": 'setsid setsid sleep 1000 & touch "$0"; exec sleep 1000',
    "leaves its session and its environment": 'env -i setsid sleep 1000 & touch "$0"; exec sleep 1000',
    "is stopped": 'touch "$0"; kill -STOP $$; exec sleep 1000',
    "has a stopped child": 'sh -c "kill -STOP \\$\\$; sleep 1000" & touch "$0"; exec sleep 1000',
    "many children": 'for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1000 & done; touch "$0"; wait',
}


@pytest.mark.parametrize("force", [False, True], ids=["", "force"])
def test_all_of_it_is_stopped(house: House, force: bool) -> None:
    for name, script in PROGRAMS.items():
        ready = house.marks / f"{name}.ready"
        house.run(name.replace(" ", "-"), ["/bin/sh", "-c", script, str(ready)], restart=NO, stop_timeout=0.3)
        lab.eventually(ready.exists)
    outcome = house.supervisor.stop_all(force=force)
    assert not [done for done in outcome.done if done.error]
    assert {view.status for view in house.supervisor.list().processes} == {"stopped"}
    assert not [pid for pid in marked(house.home) if lab.alive(pid)]


def test_a_child_that_holds_stdout_after_its_parent(house: House) -> None:
    house.run("w", ["/bin/sh", "-c", "(trap '' HUP; sleep 1000) & exit 3"], restart=NO, stop_timeout=0.3)
    seen = house.until("w", "failed")
    assert seen.exit_code == 3
    assert not [pid for pid in marked(house.home) if lab.alive(pid)]
    assert [(each["run"], each["exit_code"]) for each in house.exits("w")] == [(1, 3)]


def test_what_ends_before_it_is_executed(house: House) -> None:
    script = house.marks / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    for program in (script, house.marks, house.marks / "missing"):
        assert house.forked(lambda s, program=program: s.run(house.request("w", [str(program)]))) == REFUSED
    assert house.supervisor.list().processes == []
    house.check_no_leaks()
