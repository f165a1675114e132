"""The table of all commands: names, arguments, options, help, examples and where each is done."""

from collections.abc import Sequence

from sentinel.cli.commands_run import RUN
from sentinel.cli.spec import Argument, Command, Option

# fmt: off

SECTIONS = ("Processes", "Look", "Groups, ports, daemon")
GROUPS = {
    "daemon": "Watch processes in the background: restarts, health checks, log rotation.",
    "group": "Processes that share variables and are started and stopped together.",
    "port": "Hand out free port numbers.",
    "startup": "Bring everything back at boot or login; unit files for single commands.",
}
GROUP_SECTION = SECTIONS[2]


def _json() -> Option:
    return Option("--json", help="Print the result as JSON.")


def _force() -> Option:
    return Option("--force", "-f", help="Kill at once (SIGKILL) instead of asking first.")


def _names(required: bool = True) -> Argument:
    return Argument("names", "NAME...", required=required, many=True, complete="process")


PROCESSES = (
    RUN,
    Command(
        "start", "processes:start", "Start processes that were stopped or have ended.", _names(), _json(),
        examples=("sentinel start web", "sentinel start web worker 7"),
    ),
    Command(
        "stop", "processes:stop", "Stop processes; they stay listed and can be started again.",
        _names(), _force(), _json(),
        text="Sends the stop signal to the whole tree, and SIGKILL to what is left after the stop timeout.",
        examples=("sentinel stop web", "sentinel stop --force worker-1 worker-2"),
    ),
    Command(
        "restart", "processes:restart", "Stop and start processes.", _names(),
        Option("--update-env", help="Take the variables of this shell, not those kept by `run`."), _json(),
        examples=("sentinel restart web", "sentinel restart web --update-env"),
    ),
    Command(
        "delete", "processes:delete", "Stop processes and forget them.", _names(), _force(), _json(),
        aliases=("rm",), examples=("sentinel delete web", "sentinel rm worker-1 worker-2"),
    ),
    Command(
        "clean", "processes:clean", "Forget every process that neither runs nor is meant to.", _json(),
        examples=("sentinel clean",),
    ),
    Command(
        "startall", "processes:start_all", "Start all processes.", _json(),
        examples=("sentinel startall",),
    ),
    Command(
        "stopall", "processes:stop_all", "Stop all processes.", _force(), _json(),
        examples=("sentinel stopall",),
    ),
    Command(
        "restartall", "processes:restart_all", "Restart all running processes.", _json(),
        examples=("sentinel restartall",),
    ),
    Command(
        "move", "processes:move", "Move processes to the other backend, keeping id, name and all settings.",
        _names(), Option("--to", help="Where to.", value="BACKEND", choices=("native", "systemd")), _json(),
        examples=("sentinel move web --to systemd",),
    ),
    Command(
        "import", "importing:import_file", "Create the processes of another supervisor's file.",
        Argument("file", "FILE", complete="file"),
        Option("--format", help="What it is, where its name and content do not tell.", value="FORMAT",
               choices=("procfile", "supervisord", "pm2", "systemd")),
        Option("--dry-run", help="Only report what would become of every option."),
        Option("--start", help="Start them, except what that supervisor would not."),
        Option("--backend", help="What keeps them running (also SENTINEL_BACKEND).", value="BACKEND",
               choices=("native", "systemd", "auto")),
        Option("--run-node", help="Run a pm2 file in JavaScript with node, to learn what it exports."),
        Option("--pm2-env", help="Take env_NAME of a pm2 file too.", value="NAME"), _json(),
        text="Procfile, supervisord.conf, a pm2 ecosystem file or dump, a systemd service. All of it or nothing.",
        examples=("sentinel import Procfile --start", "sentinel import /etc/supervisor/conf.d/web.conf --dry-run",
                  "sentinel import ecosystem.config.js --run-node --pm2-env production",
                  "sentinel import ~/.pm2/dump.pm2"),
    ),
)

