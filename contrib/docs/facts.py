"""What the pages tell that stands in no table of the code: keys of JSON, exit statuses, variables, files."""

PROCESS = {
    "id": "number of the process; never used again",
    "name": "its name",
    "backend": "`native` or `systemd`",
    "status": "`running`, `starting`, `stopping`, `stopped`, `exited`, `failed` or `backoff`",
    "pid": "of its main process; null where none runs",
    "cpu_percent": "of one CPU, the whole tree together; null where none runs",
    "memory_bytes": "resident, the whole tree together; null where none runs",
    "uptime_seconds": "since the last start; null where none runs",
    "started_at": "seconds since 1970; null if it was never started",
    "restarts": "automatic ones since it was last started by a command",
    "exit_code": "of the last run that ended; null if a signal ended it, or it is not known",
    "exit_signal": "number of the signal that ended the last run, or null",
    "health": "`unknown`, `healthy` or `unhealthy`; null without a check",
    "user": "whom it runs as",
    "group": "its group, or null",
    "command": "the command line",
    "cwd": "its working directory",
    "env_file": "what `--env-file` named, or null",
    "ports": "{variable: allocated port}",
    "stdout_log": "path of the log file; null where the journal has it",
    "stderr_log": "the same for stderr",
    "restart_policy": "`no`, `on-failure` or `always`",
}

DONE = {
    "id": "number of the process",
    "name": "its name",
    "pid": "of its main process, or null",
    "group": "its group, or null",
    "ok": "false where it failed",
    "already": "true where it was so before",
    "ports": "{variable: allocated port}",
    "notes": "sentences about what was asked for and is not in force",
    "error": "null, or an object with `code`, `message` and `hint`",
}

GROUP = {
    "name": "its name",
    "processes": "names of its members",
    "env": "{variable: value}; values are `***` without `--show-env`",
    "env_file": "what `--env-file` named, or null",
    "created_at": "seconds since 1970",
}

PORT = {
    "port": "the number",
    "name": "its name",
    "process": "name of the process it was allocated for, or null",
    "allocated_at": "seconds since 1970",
}

DAEMON = {
    "running": "whether it runs",
    "pid": "its pid, or null",
    "uptime_seconds": "how long it has been running, or null",
    "metrics": "HOST:PORT where it serves its metrics, or null",
}

STARTUP = {
    "system": "`systemd` or `launchd`",
    "scope": "`user` or `system`",
    "name": "of the unit or the job",
    "file": "where it is",
    "installed": "whether it is there",
    "ok": "whether it would work",
    "checks": "a list: `name`, `ok`, `message`, `hint`",
    "warnings": "what to know besides",
}

_ACTS = "a list with an object for each process"
JSON: dict[str, tuple[str, dict[str, str]]] = {  # command: what it prints, and the keys
    **dict.fromkeys(
        (
            *("run", "start", "stop", "restart", "delete", "clean", "startall", "stopall", "restartall", "move"),
            *("group add", "group remove", "group start", "group stop", "group restart"),
        ),
        (_ACTS, DONE),
    ),
    "list": ("a list with an object for each process", PROCESS),
    "status": ("an object for one name, a list of them for several", PROCESS),
    "logs": (
        "an object on each line",
        {
            "stream": "`stdout` or `stderr`",
            "line": "the text; what is no UTF-8 is replaced",
            "at": "seconds since 1970; null where a file keeps no time",
        },
    ),
    "events": (
        "an object on each line; the keys below, and those of the details that apply",
        {
            "at": "seconds since 1970",
            "event": "`created`, `started`, `restarted`, `exited`, `stopped`, `failed`, `unhealthy`, `healthy`, "
            "`gave-up`, `moved` or `deleted`",
            "id": "number of the process",
            "name": "its name",
            "pid, run": "of the process, and the number of the run",
            "exit_code, exit_signal": "how a run ended",
            "clean": "whether that counts as success",
            "reason": "why it was restarted or ended",
            "by": "the command that did it",
        },
    ),
    "group create": ("an object", {"name": "its name", "warnings": "sentences about what is not in force"}),
    "group list": ("a list with an object for each group", GROUP),
    "group delete": (
        "an object",
        {"name": "its name", "ok": "false where it failed", "processes": "a list as of `stop`"},
    ),
    "port allocate": ("an object", PORT),
    "port list": ("a list with an object for each port", PORT),
    "port free": ("an object", PORT),
    **dict.fromkeys(("startup install", "startup uninstall", "startup status"), ("an object", STARTUP)),
    **dict.fromkeys(("startup run", "startup end"), (_ACTS, DONE)),
    "export": (
        "an object",
        {
            "files": "paths of the files that were written",
            "text": "what was made, where no directory was given; else null",
            "warnings": "sentences about what has no counterpart",
        },
    ),
    "import": (
        "an object",
        {
            "format": "what the file is",
            "dry_run": "whether nothing was created",
            "groups": "names of the groups it has",
            "sections": "a list: `title`, `line`, `processes` (names), and `options`, each with `line`, `option`, "
            "`value`, `verdict` (`mapped`, `approximated` or `dropped`), `to` and `note`",
            "processes": "a list as of `run`",
            "warnings": "what to know besides",
        },
    ),
    "doctor": (
        "an object",
        {
            "ok": "false where there is a problem",
            "checks": "a list: `name`, `status` (`ok`, `warning`, `problem` or `skipped`), `message`, `repair` "
            "(a command, or null)",
        },
    ),
    "selftest": (
        "an object",
        {
            "passed": "whether all promises were kept",
            "backends": "{backend: `available`, `why` (it is not), and `promises`, a list}",
        },
    ),
    **dict.fromkeys(("daemon start", "daemon stop", "daemon status"), ("an object", DAEMON)),
}

EXITS = {
    "0": "Done.",
    "1": "It failed, for some of the processes perhaps; a line on stderr says what to do next.",
    "2": "Wrong usage: nothing was touched.",
    "130": "Interrupted with Ctrl-C.",
    "141": "Whoever read the output went away.",
}

VARIABLES = {
    "SENTINEL_HOME": "Where sentinel keeps everything; otherwise ~/.sentinel.",
    "SENTINEL_BACKEND": "native, systemd or auto, as --backend.",
    "SENTINEL_SYSTEMD_SCOPE": "user or system: which service manager; otherwise root's is the system's.",
    "SENTINEL_DBUS": "pydbus or jeepney: the library that speaks to systemd.",
    "NO_COLOR": "Not empty: no colours.",
    "COLUMNS, LINES": "The size of the terminal, where that is to be another one.",
}

FILES = {
    "~/.sentinel/state.json": "What is wanted of each process, and what was last seen of it.",
    "~/.sentinel/logs/NAME.stdout.log, NAME.stderr.log": "What a process wrote, where files have it.",
    "~/.sentinel/events.jsonl": "What happened to processes.",
    "~/.sentinel/.env": "Variables for all processes.",
}

ERROR_JSON = (
    'With `--json` an error is an object on stderr as well: `{"error": {"code": …, "message": …, "hint": …}}`. '
    "`code` is one of `usage`, `not_found`, `conflict`, `state`, `launch`, `stop`, `backend`, `unsupported`, "
    "`partly_failed` and `failed`."
)
