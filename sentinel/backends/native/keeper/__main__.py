"""The keeper's program: `python -I -S …/keeper/__main__.py HOME KEY VERSION LOCK READY`.

LOCK is a descriptor that holds the lock on the home's keeper.lock, READY one to say `ready` to once the
socket listens. It is run as a file and not as a module of sentinel, so that none of the packages above is
loaded.
"""

import os
import sys


def _find_ourselves() -> None:
    """At the end of sys.path, where nothing of ours can hide a module of Python's."""
    native = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    top = os.path.dirname(os.path.dirname(os.path.dirname(native)))
    sys.path += [top, native]


def _detach(keep: set[int]) -> None:
    """Leave terminal, session, directory and inherited descriptors of whoever started us."""
    for fd in keep:
        os.set_inheritable(fd, False)  # a child that held the lock would keep the next keeper from starting
    for name in os.listdir("/dev/fd"):
        if int(name) > 2 and int(name) not in keep:
            try:
                os.close(int(name))
            except OSError:
                pass  # the one that listed them
    if os.fork():
        os._exit(0)
    os.setsid()
    os.chdir("/")
    os.umask(0o077)


def main(arguments: list[str]) -> None:
    import _signal  # type: ignore[import-not-found]

    root, key, version, lock, ready, *rest = arguments
    if ready != "resume":
        _detach({int(lock), int(ready)})
    for number in range(1, 32):  # nohup and the like: what it ignored is not to be ignored by our children
        if ready != "resume" and _signal.getsignal(number) is _signal.SIG_IGN:
            _signal.signal(number, _signal.SIG_DFL)
    _signal.signal(_signal.SIGPIPE, _signal.SIG_IGN)
    _find_ourselves()
    import keeper.handover  # type: ignore[import-not-found]
    import keeper.serve  # type: ignore[import-not-found]

    serving = keeper.serve.Keeper(root, key, version, int(lock))
    if ready == "resume":
        keeper.handover.take_over(serving, int(rest[0]))
        serving.prepare()
    else:
        serving.open()
        os.write(int(ready), b"ready")
        os.close(int(ready))
    serving.run()


if __name__ == "__main__":
    main(sys.argv[1:])