LOOK = (
    Command(
        "list", "look:list_processes", "List the processes.",
        Option("--group", "-g", help="Only those of this group.", value="GROUP", complete="group"),
        Option("--watch", "-w", help="Refresh every two seconds; q ends."), _json(),
        aliases=("ls", "ps"),
        examples=("sentinel list", "sentinel ls --group workers", "sentinel list --json"),
    ),
    Command(
        "top", "top:top", "Watch and handle all processes on one live screen.",
        text="Keys: arrows, j and k move; / filters; s sorts; S starts, x stops, r restarts; f or enter follows the "
        "logs; q ends.",
        examples=("sentinel top",),
    ),
    Command(
        "status", "look:status", "Show all about a process.", _names(), _json(),
        examples=("sentinel status web", "sentinel status web --json"),
    ),
    Command(
        "logs", "logs:logs", "Show what a process wrote.", _names(),
        Option("--lines", "-n", help="How many of the last lines.", value="N", default="50"),
        Option("--follow", "-f", help="Go on with what comes; Ctrl-C ends."),
        Option("--stream", help="Which of its outputs.", value="STREAM", default="both",
               choices=("stdout", "stderr", "both")),
        Option("--since", help="Only what was written since: 10m, '1 hour ago', '2026-01-31 10:00'.",
               value="TIME"),
        Option("--clear", help="Forget what was written up to now."),
        Option("--json", help="Print one JSON object a line: stream, line, at."),
        examples=("sentinel logs web", "sentinel logs web -n 200 --follow",
                  "sentinel logs web --stream stderr", "sentinel logs web --clear"),
    ),
    Command(
        "events", "events:events", "Show what happened to processes, and why.", _names(required=False),
        Option("--lines", "-n", help="How many of the latest.", value="N", default="50"),
        Option("--since", help="Only what happened since: 10m, '1 hour ago', '2026-01-31 10:00'.", value="TIME"),
        Option("--follow", "-f", help="Go on with what comes; Ctrl-C ends."),
        Option("--json", help="Print one JSON object a line: at, event, id, name, and what applies."),
        examples=("sentinel events", "sentinel events web --since 1h", "sentinel events --follow --json"),
    ),
    Command(
        "doctor", "doctor:doctor", "Check what usually breaks, and tell what repairs it.", _json(),
        text="Changes nothing. Exit status 0 unless there is a problem; warnings are none.",
        examples=("sentinel doctor", "sentinel doctor --json"),
    ),
    Command(
        "metrics", "metrics:metrics", "Print metrics of all processes as OpenMetrics text.",
        text="For a text file that node_exporter reads; `daemon start --metrics` serves the same over HTTP.",
        examples=("sentinel metrics",),
    ),
    Command(
        "selftest", "selftest:selftest", "Check sentinel's promises on this machine, in under a minute.",
        Option("--backend", help="Only this one.", value="BACKEND", choices=("native", "systemd")), _json(),
        text="Works in a temporary home of its own, and cleans up behind itself. Numbers are told, not judged.",
        examples=("sentinel selftest", "sentinel selftest --backend native --json"),
    ),
)


def _group_name() -> Argument:
    return Argument("group", "NAME", complete="group")


def _members(*options: Option) -> tuple[Argument | Option, ...]:
    group = Argument("group", "GROUP", complete="group")
    return (group, Argument("names", "PROCESS...", many=True, complete="process"), *options, _json())


GROUP = (
    Command(
        "group create", "groups:create", "Make a group.", Argument("group", "NAME"),
        Option("--env", "-E", help="A variable for its processes; may be repeated.", value="KEY=VALUE",
               many=True),
        Option("--env-file", "-e", help="A file of variables, read anew at each start.", value="FILE",
               complete="file"),
        Option("--memory-max", help="Limit of memory for all together, as 2G (systemd).", value="SIZE"),
        Option("--cpu-quota", help="Limit of CPU time for all together, as 150% (systemd).", value="PERCENT"),
        Option("--tasks-max", help="Limit of processes and threads for all together (systemd).", value="N"),
        _json(),
        examples=("sentinel group create workers --env QUEUE=mail",
                  "sentinel group create web --env-file web.env",
                  "sentinel group create batch --memory-max 2G --cpu-quota 150%"),
    ),
    Command(
        "group add", "groups:add", "Put processes into a group.",
        *_members(Option("--restart", help="Restart those that run, so that it holds at once.")),
        text="A process that runs gets the variables of the group at its next start.",
        examples=("sentinel group add workers worker-1 worker-2",),
    ),
    Command(
        "group remove", "groups:remove", "Take processes out of a group.", *_members(),
        examples=("sentinel group remove workers worker-1",),
    ),
    Command(
        "group list", "groups:list_groups", "List the groups.",
        Argument("group", "[NAME]", required=False, complete="group"),
        Option("--show-env", help="Show the values of variables instead of ***."), _json(),
        examples=("sentinel group list", "sentinel group list workers --show-env"),
    ),
    Command(
        "group start", "groups:start", "Start the processes of a group.", _group_name(), _json(),
        examples=("sentinel group start workers",),
    ),
    Command(
        "group stop", "groups:stop", "Stop the processes of a group.", _group_name(), _force(), _json(),
        examples=("sentinel group stop workers",),
    ),
    Command(
        "group restart", "groups:restart", "Restart the processes of a group.", _group_name(), _json(),
        examples=("sentinel group restart workers",),
    ),
    Command(
        "group delete", "groups:delete", "Delete a group; its processes stay unless told otherwise.",
        _group_name(),
        Option("--with-processes", help="Stop and delete its processes too."),
        Option("--stop", help="Stop its processes, and keep them."), _json(),
        examples=("sentinel group delete workers", "sentinel group delete workers --with-processes"),
    ),
)

PORT = (
    Command(
        "port allocate", "ports:allocate", "Allocate a port: the given one, or any that is free.",
        Argument("number", "[PORT]", required=False),
        Option("--port", help="The same as PORT.", value="N"),
        Option("--name", "-n", help="A name to find it by.", value="NAME"), _json(),
        examples=("sentinel port allocate", "sentinel port allocate 8080 --name api"),
    ),
    Command(
        "port list", "ports:list_ports", "List the allocated ports.", _json(),
        examples=("sentinel port list",),
    ),
    Command(
        "port free", "ports:free", "Give a port back.",
        Argument("port", "PORT|NAME", complete="port"), _json(),
        examples=("sentinel port free 8080", "sentinel port free api"),
    ),
)

