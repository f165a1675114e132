"""What becomes of each option of supervisord: the table behind the reader and the documentation."""

from sentinel.importing.report import approximated, dropped, mapped

_FILES = "sentinel has log files of its own: sentinel logs NAME"
_EVENTS = "there are no event listeners; 'sentinel events --follow' tells what happens"

PROGRAM = {
    "command": mapped("COMMAND"),
    "process_name": mapped("--name", "with the program's name in front where it is not part of it"),
    "numprocs": mapped("--name", "a process each, as supervisord names them"),
    "numprocs_start": mapped("--name"),
    "priority": approximated("", "the order in which they are listed and started; stops are not ordered"),
    "autostart": mapped("", "false: created, and left out by import --start"),
    "startsecs": approximated("", "a run of less than 1 s counts as a quick death, whatever is set here"),
    "startretries": approximated(
        "--max-restarts", "gives up after so many restarts without 10 s of uptime; only where it is written down"
    ),
    "autorestart": mapped("--restart-policy", "true: always, false: no, unexpected (the default): on-failure"),
    "exitcodes": approximated("--restart-policy", "0, and death by HUP, INT, TERM or PIPE, are the expected ends"),
    "stopsignal": mapped("--stop-signal"),
    "stopwaitsecs": mapped("--stop-timeout"),
    "stopasgroup": mapped("", "always: a stop signals the whole tree"),
    "killasgroup": mapped("", "always: nothing of the tree is left after a stop"),
    "user": mapped("--user", "HOME, USER and LOGNAME become the user's, which supervisord leaves alone"),
    "directory": mapped("--cwd"),
    "environment": mapped("--env"),
    "umask": dropped("set it in the command: sh -c 'umask 022; exec …'"),
    "redirect_stderr": approximated("", "kept apart; 'sentinel logs' shows both"),
    "stdout_logfile": dropped(_FILES),
    "stdout_logfile_maxbytes": mapped("--log-max-size", "for each of its files"),
    "stdout_logfile_backups": mapped("--log-backups"),
    "stderr_logfile": dropped(_FILES),
    "stderr_logfile_maxbytes": mapped("--log-max-size", "the larger of both"),
    "stderr_logfile_backups": mapped("--log-backups", "the larger of both"),
    "stdout_capture_maxbytes": dropped(_EVENTS),
    "stderr_capture_maxbytes": dropped(_EVENTS),
    "stdout_events_enabled": dropped(_EVENTS),
    "stderr_events_enabled": dropped(_EVENTS),
    "stdout_syslog": dropped("on systemd '--logs journal' reaches syslog"),
    "stderr_syslog": dropped("on systemd '--logs journal' reaches syslog"),
    "serverurl": dropped("there is no server to call"),
}
GROUP = {
    "programs": mapped("--group"),
    "priority": dropped("groups are not ordered; the priorities of programs are"),
}
SUPERVISORD = {
    "environment": mapped("--env", "given to each program, weaker than its own"),
    "minfds": dropped("use --limit-nofile for what needs many open files"),
    "user": dropped("run sentinel as that user"),
    "umask": dropped("set it in the commands"),
    "directory": approximated("--cwd", "of programs without a directory of their own"),
}
OTHER = {
    "supervisord": dropped("settings of supervisord itself"),
    "include": dropped("import those files too, one by one"),
    "fcgi-program": dropped("sentinel hands no socket to FastCGI programs"),
    "eventlistener": dropped(_EVENTS),
}
