"""Shell completion: the scripts for bash, zsh and fish, and the words that they ask for.

A script calls `sentinel --complete SHELL WORD...` with all words up to the cursor, the last one
unfinished. The answer is a word a line, or `:files` or `:dirs` where the shell knows better.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from sentinel.cli.commands import ALIASES, COMMANDS, GROUPS, find
from sentinel.cli.output import Output
from sentinel.cli.spec import Argument, Command, Option
from sentinel.errors import SentinelError, UsageError

if TYPE_CHECKING:
    from sentinel.supervisor.facade import Supervisor

Make = Callable[[], "Supervisor"]
Words = Iterable[tuple[str, str]]  # with what they mean
FILES: Words = ((":files", ""),)
DIRECTORIES: Words = ((":dirs", ""),)
SHELLS = ("bash", "zsh", "fish")


def answer(args: Sequence[str], out: Output, make: Make) -> int:
    """--complete, --show-completion and --install-completion."""
    if args[0] == "--complete":
        _complete(args[1:], out, make)
        return 0
    shell = _shell(args[1:])
    if args[0] == "--show-completion":
        out.raw(script(shell))
    else:
        from sentinel.cli.completion_install import install

        out.line(f"Installed the completion for {shell} in {install(shell)}; it works in the next shell")
    return 0


def _shell(given: Sequence[str]) -> str:
    shell = given[0] if given else os.path.basename(os.environ.get("SHELL", ""))
    if shell not in SHELLS:
        what = f"no completion for the shell {shell!r}" if shell else "it is not known which shell this is"
        raise UsageError(what, "add bash, zsh or fish")
    return shell


def _complete(args: Sequence[str], out: Output, make: Make) -> None:
    """Whatever goes wrong, a half-typed command is not the place to say it."""
    shell, words = args[0] if args else "", list(args[1:])
    if not words:
        return
    for word, meaning in candidates(words[1:-1], words[-1], make):
        if shell == "bash":
            word = word[_kept_by_bash(words[-1]) :] if not word.startswith(":") else word
        elif meaning and shell == "zsh":
            word = f"{word}:{meaning}"
        elif meaning and shell == "fish":
            word = f"{word}\t{meaning}"
        out.raw(f"{word}\n")


def _kept_by_bash(unfinished: str) -> int:
    """Bash breaks words at these characters, and replaces only what stands after the last one."""
    breaks = os.environ.get("COMP_WORDBREAKS", " \t\n\"'@><=;|&(:")
    return max((unfinished.rfind(one) + 1 for one in breaks), default=0)


def candidates(words: Sequence[str], unfinished: str, make: Make) -> Words:
    """What may stand in the place of the unfinished word after these words."""
    found = find(words)
    if found is None:
        return _starting(unfinished, _command_names(words))
    command, rest = found
    option, count, ended = _walk(command, rest)
    if option:
        return _values(option, unfinished, make)
    if unfinished.startswith("-") and not ended:
        return _option(command, unfinished, make)
    argument = _argument(command, count)
    if argument is None:
        return ()
    taken = set(rest) if argument.many else set()
    kinds = _of_kind(argument.complete, make)
    return [one for one in _starting(unfinished, kinds) if one[0] not in taken]


def _command_names(words: Sequence[str]) -> Words:
    if not words:
        for path, command in (COMMANDS | ALIASES).items():
            if len(path) == 1:
                yield path[0], command.help
        yield from GROUPS.items()
        yield from ((option, "") for option in ("--help", "--version"))
    elif len(words) == 1:
        for path, command in COMMANDS.items():
            if len(path) == 2 and path[0] == words[0]:
                yield path[1], command.help


def _walk(command: Command, words: Sequence[str]) -> tuple[Option | None, int, bool]:
    """The option that waits for its value, how many positional words there are, whether `--` was seen."""
    options = {flag: option for option in command.options for flag in option.flags}
    waiting: Option | None = None
    count = 0
    for at, word in enumerate(words):
        if waiting:
            waiting = None
        elif word == "--":
            return None, count + len(words) - at - 1, True
        elif word.startswith("-") and word != "-":
            option = options.get(word)
            waiting = option if option and option.value and not option.optional else None
        else:
            count += 1
    return waiting, count, False


def _option(command: Command, unfinished: str, make: Make) -> Words:
    flag, given, value = unfinished.partition("=")
    if given:
        option = next((one for one in command.options if flag in one.flags and one.value), None)
        words = _values(option, value, make) if option else ()
        return [(word if word.startswith(":") else f"{flag}={word}", text) for word, text in words]
    known = [
        (flag, option.help) for option in command.options for flag in option.flags if flag.startswith("--")
    ]
    return _starting(unfinished, [*known, ("--help", "Show the help.")])


def _values(option: Option, unfinished: str, make: Make) -> Words:
    if option.choices:
        return _starting(unfinished, ((choice, "") for choice in option.choices))
    return _starting(unfinished, _of_kind(option.complete, make))


def _argument(command: Command, count: int) -> Argument | None:
    for at, argument in enumerate(command.arguments):
        if argument.many or at == count:
            return argument
    return None


def _of_kind(kind: str, make: Make) -> Words:
    if kind in ("file", "dir"):
        return FILES if kind == "file" else DIRECTORIES
    try:
        supervisor = make() if kind else None
        asked = {
            "process": lambda: supervisor.names() if supervisor else [],
            "group": lambda: supervisor.group_names() if supervisor else [],
            "port": lambda: supervisor.port_names() if supervisor else [],
        }
        return [(name, "") for name in asked.get(kind, list)()]
    except (SentinelError, OSError):
        return ()


def _starting(unfinished: str, words: Words) -> Words:
    return [one for one in words if one[0].startswith(unfinished) or one[0] in (":files", ":dirs")]


def script(shell: str) -> str:
    return {"bash": BASH, "zsh": ZSH, "fish": FISH}[shell]


BASH = """\
_sentinel_completion() {
    local IFS=$'\\n' line="${COMP_LINE:0:$COMP_POINT}" words word
    # The words as they were typed: bash has broken COMP_WORDS at characters such as @ and =.
    IFS=$' \\t\\n' read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    COMPREPLY=($(COMP_WORDBREAKS="$COMP_WORDBREAKS" sentinel --complete bash "${words[@]}" 2>/dev/null))
    case "${COMPREPLY[0]-}" in
        :files) COMPREPLY=(); compopt -o bashdefault -o default ;;
        :dirs) COMPREPLY=(); compopt -o dirnames ;;
    esac
}
complete -F _sentinel_completion sentinel
"""

ZSH = """\
#compdef sentinel
_sentinel() {
    local -a found
    found=("${(@f)$(sentinel --complete zsh "${(@)words[1,CURRENT]}" 2>/dev/null)}")
    case "$found[1]" in
        :files) _files ;;
        :dirs) _files -/ ;;
        ?*) _describe sentinel found ;;
    esac
}
if [[ "$zsh_eval_context[-1]" == loadautofunc ]]; then _sentinel "$@"; else compdef _sentinel sentinel; fi
"""

FISH = """\
function __sentinel_complete
    set -l unfinished (commandline -ct)
    set -l found (sentinel --complete fish (commandline -opc) "$unfinished" 2>/dev/null)
    switch "$found[1]"
        case :files
            __fish_complete_path "$unfinished"
        case :dirs
            __fish_complete_directories "$unfinished"
        case '*'
            printf '%s\\n' $found
    end
end
complete -c sentinel -f -a '(__sentinel_complete)'
"""
