"""The programs that the self-test supervises: `actor.py VERB ARGS`. Standard library only."""

import json
import os
import signal
import sys
import time


def write(path: str, text: str) -> None:
    with open(path + ".new", "w") as file:
        file.write(text)
    os.replace(path + ".new", path)


def wait_for(path: str) -> None:
    while not os.path.exists(path):
        time.sleep(0.01)


def forever() -> None:
    while True:
        signal.pause()


def deaf(ready: str) -> None:
    """Ignores the polite signals."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    write(ready, json.dumps([os.getpid()]))
    forever()


def family(ready: str, parents: str) -> None:
    """Itself, a child, and a grandchild that left its group and session; its parent "ends" or "stays"."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        forever()
    middle = os.fork()
    if middle == 0:
        os.setsid()
        grandchild = os.fork()
        if grandchild == 0:
            forever()
        os.write(writer, str(grandchild).encode())
        if parents == "stays":
            forever()
        os._exit(0)
    grandchild = int(os.read(reader, 20))
    if parents == "ends":
        os.waitpid(middle, 0)
    write(ready, json.dumps([os.getpid(), child, grandchild, *([middle] if parents == "stays" else [])]))
    forever()


def ends(trigger: str, code: str) -> None:
    """With this exit code, once it is told to."""
    wait_for(trigger)
    sys.exit(int(code))


def environment(where: str) -> None:
    write(where, json.dumps(dict(os.environ)))
    forever()


def lines(count: str, trigger: str) -> None:
    """Numbered lines: a first half, and the second once it is told to.

    Each at one blow: where a log can only be truncated, what is written just then is lost, as documented.
    """
    half = int(count) // 2
    os.write(1, "".join(f"line {number} {'.' * 40}\n" for number in range(half)).encode())
    wait_for(trigger)
    os.write(1, "".join(f"line {number} {'.' * 40}\n" for number in range(half, int(count))).encode())
    forever()


VERBS = {each.__name__: each for each in (deaf, family, ends, environment, lines)}

if __name__ == "__main__":
    VERBS[sys.argv[1]](*sys.argv[2:])
