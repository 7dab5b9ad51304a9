"""The command line: `hamtheory flow`, `limit` and `margin`, on a named data set or on the user's own file, and
`hamtheory sweep run | resume | status | verify | export`, on grids of them; `hamtheory train`, on images;
`hamtheory doctor` and `--version`, for bug reports.

Exit codes: 0; 1 where the computation failed (its partial result is reported and written, with the reason); 2 for bad
input, with one line on the standard error. A command is imported when it is asked for: JAX takes half a second.
"""

import functools
import importlib
import io
import operator
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import tyro

import hamtheory as ht

from ._names import COMMANDS, DESCRIPTION

if TYPE_CHECKING:
    from ._command import Command
    from ._doctor import Doctor
    from ._sweep import SweepCommand
    from ._train import Train

__all__ = ["main"]

_BAD_INPUT, _FAILED, _PIPE = 2, 1, 141  # the last one is what shells say of programs that a broken pipe ends


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        args: Its words; by default, those of the process.

    Returns:
        The exit code.
    """
    args = sys.argv[1:] if args is None else list(args)
    for stream in (sys.stdout, sys.stderr):  # a console without Greek letters
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if args == ["--version"]:
        print(f"hamtheory {ht.__version__}")
        return 0
    try:
        command = parse(args)
        code = command.run(["hamtheory", *args])
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # of `head`, which has read enough: what is left is for nobody
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE
    except SystemExit as stop:  # tyro: help, or an option that it cannot read
        return stop.code if isinstance(stop.code, int) else 0
    except (ValueError, OSError, ImportError) as error:
        return _fail(error, _BAD_INPUT)
    except (RuntimeError, MemoryError) as error:
        return _fail(error, _FAILED)


def parse(args: list[str]) -> "Command | SweepCommand | Train | Doctor":
    if args[:1] == ["sweep"]:
        from ._sweep import SWEEP

        return _choose(SWEEP, args[1:], "hamtheory sweep", COMMANDS["sweep"].description)
    if args and args[0] in COMMANDS:
        module, kind = COMMANDS[args[0]].where.split(":")
        kinds = {args[0]: getattr(importlib.import_module(module, __package__), kind)}
        return _choose(kinds, args, "hamtheory", DESCRIPTION)
    return _choose(COMMANDS, args, "hamtheory", DESCRIPTION)


def _choose(kinds: dict[str, Any], args: list[str], program: str, description: str) -> Any:
    options = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone)
    if args and args[0] in kinds:
        kind, program = kinds[args[0]], f"{program} {args[0]}"
        return tyro.cli(kind, prog=program, args=args[1:], description=kind.description, config=options)
    if args and not args[0].startswith("-"):
        raise ValueError(f"unknown command {args[0]!r}; there are: {', '.join(kinds)}")
    choices = [
        Annotated[kind, tyro.conf.subcommand(name, description=kind.description.splitlines()[0])]
        for name, kind in kinds.items()
    ]
    union: Any = functools.reduce(operator.or_, choices)
    return tyro.cli(union, prog=program, args=args, description=description, config=options)


def _fail(error: BaseException, code: int) -> int:
    reason = " ".join(str(error).split()) or type(error).__name__
    print(f"error: {reason}", file=sys.stderr)
    return code
