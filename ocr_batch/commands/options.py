"""What the commands share: their parser, checked values, and the streams they print to."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from ocr_batch.errors import UsageError

if TYPE_CHECKING:
    from typing import TypeAlias

__all__ = [
    "EXIT_CODES",
    "Commands",
    "Parser",
    "Progress",
    "add_command",
    "add_jobs",
    "at_least",
    "listing",
    "progress",
    "say",
    "share",
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


def share(value: str) -> float:
    """Convert an argument that is a share: a number from 0 to 1.

    Raises
    ------
    argparse.ArgumentTypeError
        For anything else.
    """
    number = at_least(0, float)(value)
    if number > 1:
        raise argparse.ArgumentTypeError(f"{value} is not between 0 and 1")
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


class Progress:
    """Tells how far a command is; made by `progress`.

    Parameters
    ----------
    tell : function of str
        Shows a line above the bar.
    bar : tqdm.tqdm or None
        The bar, where there is one.
    """

    def __init__(self, tell: Callable[[str], object], bar: Any = None) -> None:
        self.tell = tell
        self._bar = bar

    def step(self, count: int, total: int | None) -> None:
        """Count so many as done, of a total that is known by now."""
        if self._bar is not None:
            self._bar.total = total
            self._bar.update(count)


@contextmanager
def progress(unit: str, *, quiet: bool) -> Iterator[Progress]:
    """Give what shows progress: lines always, a bar on a terminal only; nothing when quiet.

    Parameters
    ----------
    unit : str
        What is counted, in the singular.
    quiet : bool
    """
    if quiet:
        yield Progress(lambda text: None)
    elif not sys.stderr.isatty():
        yield Progress(say)
    else:
        from tqdm import tqdm

        with tqdm(unit=unit, dynamic_ncols=True, smoothing=0.1, file=sys.stderr) as bar:
            yield Progress(lambda text: tqdm.write(text, file=sys.stderr), bar)


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
