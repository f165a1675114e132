"""The programs that tests supervise: `actor.py VERB ARGS`. Standard library only, for any Python 3."""

import json
import os
import signal
import sys
import time


def write(path, text):
    with open(path + ".new", "w") as file:
        file.write(text)
    os.replace(path + ".new", path)


def append(path, text):
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(fd, text.encode())
    os.close(fd)


def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.01)
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def forever():
    while True:
        signal.pause()


def deaf():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def steady(ready):
    write(ready, str(os.getpid()))
    forever()


def stubborn(ready):
    deaf()
    steady(ready)


def catches(number, ready, seen):
    def handler(*_):
        write(seen, number)
        os._exit(0)

    signal.signal(getattr(signal, "SIG" + number), handler)
    steady(ready)


def meets(number, ready, mine, other):
    """End at SIGTERM, but only once the other one has got it too."""

    def handler(*_):
        write(mine, number)
        while not os.path.exists(other):
            time.sleep(0.01)
        os._exit(0)

    signal.signal(signal.SIGTERM, handler)
    steady(ready)


def family(ready, *how):
    """Itself, a child in its group, and a grandchild that left group and session; all deaf to TERM."""
    if "deaf" in how:
        deaf()
    pids = [os.getpid()]
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        forever()
    middle = os.fork()
    if middle == 0:
        os.setsid()
        grandchild = os.fork()
        if grandchild == 0:
            if "bare" in how:
                code = "import signal\nwhile True: signal.pause()"
                os.execve(sys.executable, [sys.executable, "-ISc", code], {})
            forever()
        os.write(write_end, str(grandchild).encode())
        os._exit(0)
    os.waitpid(middle, 0)
    pids += [child, int(os.read(read_end, 20))]
    write(ready, json.dumps(pids))
    if "leave" in how:
        os._exit(0)
    forever()


def crashes(starts, trigger, how):
    """Note each start; at the trigger end with a code, or by a signal."""
    append(starts, f"{os.getpid()}\n")
    wait_for(trigger)
    print("ending with", how, flush=True)
    if how.isdigit():
        sys.exit(int(how))
    os.kill(os.getpid(), getattr(signal, "SIG" + how))
    forever()


def quick(starts, code):
    append(starts, f"{os.getpid()}\n")
    sys.exit(int(code))


def lines(count, ready=None, prefix="line"):
    for number in range(int(count)):
        print(prefix, number, flush=True)
        print(prefix, "error", number, file=sys.stderr, flush=True)
    if ready:
        steady(ready)


def says(trigger, ready):
    """Print what the trigger file holds, again and again."""
    write(ready, str(os.getpid()))
    while True:
        while not os.path.exists(trigger):
            time.sleep(0.01)
        with open(trigger, "rb") as file:
            text = file.read()
        os.unlink(trigger)
        os.write(1, text)


def report(where, *_):
    import resource

    facts = {
        "pid": os.getpid(),
        "argv": sys.argv[3:],
        "env": dict(os.environ),
        "cwd": os.getcwd(),
        "uid": os.getuid(),
        "gid": os.getgid(),
        "groups": os.getgroups(),
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "nofile": resource.getrlimit(resource.RLIMIT_NOFILE),
        "stdin": os.readlink("/proc/self/fd/0"),
    }
    write(where, json.dumps(facts))
    forever()


def notify(trigger, ready):
    import socket

    write(ready, str(os.getpid()))
    wait_for(trigger)
    address = os.environ["NOTIFY_SOCKET"]
    if address[0] == "@":
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"READY=1", address)
    forever()


def web(port, sick, starts):
    """An HTTP server on a port of its own choice (0) or a given one; 500 while the file `sick` is there."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(500 if os.path.exists(sick) else 200)
            self.end_headers()

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    append(starts, f"{os.getpid()}\n")
    server.serve_forever()


def hog(ready, size):
    block = bytearray(b"x" * int(size))
    steady(ready)
    print(len(block))


globals()[sys.argv[1]](*sys.argv[2:])
