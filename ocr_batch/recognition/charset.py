"""Name the classes of the page reader's network, in order."""

from __future__ import annotations

__all__ = [
    "CHARACTERS",
    "CLASSES",
    "GARBAGE",
    "LEFT",
    "LIGATURES",
    "NOISE",
    "N_CHARACTERS",
    "RIGHT",
    "TWO",
]

_ASCII = "".join(chr(code) for code in range(0x21, 0x7F))
_BEYOND = "“”‘’–—…•£€§°©®¢½¼¾×¶†éèàöüç"

#: Classes that stand for one character.
CHARACTERS: tuple[str, ...] = tuple(_ASCII + _BEYOND)
#: Classes whose glyph holds several characters, written out.
LIGATURES: tuple[str, ...] = ("fi", "fl", "ff", "ffi", "ffl")
#: Classes that say "this is not one character": a left or right piece of one, two at once, dirt.
GARBAGE: tuple[str, ...] = ("<left>", "<right>", "<two>", "<noise>")

#: All classes, in the order of the network's output.
CLASSES: tuple[str, ...] = CHARACTERS + LIGATURES + GARBAGE
#: Number of classes that are text; the garbage classes come after them.
N_CHARACTERS = len(CHARACTERS) + len(LIGATURES)
#: Indices of the garbage classes.
LEFT, RIGHT, TWO, NOISE = (N_CHARACTERS + number for number in range(len(GARBAGE)))
