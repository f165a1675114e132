"""run: turns its options into a request, refusing what can't be meant."""

from sentinel import quantities
from sentinel.cli.call import Call
from sentinel.cli.processes import started
from sentinel.cli.spec import Values
from sentinel.environment import check_variable
from sentinel.errors import UsageError
from sentinel.model import HealthCheck, Limits, LogSettings, Restart, RestartPolicy
from sentinel.names import check_name
from sentinel.supervisor.api import RunRequest


def run(call: Call) -> int:
    wanted = request(call.values)
    with call.progress("starting") as progress:
        outcome = call.supervisor.run(wanted, progress)
    return call.tell(outcome, started)


def request(values: Values) -> RunRequest:
    """What the options ask for.

    Raises:
        UsageError: one of them is out of range, or two contradict each other.
    """
    name, group, instances = values.text("name"), values.text("group"), values.text("instances")
    startup = values.text("startup_timeout")
    return RunRequest(
        command=_command(values.words("command")),
        name=None if name is None else check_name("process", name),
        instances=None if instances is None else quantities.count(instances, what="--instances", minimum=1),
        group=None if group is None else check_name("group", group),
        env=variables(values.words("env")),
        env_file=values.text("env_file"),
        cwd=values.text("cwd"),
        user=values.text("user"),
        restart=restart_policy(values),
        health=health_check(values),
        limits=limits(values),
        logs=log_settings(values),
        startup_timeout=None if startup is None else quantities.duration(startup, what="--startup-timeout"),
        stop_timeout=quantities.duration(values.required("stop_timeout"), what="--stop-timeout"),
        stop_signal=quantities.signal_number(values.required("stop_signal")),
        on_failure=values.text("on_failure"),
        ports=port_variables(values.words("port")),
        backend=values.text("backend"),
    )


def _command(words: list[str]) -> list[str]:
    if not words[0].strip():
        raise UsageError("the command is empty", "say what to run: sentinel run 'npm start'")
    return words


def variables(given: list[str]) -> dict[str, str]:
    return dict(check_variable(one) for one in given)


def restart_policy(values: Values) -> RestartPolicy:
    mode, always = values.text("restart_policy"), values.flag("restart")
    if always and mode not in (None, "always"):
        raise UsageError(
            f"--restart and --restart-policy {mode} contradict each other", "leave one of them away"
        )
    policy = Restart.ALWAYS if always else Restart(mode or "no")
    delay, most = values.text("restart_delay"), values.text("max_restarts")
    if policy is Restart.NO and (delay is not None or most is not None):
        option = "--restart-delay" if delay is not None else "--max-restarts"
        raise UsageError(f"{option} needs a restart policy", "add --restart or --restart-policy on-failure")
    return RestartPolicy(
        policy,
        None if delay is None else quantities.duration(delay, what="--restart-delay"),
        None if most is None else quantities.count(most, what="--max-restarts"),
    )


def health_check(values: Values) -> HealthCheck | None:
    checks = {kind: values.text(f"health_{kind}") for kind in ("http", "tcp", "cmd")}
    given = [kind for kind, target in checks.items() if target is not None]
    if len(given) > 1:
        names = " and ".join(f"--health-{kind}" for kind in given)
        raise UsageError(f"{names} contradict each other", "a process has one health check")
    interval = quantities.duration(
        values.required("health_interval"), what="--health-interval", minimum=0.001
    )
    timeout = quantities.duration(values.required("health_timeout"), what="--health-timeout", minimum=0.001)
    failures = quantities.count(values.required("health_failures"), what="--health-failures", minimum=1)
    if not given:
        return None
    return HealthCheck(given[0], _target(given[0], checks[given[0]] or ""), interval, timeout, failures)


def _target(kind: str, target: str) -> str:
    if kind == "http":
        return quantities.http_url(target)
    if kind == "tcp":
        return quantities.tcp_target(target)
    if not target.strip():
        raise UsageError("the command of --health-cmd is empty", "say what to run")
    return target


def limits(values: Values) -> Limits:
    nice, ionice = values.text("nice"), values.text("ionice")
    nofile, memory = values.text("limit_nofile"), values.text("memory_max")
    return Limits(
        nice=None if nice is None else quantities.nice(nice),
        ionice=None if ionice is None else quantities.ionice(ionice),
        nofile=None if nofile is None else quantities.nofile(nofile),
        memory_max=None if memory is None else quantities.size(memory, what="--memory-max", minimum=1),
    )


def log_settings(values: Values) -> LogSettings:
    return LogSettings(
        kind=values.required("logs"),
        max_size=quantities.size(values.required("log_max_size"), what="--log-max-size", minimum=1),
        backups=quantities.count(values.required("log_backups"), what="--log-backups"),
    )


def port_variables(given: list[str]) -> list[str]:
    """The variables that get a port each."""
    found: list[str] = []
    for text in given:
        variable, number = quantities.port_option(text)
        if number is not None:
            raise UsageError(
                f"--port allocates a free port, it cannot be {number}",
                f"pass a port of your own with --env {variable}={number}, "
                "or put -- before the command if --port belongs to it",
            )
        if variable in found:
            raise UsageError(
                f"two ports for {variable}", "give each a variable of its own: --port ADMIN_PORT="
            )
        found.append(variable)
    return found
