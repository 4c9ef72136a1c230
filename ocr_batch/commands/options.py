"""What the commands share: their parser, checked values, and the streams they print to."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NoReturn, TextIO

from ocr_batch.errors import UsageError

if TYPE_CHECKING:
    from typing import TypeAlias

__all__ = [
    "EXIT_CODES",
    "Commands",
    "Parser",
    "add_command",
    "add_jobs",
    "at_least",
    "listing",
    "say",
    "text_stream",
]

EXIT_CODES = """\
exit codes: 0 all pages read; 1 wrong usage; 2 no readable input; 3 model missing or
incompatible; 4 output not writable; 5 some pages failed, the rest is written;
130 interrupted, what was read is written; 15 a bug."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors leave through `ocr_batch.cli.main` like all others."""

    def error(self, message: str) -> NoReturn:
        """Raise a `UsageError` that shows how the command is called."""
        raise UsageError(f"{message}\n{self.format_usage().rstrip()}\nSee {self.prog} --help.")


if TYPE_CHECKING:
    Commands: TypeAlias = argparse._SubParsersAction[Parser]
else:
    # The class takes no parameters when the program runs.
    Commands = argparse._SubParsersAction


def add_command(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    *,
    help: str,
    text: str,
    epilog: str = "",
) -> Parser:
    """Add the parser of a command.

    Parameters
    ----------
    commands : Commands
        What `argparse.ArgumentParser.add_subparsers` returned.
    name : str
    run : function of a namespace to int
        Does the work and returns the exit code.
    help : str
        One phrase for the list of commands.
    text : str
        What stands above the options in the command's own help; lines are kept as they are.
    epilog : str
        What stands below them.

    Returns
    -------
    Parser
    """
    parser = commands.add_parser(
        name,
        help=help,
        description=text,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def at_least(least: float, kind: Callable[[str], float]) -> Callable[[str], float]:
    """Return a type of argument: finite numbers from `least` on.

    Parameters
    ----------
    least : float
    kind : int or float
        What the text is converted with.

    Returns
    -------
    function of str to int or float
        Raises `argparse.ArgumentTypeError` for anything else.
    """

    def number(value: str) -> float:
        try:
            result = kind(value)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{value!r} is not a number") from None
        if not least <= result < float("inf"):
            raise argparse.ArgumentTypeError(f"{value} is not {least} or more")
        return result

    return number


def add_jobs(group: argparse._ActionsContainer, doing: str) -> None:
    """Add ``--jobs``: how many processes do what is named, such as "reading processes"."""
    group.add_argument(
        "--jobs",
        metavar="N",
        type=at_least(1, int),
        help=f"{doing}, one core each (default: one for each core)",
    )


def say(text: str) -> None:
    """Print a line on standard error, where everything goes that is not a result."""
    print(text, file=sys.stderr)


def text_stream() -> TextIO:
    """Return standard output, as UTF-8 with its line ends left alone whatever the locale."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", newline="")
    return sys.stdout


def listing() -> Iterator[str]:
    """Return the lines of standard input as the file system would spell them."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        return (os.fsdecode(line) for line in sys.stdin.buffer)
    return iter(sys.stdin)
