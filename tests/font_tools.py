"""A font file for tests that render pages: Pillow's own font, so that none has to be installed."""

from __future__ import annotations

from pathlib import Path

from PIL import ImageFont


def write_font(path: Path) -> Path:
    """Write Pillow's own font to a file."""
    font = ImageFont.load_default(20)
    assert isinstance(font, ImageFont.FreeTypeFont)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(font.font_bytes)
    return path


def write_text(path: Path, paragraphs: int = 60) -> Path:
    """Write a text file of plain paragraphs."""
    text = "The old house by the river was empty; 12 men came back from the town in May."
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([f"{text} " * 3, text] * (paragraphs // 2)), "utf-8")
    return path
