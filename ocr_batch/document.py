"""Hold what was read: a page of blocks of lines of words of characters, all frozen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

__all__ = ["Block", "Box", "Character", "Line", "Page", "Word"]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in pixels of the image as stored, before EXIF, rotation or deskew."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """First column right of the box."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """First row below the box."""
        return self.top + self.height

    def union(self, other: Box) -> Box:
        """Return the smallest box that holds both."""
        left, top = min(self.left, other.left), min(self.top, other.top)
        return Box(
            left,
            top,
            max(self.right, other.right) - left,
            max(self.bottom, other.bottom) - top,
        )


def _hull(boxes: Iterator[Box]) -> Box:
    hull = next(boxes)
    for box in boxes:
        hull = hull.union(box)
    return hull


@dataclass(frozen=True, slots=True)
class Character:
    """One character, where it stands and how sure the reader is of it (0..1).

    The letters of a ligature are characters of their own that share one box.
    """

    text: str
    box: Box
    confidence: float


@dataclass(frozen=True)
class Word:
    """Characters without a space between them; `confidence` is that of the whole word (0..1)."""

    characters: tuple[Character, ...]
    confidence: float

    @cached_property
    def text(self) -> str:
        """The word as a string."""
        return "".join(character.text for character in self.characters)

    @cached_property
    def box(self) -> Box:
        """The smallest box that holds the word's characters."""
        return _hull(character.box for character in self.characters)


@dataclass(frozen=True)
class Line:
    """Words of one text line, in reading order."""

    words: tuple[Word, ...]

    @cached_property
    def text(self) -> str:
        """The line as a string, one space between words."""
        return " ".join(word.text for word in self.words)

    @cached_property
    def box(self) -> Box:
        """The smallest box that holds the line's words."""
        return _hull(word.box for word in self.words)


@dataclass(frozen=True)
class Block:
    """Lines that belong together: a paragraph, a column's part, a table."""

    lines: tuple[Line, ...]

    @cached_property
    def text(self) -> str:
        """The block's lines, one below the other."""
        return "\n".join(line.text for line in self.lines)

    @cached_property
    def box(self) -> Box:
        """The smallest box that holds the block's lines."""
        return _hull(line.box for line in self.lines)


@dataclass(frozen=True)
class Page:
    """One page as read: blocks in reading order, and where the page came from.

    Attributes
    ----------
    blocks : tuple of Block
        In reading order. Empty for a page without text.
    width, height : int
        Size in pixels of the image as stored.
    source : str
        Path of the file, or "" for an array.
    number : int
        Page within the file, from 1.
    rotation : int
        Degrees (0, 90, 180, 270) by which the stored image was turned clockwise to stand upright.
    skew : float
        Degrees by which the upright page was turned clockwise to level its lines.
    """

    blocks: tuple[Block, ...]
    width: int
    height: int
    source: str = ""
    number: int = 1
    rotation: int = 0
    skew: float = 0.0

    @property
    def lines(self) -> Iterator[Line]:
        """Every line, in reading order."""
        return (line for block in self.blocks for line in block.lines)

    @property
    def words(self) -> Iterator[Word]:
        """Every word, in reading order."""
        return (word for line in self.lines for word in line.words)

    @cached_property
    def text(self) -> str:
        """Lines, with a blank line between blocks; no newline at the end."""
        return "\n\n".join(block.text for block in self.blocks)

    @cached_property
    def confidence(self) -> float:
        """Mean word confidence weighted by length; 0.0 for an empty page."""
        pairs = [(word.confidence, len(word.characters)) for word in self.words]
        weight = sum(length for _, length in pairs)
        return sum(value * length for value, length in pairs) / weight if weight else 0.0
