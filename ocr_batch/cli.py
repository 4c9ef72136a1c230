"""Parse the command line, run a command, and turn errors into exit codes."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from ocr_batch import __version__
from ocr_batch.commands import classify, compare, evaluate, harvest, read, render, train, watch
from ocr_batch.commands.options import EXIT_CODES, Parser, say
from ocr_batch.errors import OcrBatchError, OutputError

__all__ = ["build_parser", "main"]

# In the order of the help. The modules import what is heavy in their functions only.
_COMMANDS = (
    read,
    watch,
    classify,
    evaluate,
    render,
    train,
    compare,
    harvest,
)

_BUG = 15
_INTERRUPTED = 130


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = Parser(
        prog="ocr-batch",
        description="Batch OCR: a folder of scanned pages in, text and CSV per page out.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ocr-batch {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for command in _COMMANDS:
        command.add(commands)
    return parser


def _drop_stdout() -> None:
    """Let what is still to be printed go nowhere: nobody reads it any more."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process when not given.

    Returns
    -------
    int
        The exit code.
    """
    # A batch system that ends the run is no worse than a person who does.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        args = build_parser().parse_args(argv)
        return int(args.run(args))
    except KeyboardInterrupt:
        say("ocr-batch: interrupted; what was written so far is kept.")
        return _INTERRUPTED
    except OutputError as error:
        if isinstance(error.__cause__, BrokenPipeError):
            _drop_stdout()
        else:
            say(f"ocr-batch: {error}")
        return error.exit_code
    except OcrBatchError as error:
        say(f"ocr-batch: {error}")
        return error.exit_code
    except BrokenPipeError:
        _drop_stdout()
        return OutputError.exit_code
    except Exception:
        say(traceback.format_exc())
        say("ocr-batch: this is a bug; please report it with the lines above.")
        return _BUG
