"""Every command: its help, its shape, the options it shares with others."""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest
from cli_tools import environment

from ocr_batch import cli
from ocr_batch.commands import options

COMMANDS = {command.__name__.rpartition(".")[2]: command for command in cli._COMMANDS}


def choices() -> dict[str, argparse.ArgumentParser]:
    (commands,) = (action for action in cli.build_parser()._actions if action.choices)
    return dict(commands.choices)


def test_every_module_is_a_command_of_its_name():
    assert list(choices()) == list(COMMANDS)
    for command in COMMANDS.values():
        assert {"add", "run"} <= set(command.__all__)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_loads_nothing_heavy(name: str):
    code = (
        "import sys\nfrom ocr_batch.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'cv2', 'tensorflow', 'keras', 'scipy', 'skimage', 'PIL', 'tqdm',"
        " 'matplotlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, name, "--help"],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: ocr-batch {name}")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained(name: str):
    for action in choices()[name]._actions:
        assert action.help, action.dest


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_without_arguments_is_wrong_usage(name: str, capsys: pytest.CaptureFixture[str]):
    assert cli.main([name]) == 1
    assert f"usage: ocr-batch {name}" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["0", "-3", "nan", "inf", "many", "1.5", ""])
def test_numbers_out_of_bounds_are_refused(value: str):
    with pytest.raises(argparse.ArgumentTypeError):
        options.at_least(1, int)(value)


@pytest.mark.parametrize("value", ["-0.1", "1.01", "nan", "inf", "half"])
def test_what_is_no_share_is_refused(value: str):
    with pytest.raises(argparse.ArgumentTypeError):
        options.share(value)


def test_shares_include_their_ends():
    assert [options.share(value) for value in ("0", "0.25", "1")] == [0, 0.25, 1]


def test_progress_shows_lines_only_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]):
    for quiet in (False, True):
        with options.progress("page", quiet=quiet) as bar:
            bar.tell("a.png: failed")
            bar.step(1, 2)
    assert capsys.readouterr().err == "a.png: failed\n"


def test_progress_shows_a_bar_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with options.progress("page", quiet=False) as bar:
        bar.step(1, 2)
        bar.tell("a.png: failed")
        bar.step(1, 2)
    said = capsys.readouterr().err
    assert "a.png: failed\n" in said
    assert "2/2" in said


def test_numbers_within_bounds_are_taken():
    assert options.at_least(1, int)("1") == 1
    assert options.at_least(0, float)("0.5") == 0.5
