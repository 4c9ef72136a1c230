"""Write what came out of a training run as one HTML page and its pictures."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ocr_batch.training import markup, plots, sheets
from ocr_batch.training.assessment import (
    Pair,
    class_figures,
    confusion_counts,
    most_confused,
    probabilities,
    reliability,
    worst_pairs,
)
from ocr_batch.training.calibration import negative_log_likelihood
from ocr_batch.training.theme import DARK, LIGHT, Theme, shown

__all__ = ["PAGE", "ReportData", "write_report"]

#: Name of the page within its folder.
PAGE = "report.html"
#: Sample images in the grid; confused pairs, and examples of each.
_SAMPLES, _PAIRS, _EXAMPLES = 96, 20, 8
#: Classes that a confusion matrix shows before it keeps to the most confused ones, and how many
#: those are.
_WHOLE, _MOST = 64, 48
#: How a note begins that is a warning, see `datasets.glyphs.Glyphs`.
_WARNING = "warning: "
#: Rows of the class table that are always open.
_OPEN = 40


@dataclass(frozen=True)
class ReportData:
    """Everything a report is made from.

    Attributes
    ----------
    title : str
    summary : str
        The network's layers as a table of text.
    recipe : mapping
        As in the card; may be nested.
    notes : sequence of str
        What was recognised in the data, and warnings, which start with ``warning: ``.
    epochs : sequence of fit.Epoch
        The learning curve; may be empty.
    classes : sequence of str
        Names of the C classes.
    samples : (n, f, f) uint8
        Training images for the grid, ink 255 on 0.
    sample_label : (n,) int
    images : (N, f, f) uint8
        The test part.
    label : (N,) int
    logits : (N, C) float32
    temperature : float
        By which logits are divided.
    counts : mapping of str to int
        Training images of each class.
    tested_on : str
        What the test part is, for a sentence: "a test part that nothing saw before".
    """

    title: str
    summary: str
    recipe: Mapping[str, Any]
    notes: Sequence[str]
    epochs: Sequence[plots.EpochLike]
    classes: Sequence[str]
    samples: NDArray[np.uint8]
    sample_label: NDArray[np.integer]
    images: NDArray[np.uint8]
    label: NDArray[np.integer]
    logits: NDArray[np.float32]
    temperature: float
    counts: Mapping[str, int]
    tested_on: str


def _check(data: ReportData) -> None:
    if not len(data.images) == len(data.label) == len(data.logits) > 0:
        raise ValueError(
            f"{len(data.images)} test images, {len(data.label)} labels, {len(data.logits)} logits"
        )
    if data.logits.shape[1] != len(data.classes):
        raise ValueError(f"{data.logits.shape[1]} logits for {len(data.classes)} classes")


class _Writer:
    """Gather the pictures, in both themes for the page and the light one as a file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def picture(self, name: str, draw: Callable[[Theme], bytes]) -> tuple[bytes, bytes]:
        """Draw a picture twice and write the light one; return both."""
        light = draw(LIGHT)
        self.write(f"{name}.png", light)
        return light, draw(DARK)

    def write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        part = path.with_name(name + ".part")
        part.write_bytes(content)
        part.replace(path)
        return path


def _percent(value: float) -> str:
    return "–" if np.isnan(value) else f"{100 * value:.2f}"


