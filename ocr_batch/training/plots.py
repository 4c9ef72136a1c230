"""Draw learning curves, a reliability diagram and a confusion matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ocr_batch.training.assessment import Reliability
from ocr_batch.training.theme import Theme, new_figure, short_name, to_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["EpochLike", "confusion_matrix", "learning_curves", "reliability_diagram"]

#: Up to so many classes the cells of a confusion matrix are wide enough for their numbers.
_NUMBERED = 40


class EpochLike(Protocol):
    """A point of a learning curve, as `fit.Epoch`."""

    @property
    def number(self) -> int:
        """Epochs so far."""
        ...

    @property
    def step(self) -> int:
        """Batches so far."""
        ...

    @property
    def loss(self) -> float:
        """Of the training part, in nats."""
        ...

    @property
    def accuracy(self) -> float:
        """Of the training part, as a share."""
        ...

    @property
    def validation_loss(self) -> float:
        """Of the validation part, in nats."""
        ...

    @property
    def validation_accuracy(self) -> float:
        """Of the validation part, as a share."""
        ...


def _style(axes: Axes, theme: Theme, title: str, x: str, y: str) -> None:
    axes.set_facecolor(theme.ground)
    axes.set_title(title, loc="left", color=theme.ink, fontsize=11, fontweight="bold", pad=8)
    axes.set_xlabel(x, color=theme.faint, fontsize=9)
    axes.set_ylabel(y, color=theme.faint, fontsize=9)
    axes.tick_params(colors=theme.faint, labelsize=8.5, length=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.line)


def _legend(figure: Figure, theme: Theme) -> None:
    """Explain the marks of the first axes below all of them, where no curve can be hidden."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=len(labels),
        fontsize=8.5,
        labelcolor=theme.ink,
        frameon=False,
    )


def learning_curves(epochs: Sequence[EpochLike], theme: Theme, *, by_epoch: bool = True) -> bytes:
    """Draw loss and accuracy of the training and the validation part.

    Parameters
    ----------
    epochs : sequence of EpochLike
        At least one.
    theme : Theme
    by_epoch : bool
        Count epochs; otherwise batches.

    Returns
    -------
    bytes
        PNG.
    """
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    at = [epoch.number if by_epoch else epoch.step for epoch in epochs]
    unit = "epoch" if by_epoch else "batch"
    best = min(range(len(epochs)), key=lambda index: epochs[index].validation_loss)
    figure = new_figure(9.6, 3.9, theme)
    loss, accuracy = figure.subplots(1, 2)
    curves = (
        (loss, "Loss", "cross-entropy, nats", "loss"),
        (accuracy, "Accuracy", "share read right", "accuracy"),
    )
    for axes, title, unit_y, name in curves:
        training = [getattr(epoch, name) for epoch in epochs]
        validation = [getattr(epoch, f"validation_{name}") for epoch in epochs]
        _style(axes, theme, title, unit, unit_y)
        axes.grid(axis="y", color=theme.line, linewidth=0.7)
        axes.set_axisbelow(True)
        marks = {"markersize": 4.0, "linewidth": 1.8}
        axes.plot(at, training, "o--", color=theme.first, label="training", **marks)
        axes.plot(at, validation, "s-", color=theme.second, label="validation", **marks)
        axes.axvline(at[best], color=theme.faint, linewidth=0.8, linestyle=":", zorder=0)
        axes.plot(
            at[best],
            validation[best],
            "s",
            markersize=8.5,
            markerfacecolor="none",
            markeredgecolor=theme.second,
            label=f"lowest validation loss ({unit} {at[best]:,})",
        )
        axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
        if name == "accuracy":
            axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=None))
        else:
            axes.set_ylim(bottom=0)
    _legend(figure, theme)
    return to_png(figure)