def _metrics() -> Option:
    return Option("--metrics", help="Serve /metrics for Prometheus there, as 127.0.0.1:9105.", value="HOST:PORT")


DAEMON = (
    Command(
        "daemon start", "daemon:start", "Start the daemon in the background.",
        Option("--backend", help="Run it by itself, or as a systemd unit.", value="BACKEND",
               choices=("native", "systemd", "auto")), _metrics(), _json(),
        examples=("sentinel daemon start", "sentinel daemon start --metrics 127.0.0.1:9105"),
    ),
    Command(
        "daemon stop", "daemon:stop", "Stop the daemon; the processes go on.", _json(),
        examples=("sentinel daemon stop",),
    ),
    Command(
        "daemon status", "daemon:status", "Tell whether the daemon runs.", _json(),
        examples=("sentinel daemon status",),
    ),
    Command(
        "daemon run", "daemon:run", "Be the daemon, in the foreground: for init systems.", _metrics(),
        examples=("sentinel daemon run",),
    ),
)

_ENTRY = (
    Option("--system", help="The init system; otherwise the one that runs here.", value="SYSTEM",
           choices=("systemd", "launchd")),
    Option("--scope", help="At boot of the system (root), or for this user; otherwise by who calls.", value="SCOPE",
           choices=("user", "system")),
)

BOOT = (
    Command(
        "startup install", "startup:install", "Bring back at boot or login whatever is wanted then.",
        *_ENTRY, _json(),
        text="One unit of systemd, or one job of launchd, does it for processes of both backends.",
        examples=("sentinel startup install", "sentinel startup install --scope system"),
    ),
    Command(
        "startup uninstall", "startup:uninstall", "No longer; what runs goes on.", *_ENTRY, _json(),
        examples=("sentinel startup uninstall",),
    ),
    Command(
        "startup status", "startup:status", "Check that it would work; exit status 1 if not.", *_ENTRY, _json(),
        examples=("sentinel startup status",),
    ),
    Command(
        "startup print", "startup:print_entry", "Print the unit or property list that `install` would write.",
        *_ENTRY, examples=("sentinel startup print", "sentinel startup print --system launchd"),
    ),
    Command(
        "startup systemd", "startup:systemd", "Print a unit file that runs a command without sentinel.",
        Argument("command", "COMMAND...", many=True, complete="file"),
        Option("--name", "-n", help="Its name; otherwise the program's.", value="NAME"),
        Option("--user", "-u", help="Run as this user (a unit of the system).", value="USER"),
        Option("--cwd", help="Run in this directory.", value="DIR", complete="dir"),
        Option("--restart", "-r", help="Restart it whenever it ends."),
        _ENTRY[1],
        examples=("sentinel startup systemd --name web --user www --restart -- /srv/web/serve --port 80",),
    ),
    Command(
        "startup run", "startup:run", "Bring back now whatever is wanted: for init systems.",
        Option("--stay", help="Stay until SIGTERM, then do what `startup end` does."), _json(),
        examples=("sentinel startup run",),
    ),
    Command(
        "startup end", "startup:end", "End native processes that stay wanted: for init systems.",
        Option("--if-installed", help="Do nothing once `startup uninstall` took the entry away."), _json(),
        examples=("sentinel startup end",),
    ),
)

EXPORT = Command(
    "export", "export:export", "Write files that run processes without sentinel.", _names(),
    Option("--to", help="For what.", value="FORMAT", default="systemd",
           choices=("systemd", "launchd", "procfile", "supervisord")),
    Option("--output", "-o", help="Write files into this directory, instead of printing them.", value="DIR",
           complete="dir"),
    Option("--show-env", help="Print the values of variables too; they may be secret."),
    _ENTRY[1], _json(),
    text="What the other system has no counterpart for is named in the files and on stderr.",
    examples=("sentinel export web --to systemd", "sentinel export web worker --to supervisord --output /srv/conf"),
    section=SECTIONS[1],
)

for _command in PROCESSES:
    _command.section = SECTIONS[0]
for _command in LOOK:
    _command.section = SECTIONS[1]

COMMANDS: dict[tuple[str, ...], Command] = {
    command.path: command for command in (*PROCESSES, *LOOK, EXPORT, *GROUP, *PORT, *DAEMON, *BOOT)
}
ALIASES: dict[tuple[str, ...], Command] = {
    (alias,): command for command in COMMANDS.values() for alias in command.aliases
}


def find(args: Sequence[str]) -> tuple[Command, list[str]] | None:
    """The command that the words begin with, and the words after it."""
    depth = 2 if args and args[0] in GROUPS else 1
    path = tuple(args[:depth])
    command = COMMANDS.get(path) or ALIASES.get(path)
    return (command, list(args[depth:])) if command else None
