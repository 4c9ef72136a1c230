"""Look at running processes: who belongs to whom, and what memory they take. Linux only."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def family(root: int) -> list[int]:
    """Return a process and all below it, also those with sessions of their own."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            # The name stands in brackets and may have anything in it; the parent is second after.
            with suppress(OSError, IndexError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def kilobytes(pid: int) -> tuple[int, int]:
    """Return the PSS and the RSS of a process, zeros when it is gone."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0, 0
    sizes = {line.split(":")[0]: line.split()[1] for line in lines if line.endswith(" kB")}
    return int(sizes.get("Pss", 0)), int(sizes.get("Rss", 0))
