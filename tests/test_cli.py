"""The command line: what it accepts, what it prints, how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import fields, is_dataclass, replace
from pathlib import Path

import pytest
from cli_tools import COMMAND, environment, many, rows, run, save, start, text_image, tree, wait_for

import ocr_batch
from ocr_batch import cli
from ocr_batch.batch.options import ReadOptions
from ocr_batch.commands import evaluate, reading
from ocr_batch.output.writers import WRITERS

PAGE = text_image("The quick brown fox", "jumps over the dog")
LINE = text_image("The quick brown fox")


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    save(folder / "a.png", PAGE)
    save(folder / "b" / "c.png", LINE)
    save(folder / "d.tif", PAGE, LINE)
    return folder


def test_help_and_version_load_nothing_heavy() -> None:
    code = (
        "import sys\nfrom ocr_batch.cli import main\n"
        "try:\n    main({arguments!r})\nexcept SystemExit:\n    pass\n"
        "heavy = {{'numpy', 'cv2', 'tensorflow', 'keras', 'scipy', 'skimage', 'PIL', 'tqdm'}}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    for arguments in (["--help"], ["--version"], []):
        script = [sys.executable, "-c", code.format(arguments=arguments)]
        done = subprocess.run(
            script, capture_output=True, text=True, env=environment(), check=False
        )
        assert done.returncode == 0, done.stderr


def test_the_process_that_deals_pages_out_loads_nothing_that_reads_them(
    scans: Path, tmp_path: Path
) -> None:
    arguments = ["read", str(scans), "-o", str(tmp_path / "out"), "--quiet", "--jobs", "1"]
    code = (
        f"import sys\nfrom ocr_batch.cli import main\nassert main({arguments!r}) == 0\n"
        "heavy = {'numpy', 'cv2', 'tensorflow', 'keras', 'scipy', 'skimage', 'PIL', 'fsspec'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    script = [sys.executable, "-c", code]
    done = subprocess.run(script, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 0, done.stderr


def test_version() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"ocr-batch {ocr_batch.__version__}\n")


def test_read_writes_text_tables_and_a_summary(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("read", scans, "-o", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr == f"4 pages: 4 read. The text is in {out}.\n"
    stems = ["a", "b/c", "d-0001", "d-0002"]
    expected = {f"{stem}{suffix}" for stem in stems for suffix in (".txt", ".csv")}
    assert set(tree(out)) == expected | {"pages.csv"}
    listed = rows(out)
    assert [row["output"] for row in listed] == stems
    assert [row["page"] for row in listed] == ["1", "1", "1", "2"]
    assert [row["source"] for row in listed] == [
        str(scans / name) for name in ("a.png", "b/c.png", "d.tif", "d.tif")
    ]
    for row in listed:
        words = rows(out, row["output"] + ".csv")
        assert len(words) == int(row["words"])
        assert sum(len(word["text"].lstrip("'")) for word in words) <= int(row["characters"])
        assert {word["page"] for word in words} == {row["page"]}
        assert re.fullmatch(r"[01]\.\d{4}", row["confidence"])


def test_a_clean_line_is_read_right(tmp_path: Path) -> None:
    path = save(tmp_path / "line.png", LINE)
    done = run("read", path, "-o", "-")
    assert done.stdout == "The quick brown fox\n"


def test_characters_and_formats(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("read", scans / "a.png", "-o", out, "--format", "CSV", "--detail", "char")
    assert done.returncode == 0, done.stderr
    assert set(tree(out)) == {"a.csv", "pages.csv"}
    characters = rows(out, "a.csv")
    assert len(characters) == int(rows(out)[0]["characters"])
    assert all(len(row["text"]) == 1 for row in characters)
    assert next(iter(characters))["char"] == "1"


def test_text_on_standard_output_is_in_input_order(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("read", scans, "-o", out, "--quiet")
    (scans / "b" / "broken.png").write_bytes(b"")
    done = run("read", scans, "-o", "-", "--jobs", 2)
    assert done.returncode == 5
    pages = done.stdout.split("\f")
    assert pages[1] == ""
    texts = [(out / f"{stem}.txt").read_text() for stem in ("a", "b/c", "d-0001", "d-0002")]
    assert pages[:1] + pages[2:] == texts
    assert "broken.png, page 1: " in done.stderr
    assert done.stderr.endswith("5 pages: 4 read, 1 failed.\n")


def test_a_reader_that_goes_away_is_no_bug(scans: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    process = subprocess.Popen(
        [*COMMAND, "read", str(scans), "-o", "-"],
        stdout=write,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    os.close(write)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 4
    assert errors == ""


def test_a_list_on_standard_input(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("read", "-", "-o", out, cwd=scans, stdin="b/c.png\na.png\n")
    assert done.returncode == 0, done.stderr
    assert [row["output"] for row in rows(out)] == ["b/c", "a"]


def test_a_glob_that_the_shell_left_alone(scans: Path, tmp_path: Path) -> None:
    done = run("read", scans / "*.png", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert [row["output"] for row in rows(tmp_path / "out")] == ["a"]


def test_quiet_prints_nothing(scans: Path, tmp_path: Path) -> None:
    (scans / "bad.png").write_bytes(b"")
    done = run("read", scans, "-o", tmp_path / "out", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (5, "", "")


def test_a_profile_tells_where_the_time_went(scans: Path, tmp_path: Path) -> None:
    done = run("read", scans, "-o", tmp_path / "out", "--quiet", "--profile", "--jobs", "2")
    assert (done.returncode, done.stdout) == (0, "")
    head, *lines, total = (line.split() for line in done.stderr.splitlines())
    assert head == ["stage", "seconds", "ms", "a", "page", "share"]
    stages = ["models", "load", "prepare", "layout", "segment", "classify", "decode"]
    assert [line[0] for line in lines] == [*stages, "assemble", "format"]
    assert total[0] == "all"
    assert float(total[1]) == pytest.approx(sum(float(line[1]) for line in lines), abs=0.06)
    assert float(total[1]) > 0


def test_a_second_run_keeps_names_and_rows_of_the_first(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("read", scans / "d.tif", "-o", out)
    run("read", scans / "a.png", "-o", out)
    assert [row["output"] for row in rows(out)] == ["d-0001", "d-0002", "a"]
    before = tree(out)
    # A file of the same name that comes first in the alphabet gets another name.
    save(scans / "a.bmp", LINE)
    done = run("read", scans, "-o", out)
    assert done.returncode == 0, done.stderr
    after = tree(out)
    assert {name: after[name] for name in before if name != "pages.csv"} == {
        name: data for name, data in before.items() if name != "pages.csv"
    }
    outputs = {(Path(r["source"]).name, r["page"]): r["output"] for r in rows(out)}
    assert outputs["a.png", "1"] == "a"
    assert outputs["a.bmp", "1"] == "a.bmp"
    assert len(outputs) == 5


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["frobnicate"],
        ["read"],
        ["read", "a.png"],
        ["read", "a.png", "-o", "out", "--jobs", "0"],
        ["read", "a.png", "-o", "out", "--jobs", "many"],
        ["read", "a.png", "-o", "out", "--timeout", "-1"],
        ["read", "a.png", "-o", "out", "--timeout", "nan"],
        ["read", "a.png", "-o", "out", "--format", "docx"],
        ["read", "a.png", "-o", "out", "--detail", "line"],
        ["read", "a.png", "-o", "out", "--no-such-option"],
        ["read", "a.png", "-o", "-", "--format", "csv"],
        ["read", "a.png", "-o", "out", "--decoder", "nonsense=1"],
        ["read", "a.png", "-o", "out", "--decoder", "width=x"],
        ["read", "a.png", "-o", "out", "--decoder", "width=0"],
        ["read", "a.png", "-o", "out", "--decoder", "beam=-1"],
        ["read", "a.png", "-o", "out", "--decoder", "pitch=nan"],
    ],
)
def test_wrong_usage(arguments: list[str], tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "a.png", LINE)
    assert cli.main(arguments) == 1
    message = capsys.readouterr().err
    assert message.startswith("ocr-batch: ")
    assert "Traceback" not in message
    assert not (tmp_path / "out").exists()


def test_no_input(tmp_path: Path) -> None:
    done = run("read", tmp_path / "missing", "-o", tmp_path / "out")
    assert done.returncode == 2
    assert "missing" in done.stderr
    assert run("read", tmp_path, "-o", tmp_path / "out").returncode == 2
    assert not (tmp_path / "out").exists()


def test_no_model(scans: Path, tmp_path: Path) -> None:
    done = run("read", scans, "-o", tmp_path / "out", "--model", tmp_path / "no-model")
    assert done.returncode == 3
    assert "no-model" in done.stderr
    assert not (tmp_path / "out").exists()


def test_an_output_that_can_not_be_written(scans: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    done = run("read", scans, "-o", tmp_path / "file")
    assert done.returncode == 4
    assert (tmp_path / "file").read_text() == "precious"
    # In the way of a page.
    (tmp_path / "out" / "a.txt").mkdir(parents=True)
    done = run("read", scans, "-o", tmp_path / "out")
    assert done.returncode == 4
    assert "a.txt" in done.stderr
    assert not [name for name in tree(tmp_path / "out") if name.endswith(".tmp")]


def test_some_other_pages_csv_is_left_alone(scans: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "pages.csv").write_text("my,own\n1,2\n")
    done = run("read", scans, "-o", out)
    assert done.returncode == 4
    assert (out / "pages.csv").read_text() == "my,own\n1,2\n"


def test_a_bug_has_its_own_exit_code(monkeypatch, capsys, tmp_path: Path) -> None:
    def bug(args: object) -> int:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(evaluate, "run", bug)
    assert cli.main(["evaluate", "out", "truth"]) == 15
    message = capsys.readouterr().err
    assert "ZeroDivisionError" in message
    assert "bug" in message


def actions() -> dict[str, object]:
    parser = cli.build_parser()
    (commands,) = (action for action in parser._actions if action.choices)
    return {action.dest: action for action in commands.choices["read"]._actions}


def test_every_option_of_reading_can_be_set() -> None:
    assert {field.name for field in fields(ReadOptions)} <= set(actions())
    base = ["read", "a.png", "-o", "out"]
    parser = cli.build_parser()
    assert reading.read_options(parser.parse_args(base)) == ReadOptions()
    for field in fields(ReadOptions):
        value = getattr(ReadOptions(), field.name)
        if isinstance(value, bool):
            changed = parser.parse_args([*base, f"--{'no-' if value else ''}{field.name}"])
            assert reading.read_options(changed) == replace(
                ReadOptions(), **{field.name: not value}
            )
            continue
        assert is_dataclass(value), f"no test for an option like {field.name}"
        for weight in fields(value):
            changed = parser.parse_args([*base, f"--{field.name}", f"{weight.name}=7"])
            expected = replace(value, **{weight.name: 7})
            assert getattr(reading.read_options(changed), field.name) == expected


def test_every_format_is_in_the_help() -> None:
    assert all(name in actions()["format"].help for name in WRITERS)


def begin(folder: Path, out: Path) -> subprocess.Popen[str]:
    process = start("read", folder, "-o", out, "--jobs", 2)
    if not wait_for(lambda: list(out.glob("*.txt")) or process.poll() is not None):
        process.kill()
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_soon_and_keeps_its_pages(number: int, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = begin(many(tmp_path / "many", 1000), out)
    process.send_signal(number)
    start = time.monotonic()
    try:
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert time.monotonic() - start < 30
    assert process.returncode == 130
    assert "Traceback" not in errors
    listed = rows(out)
    assert 0 < len(listed) < 1000
    texts = {path.name for path in out.glob("*.txt")}
    # The signal may have come between the file and the row of a page.
    assert {f"{row['output']}.txt" for row in listed} <= texts
    assert len(texts) <= len(listed) + 1
    assert not list(out.glob("*.tmp"))


def test_a_killed_run_leaves_whole_files_and_a_summary(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = begin(many(tmp_path / "many", 1000), out)
    process.kill()
    process.communicate()
    assert (out / "pages.csv").read_bytes().endswith(b"\n")
    texts = {path.read_bytes() for path in out.glob("*.txt")}
    assert len(texts) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_shows_progress(scans: Path, tmp_path: Path) -> None:
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    process = subprocess.Popen(
        [*COMMAND, "read", str(scans), "-o", str(tmp_path / "out")],
        stderr=theirs,
        stdin=subprocess.DEVNULL,
        env=environment(),
    )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 4096):
            shown += part
    except OSError:  # the end of a pseudo-terminal
        pass
    os.close(ours)
    assert process.wait(60) == 0
    assert b"4/4" in shown
    assert b"page/s" in shown or b"s/page" in shown


def test_evaluate(tmp_path: Path) -> None:
    for folder, text in (("out", "The quick brown fax\n"), ("truth", "The quick brown fox\n")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text(text)
    done = run("evaluate", tmp_path / "out", tmp_path / "truth")
    assert done.returncode == 0, done.stderr
    assert "CER" in done.stdout
    assert "0.0526" in done.stdout
    done = run("evaluate", tmp_path / "out", tmp_path / "truth", "--json")
    assert '"CER"' in done.stdout
    assert run("evaluate", tmp_path / "out", tmp_path / "none").returncode == 2
