"""The options of `sentinel run`, as data."""

from sentinel.cli.spec import Argument, Command, Option

# fmt: off

_IDENTITY = (
    Option("--name", "-n", help="Its name; otherwise the program's.", value="NAME"),
    Option("--group", "-g", help="The group that it belongs to.", value="GROUP", complete="group"),
    Option("--instances", "-c", help="Start N of them: NAME-1 to NAME-N.", value="N"),
    Option("--user", "-u", help="Run as this user (needs root).", value="USER"),
    Option("--cwd", help="Run in this directory.", value="DIR", complete="dir"),
    Option("--env", "-E", help="A variable; may be repeated.", value="KEY=VALUE", many=True),
    Option("--env-file", "-e", help="A file of variables, read anew at each start.", value="FILE",
           complete="file"),
    Option("--port", help="Allocate a port and pass it as PORT, or as VAR.", value="[VAR=]", many=True,
           optional="auto"),
    Option("--backend", help="What keeps it running (also SENTINEL_BACKEND).", value="BACKEND",
           choices=("native", "systemd", "auto")),
)

_RESTART = (
    Option("--restart", "-r", help="Restart it whenever it ends: --restart-policy always."),
    Option("--restart-policy", help="When to restart it: no, on-failure, always.", value="POLICY",
           choices=("no", "on-failure", "always")),
    Option("--restart-delay", help="Wait before a restart after a quick death; doubles each time.",
           value="TIME"),
    Option("--max-restarts", help="Give up after N restarts without 10 s of uptime.", value="N"),
    Option("--startup-timeout", "-S", help="Wait until it is ready, at most this long.", value="TIME"),
    Option("--stop-timeout", help="When stopping, kill it after this long.", value="TIME", default="10"),
    Option("--stop-signal", help="The signal that asks it to stop.", value="SIGNAL", default="TERM"),
    Option("--on-failure", help="Run this when it fails, with SENTINEL_EVENT and more in its environment.",
           value="COMMAND"),
)

_HEALTH = (
    Option("--health-http", help="Healthy if this URL answers without an error.", value="URL"),
    Option("--health-tcp", help="Healthy if this port accepts connections.", value="HOST:PORT"),
    Option("--health-cmd", help="Healthy if this command succeeds.", value="COMMAND"),
    Option("--health-interval", help="Time between checks.", value="TIME", default="30"),
    Option("--health-timeout", help="A check that takes longer has failed.", value="TIME", default="3"),
    Option("--health-failures", help="Unhealthy after N failures in a row.", value="N", default="3"),
)

_LIMITS = (
    Option("--nice", help="CPU priority, -20 (most) to 19 (least).", value="N"),
    Option("--ionice", help="Disk priority: idle, best-effort[:0-7], realtime[:0-7].", value="CLASS"),
    Option("--limit-nofile", help="Limit of open files.", value="N"),
    Option("--memory-max", help="Limit of memory for the whole tree, as 512M.", value="SIZE"),
    Option("--logs", help="Where its output goes: file, journal, auto.", value="WHERE", default="auto",
           choices=("file", "journal", "auto")),
    Option("--log-max-size", help="Rotate log files of this size.", value="SIZE", default="10M"),
    Option("--log-backups", help="Keep N rotated log files.", value="N", default="3"),
)

RUN = Command(
    "run", "running:run", "Start a command and keep it running.",
    Argument("command", "COMMAND...", many=True, complete="file"),
    *_IDENTITY, *_RESTART, *_HEALTH, *_LIMITS,
    Option("--json", help="Print the result as JSON."),
    text="A command in quotes may use shell syntax. Several words are passed exactly as they are; "
    "put -- before them when they have options of their own.",
    examples=(
        'sentinel run "python3 -m http.server 8000" --name web --restart',
        "sentinel run --name api --port -- ./server --listen localhost",
        'sentinel run "npm start" --name frontend --env NODE_ENV=production --cwd /srv/frontend',
        'sentinel run "python3 worker.py" -n worker -c 4 --group workers --restart-policy on-failure',
        'sentinel run ./api --name api --restart --health-http http://localhost:8000/health',
    ),
)