def reliability_diagram(
    before: Reliability,
    after: Reliability,
    theme: Theme,
    *,
    titles: tuple[str, str] = ("Before scaling", "After scaling"),
    what: str = "images",
) -> bytes:
    """Draw how often images were read right against the confidence, before and after scaling.

    Parameters
    ----------
    before, after : Reliability
        With temperature 1, and with the temperature of the bundle.
    theme : Theme
    titles : tuple of str
        Of the two parts.
    what : str
        What was read, in the plural.

    Returns
    -------
    bytes
        PNG.
    """
    from matplotlib.ticker import PercentFormatter

    figure = new_figure(9.6, 4.9, theme)
    parts = figure.subplots(1, 2, sharey=True)
    for axes, title, found in zip(parts, titles, (before, after), strict=True):
        heading = f"{title}: calibration error {found.error:.2%}"
        _style(axes, theme, heading, "confidence", "share read right")
        axes.grid(color=theme.line, linewidth=0.7)
        axes.set_axisbelow(True)
        axes.plot([0, 1], [0, 1], "--", color=theme.faint, linewidth=1, label="perfect calibration")
        low, high = found.confidence, found.accuracy
        axes.vlines(low, low, high, color=theme.second, linewidth=2, alpha=0.7, label="gap")
        sizes = 14 + 200 * found.count / max(1, found.count.max())
        axes.plot(low, high, color=theme.first, linewidth=1.2)
        axes.scatter(
            low, high, sizes, color=theme.first, edgecolors=theme.ground, linewidths=0.8, zorder=3,
            label=f"{what} of like confidence (area: how many)",
        )  # fmt: skip
        axes.set_xlim(-0.03, 1.05)
        axes.set_ylim(-0.03, 1.05)
        axes.set_aspect("equal")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    _legend(figure, theme)
    return to_png(figure)


def confusion_matrix(
    counts: NDArray[np.int64], names: Sequence[str], chosen: NDArray[np.intp], theme: Theme
) -> bytes:
    """Draw how often each class was read as each other, on a logarithmic scale of colour.

    Parameters
    ----------
    counts : (C, C) int64
        Rows are true classes, columns what they were read as.
    names : sequence of str
    chosen : (n,) intp
        Classes that get a row and a column; all the others share one, "others".
    theme : Theme

    Returns
    -------
    bytes
        PNG.
    """
    from matplotlib.colors import LinearSegmentedColormap, LogNorm

    group = np.full(len(counts), len(chosen))
    group[chosen] = np.arange(len(chosen))
    size = len(chosen) + (len(chosen) < len(counts))
    grid = np.zeros((size, size), np.int64)
    np.add.at(grid, (group[:, None], group[None, :]), counts)
    labels = [short_name(names[index]) for index in chosen] + ["others"] * (size - len(chosen))
    # Within "others" right and wrong readings share the cell, so it is no error.
    errors = np.ma.masked_equal(np.where(np.eye(size, dtype=bool), 0, grid), 0)
    side = max(5.0, 1.6 + 0.235 * size)
    figure = new_figure(side + 0.9, side, theme)
    axes = figure.subplots()
    scale = LinearSegmentedColormap.from_list("counts", theme.scale).with_extremes(bad=theme.paper)
    most = max(10, int(errors.max())) if errors.count() else 10
    _style(axes, theme, "", "read as", "true class")
    image = axes.imshow(errors, cmap=scale, norm=LogNorm(1, most), interpolation="nearest")
    right = LinearSegmentedColormap.from_list("right", [theme.right] * 2)
    axes.imshow(np.ma.masked_equal(np.eye(size), 0), cmap=right, interpolation="nearest")
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_yticks(range(size), labels, parse_math=False)
    axes.set_xticks(range(size), labels, parse_math=False, va="bottom")
    for mark in axes.get_xticklabels():
        mark.set_rotation(90 if len(mark.get_text()) > 2 else 0)
    axes.tick_params(labelcolor=theme.ink, labelsize=8.5, pad=2)
    axes.set_xticks(np.arange(-0.5, size), minor=True)
    axes.set_yticks(np.arange(-0.5, size), minor=True)
    axes.grid(which="minor", color=theme.ground, linewidth=0.8)
    axes.tick_params(which="minor", length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    _numbers(axes, grid, most, theme)
    bar = figure.colorbar(image, ax=axes, shrink=0.5, aspect=30, pad=0.02)
    ticks = [value for value in (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000) if value <= most]
    bar.set_ticks(ticks, labels=[f"{value:,}" for value in ticks], minor=False)
    bar.ax.minorticks_off()
    bar.set_label("images misread (logarithmic)", color=theme.faint, fontsize=9)
    bar.ax.tick_params(colors=theme.faint, labelsize=8, length=0)
    bar.outline.set_visible(False)
    return to_png(figure, trim=True)


def _numbers(axes: Axes, grid: NDArray[np.int64], most: int, theme: Theme) -> None:
    """Write the counts into the cells, where they are wide enough."""
    if len(grid) > _NUMBERED:
        return
    for row, column in zip(*np.nonzero(grid), strict=True):
        count = int(grid[row, column])
        dense = row != column and math.log(count) > 0.45 * math.log(most)
        axes.text(
            column, row, f"{count}" if count < 10_000 else f"{count // 1000}k",
            ha="center", va="center", fontsize=7 if count < 1000 else 5,
            color=theme.ground if dense else theme.ink,
        )  # fmt: skip