def _glyph(image: NDArray[np.uint8], alt: str) -> str:
    """Return one image, dark on white, as HTML."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(255 - image).save(file, format="PNG", optimize=True)
    return f'<img src="{markup.data_uri(file.getvalue())}" alt="{markup.text(alt)}">'


def _tiles(figures: Sequence[tuple[str, str, str]]) -> str:
    items = (
        f'<div><dt>{markup.text(name)}</dt><dd>{markup.text(value)}</dd><dd class="under">'
        f"{markup.text(under)}</dd></div>"
        for name, value, under in figures
    )
    return f"<dl>{''.join(items)}</dl>\n"


def _notes(notes: Sequence[str]) -> str:
    """Return the notes as a list, the warnings first and set off."""
    warned = [note.removeprefix(_WARNING) for note in notes if note.startswith(_WARNING)]
    plain = [note for note in notes if not note.startswith(_WARNING)]
    items = [f'<li class="warning">Warning: {markup.text(note)}</li>' for note in warned]
    items += [f"<li>{markup.text(note)}</li>" for note in plain]
    return f'<ul class="notes">{"".join(items)}</ul>\n'


def _mark(count: int, what: str) -> str:
    if count > 1:
        return f"{count:,}"
    said = f"no {what} image" if count == 0 else f"a single {what} image"
    return f'{count} <span class="mark">{said}</span>'


def _class_table(data: ReportData, counts: NDArray[np.int64]) -> str:
    figures = class_figures(counts)
    head = [
        ("class", "left"), ("training images", ""), ("test images", ""), ("precision, %", "wide"),
        ("recall, %", "wide"), ("F1, %", ""), ("most often misread as", "left"),
    ]  # fmt: skip
    wrong = counts.copy()
    np.fill_diagonal(wrong, 0)
    rows = []
    for index in figures.worst_first().tolist():
        name = data.classes[index]
        taken = int(wrong[index].argmax())
        times = int(wrong[index, taken])
        misread = f"{markup.text(shown(data.classes[taken]))} ({times:,})" if times else ""
        rows.append([
            markup.cell(markup.text(shown(name)), "name"),
            markup.cell(_mark(int(data.counts.get(name, 0)), "training")),
            markup.cell(_mark(int(figures.support[index]), "test")),
            markup.cell(_percent(figures.precision[index]), "wide"),
            markup.cell(_percent(figures.recall[index]), "wide"),
            markup.cell(_percent(figures.f1[index])),
            markup.cell(misread, "left"),
        ])  # fmt: skip
    said = (
        "<p>Worst first: by rising F1, the harmonic mean of precision (how many of the images "
        "read as this class are of it) and recall (how many of its images were read as it). "
        "Classes without a test image come last.</p>\n"
    )
    content = said + markup.table(head, rows[:_OPEN])
    if len(rows) > _OPEN:
        rest = markup.table(head, rows[_OPEN:])
        content += markup.fold(f"The other {len(rows) - _OPEN} classes", rest)
    return content


def _pair_table(data: ReportData, pairs: Sequence[Pair], support: NDArray[np.int64]) -> str:
    rows = []
    for pair in pairs:
        truth, read = shown(data.classes[pair.truth]), shown(data.classes[pair.read])
        alt = f"{truth} read as {read}"
        strip = "".join(_glyph(data.images[row], alt) for row in pair.rows)
        rows.append([
            markup.cell(markup.text(truth), "name"),
            markup.cell(markup.text(read), "name"),
            markup.cell(f"{pair.count:,}"),
            markup.cell(f"{pair.count / support[pair.truth]:.1%}", "wide"),
            markup.cell(f'<div class="strip ink">{strip}</div>', "left"),
        ])  # fmt: skip
    head = [
        ("true class", "left"), ("read as", "left"), ("times", ""), ("of the class", "wide"),
        ("misread test images, surest first", "left"),
    ]  # fmt: skip
    return markup.table(head, rows)


def _confusions(data: ReportData, counts: NDArray[np.int64], writer: _Writer) -> str:
    classes = len(data.classes)
    chosen = most_confused(counts, _MOST) if classes > _WHOLE else np.arange(classes)
    light, dark = writer.picture(
        "confusion", lambda theme: plots.confusion_matrix(counts, data.classes, chosen, theme)
    )
    said = "A row is a true class, a column what it was read as; blue-grey cells were read right."
    if len(chosen) < classes:
        said += (
            f" Shown are the {len(chosen)} of {classes} classes that are confused most; "
            "the rest share the last row and column."
        )
    return f"<p>{markup.text(said)}</p>\n" + markup.figure(
        light, dark, "Confusion matrix of the test images", least=min(960, 360 + 11 * len(chosen))
    )


def _curves(data: ReportData, writer: _Writer) -> str:
    if not data.epochs:
        return "<p>No learning curve was recorded.</p>\n"
    by_epoch = data.recipe.get("epochs", 1) != 0
    light, dark = writer.picture(
        "curves", lambda theme: plots.learning_curves(data.epochs, theme, by_epoch=by_epoch)
    )
    last = data.epochs[-1]
    caption = (
        "Training figures are means over an epoch's batches, with augmentation and dropout on; "
        "validation figures are of the weights at its end. "
        f"Last: training loss {last.loss:.4f}, accuracy {last.accuracy:.2%}; "
        f"validation loss {last.validation_loss:.4f}, accuracy {last.validation_accuracy:.2%}."
    )
    return markup.figure(light, dark, "Loss and accuracy by epoch", caption, least=620)


def write_report(folder: Path, data: ReportData) -> Path:
    """Write ``report.html``, which needs no other file, and its pictures as PNGs beside it.

    Parameters
    ----------
    folder : Path
        Made if missing. Gets report.html, samples.png, curves.png, confusion.png,
        confused-pairs.png and reliability.png; curves and pairs only if there are any.
    data : ReportData
        With at least one test image.

    Returns
    -------
    Path
        Of the page.

    Raises
    ------
    ValueError
        If the arrays do not fit each other.
    """
    _check(data)
    folder.mkdir(parents=True, exist_ok=True)
    writer = _Writer(folder)
    classes, label = len(data.classes), np.asarray(data.label).astype(np.int64)
    read = data.logits.argmax(axis=1)
    right = read == label
    raw, calibrated = probabilities(data.logits), probabilities(data.logits, data.temperature)
    before = reliability(raw.max(axis=1), right)
    after = reliability(calibrated.max(axis=1), right)
    counts = confusion_counts(label, read, classes)
    pairs = worst_pairs(
        label, read, calibrated.max(axis=1), classes, limit=_PAIRS, examples=_EXAMPLES
    )

    total, wrong = len(label), int((~right).sum())
    accuracy = right.mean()
    deviation = (accuracy * (1 - accuracy) / total) ** 0.5
    loss = negative_log_likelihood(data.logits, label)
    scaled = negative_log_likelihood(data.logits, label, data.temperature)
    head = f'<p class="faint">Tested on {markup.text(data.tested_on)}.</p>\n' + _tiles([
        ("Test accuracy", f"{accuracy:.2%}", f"standard error {deviation:.2%}"),
        ("Misread", f"{wrong:,}", f"of {total:,} test images"),
        ("Test loss", f"{loss:.4f}", f"nats; {scaled:.4f} after temperature scaling"),
        (
            "Calibration error",
            f"{after.error:.2%}",
            f"at temperature {data.temperature:.3g}; {before.error:.2%} before",
        ),
    ])  # fmt: skip
    if data.notes:
        head += _notes(data.notes)

    grid = data.samples[:_SAMPLES]
    names = [data.classes[index] for index in data.sample_label[:_SAMPLES]]
    samples = "<p>There are no sample images.</p>\n"
    if len(grid):
        light, dark = writer.picture("samples", lambda t: sheets.sample_grid(grid, names, t))
        trained = sum(data.counts.values())
        said = f"{len(grid)} of {trained:,} training images, each under its label."
        samples = markup.figure(light, dark, "Training images with labels", said, least=640)
    confused = "<p>No test image was misread.</p>\n"
    if pairs:
        writer.picture(
            "confused-pairs", lambda t: sheets.pair_sheet(pairs, data.classes, data.images, t)
        )
        confused = _pair_table(data, pairs, counts.sum(axis=1))
    light, dark = writer.picture(
        "reliability", lambda theme: plots.reliability_diagram(before, after, theme)
    )
    reliable = markup.figure(
        light,
        dark,
        "Reliability before and after temperature scaling",
        "Test images in 15 bins of confidence. Above the dashed line the network is too modest, "
        "below it too sure. The calibration error is the expected one: the mean gap, weighted by "
        "the images of each bin.",
        least=620,
    )
    recipe = markup.table(
        [("setting", "left"), ("value", "left")],
        [
            [markup.cell(markup.text(name), "left"), markup.cell(markup.text(value), "value")]
            for name, value in markup.recipe_rows(data.recipe)
        ],
    )
    sections = [
        ("samples", "Sample images", samples),
        ("curves", "Learning curves", _curves(data, writer)),
        ("pairs", "Worst-confused pairs", confused),
        ("confusion", "Confusion matrix", _confusions(data, counts, writer)),
        ("classes", "Classes", _class_table(data, counts)),
        ("reliability", "Reliability", reliable),
        ("recipe", "Recipe", recipe),
        ("network", "Network", f"<pre>{markup.text(data.summary)}</pre>\n"),
    ]
    return writer.write(PAGE, markup.page(data.title, head, sections).encode("utf-8"))
