from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("matplotlib")

from ocr_batch.training.fit import Epoch
from ocr_batch.training.report import ReportData, write_report

NAMES = ("<", '"', "&", "$x_$", " ", "e", "never", "once")
PICTURES = ["confused-pairs", "confusion", "curves", "reliability", "samples"]


def drawn(count, classes=8, frame=28, seed=0, boost=3.0):
    """Return images, labels and the logits of a network that is often right."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, count)
    images = rng.integers(0, 256, (count, frame, frame), dtype=np.uint8)
    logits = rng.normal(size=(count, classes)).astype(np.float32)
    logits[np.arange(count), label] += boost
    return images, label, logits


def report_data(**changes):
    images, label, logits = drawn(300)
    label = np.where(label == 6, 5, label)
    settings = {
        "title": "a <b>title</b> & more",
        "summary": "dense │ (None, 10) <lambda>",
        "recipe": {"network": "glyph-cnn", "epochs": 3, "augmentation": {"shift_x": 2}},
        "notes": ["dark on light, turned round", "warning: a single sample of <once>"],
        "epochs": [
            Epoch(number, 40 * number, 2.0 * number, 1 / number, 0.5, 1.5 / number, 0.4)
            for number in (1, 2, 3)
        ],
        "classes": NAMES,
        "samples": images[:20],
        "sample_label": label[:20],
        "images": images,
        "label": label,
        "logits": logits,
        "temperature": 1.5,
        "counts": {**dict.fromkeys(NAMES, 30), "never": 0, "once": 1},
        "tested_on": "a test part that <nothing> saw before",
        **changes,
    }
    return ReportData(**settings)


class Page(HTMLParser):
    """Collect what a browser would see."""

    def __init__(self, content):
        super().__init__()
        self.tags, self.sources, self.text, self.links, self.anchors = [], [], [], [], set()
        self.rows, self.alts, self.in_cell = [], [], False
        self.feed(content)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.tags.append(tag)
        self.sources += [given[name] for name in ("src", "srcset") if name in given]
        self.links += [given["href"]] if "href" in given else []
        self.anchors |= {given["id"]} if "id" in given else set()
        self.alts += [given["alt"]] if "alt" in given else []
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self.in_cell = True

    def handle_endtag(self, tag):
        self.in_cell &= tag not in ("td", "th")

    def handle_data(self, data):
        self.text.append(data)
        if self.in_cell:
            self.rows[-1][-1] += data

    def table(self, head):
        """Return the rows of the table whose first title is `head`."""
        start = next(index for index, row in enumerate(self.rows) if row[0] == head) + 1
        width = len(self.rows[start - 1])
        rows = []
        for row in self.rows[start:]:
            if len(row) != width or row[0] in ("class", "true class", "setting"):
                break
            rows.append(row)
        return rows


def written(folder, data):
    path = write_report(folder, data)
    assert path == folder / "report.html"
    return Page(path.read_text("utf-8"))


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    return folder, written(folder, report_data())


def test_page_needs_no_other_file(report):
    _, page = report
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert all(link.startswith("#") and link[1:] in page.anchors for link in page.links)
    assert all(page.alts)


def test_pictures_lie_beside_it_and_within_it(report):
    folder, page = report
    assert sorted(path.stem for path in folder.glob("*.png")) == PICTURES
    held = {base64.b64decode(source.partition(",")[2]) for source in page.sources}
    for path in folder.glob("*.png"):
        with Image.open(path) as image:
            image.load()
            assert min(image.size) > 100
        # The pairs are a table in the page, each image on its own.
        assert (path.read_bytes() in held) == (path.stem != "confused-pairs")
    assert not list(folder.glob("*.part"))
    for png in held:
        Image.open(io.BytesIO(png)).verify()


def test_each_diagram_comes_for_light_and_dark(report):
    folder, page = report
    content = (folder / "report.html").read_text("utf-8")
    dark = re.findall(r'<source media="\(prefers-color-scheme: dark\)"', content)
    assert len(dark) == len(PICTURES) - 1
    # A dark ground has dark pixels in the corner, a light one light ones.
    pictures = [
        Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))).convert("L")
        for source in page.sources
    ]
    corners = [picture.getpixel((0, 0)) for picture in pictures if picture.width > 300]
    assert sorted(corner < 60 for corner in corners) == [False] * 4 + [True] * 4


def test_every_string_is_escaped(report):
    _, page = report
    text = "".join(page.text)
    assert "b" not in page.tags
    for said in (
        "a <b>title</b> & more",
        "dense │ (None, 10) <lambda>",
        "dark on light, turned round",
        "Warning: a single sample of <once>",
        "a test part that <nothing> saw before",
    ):
        assert said in text


def test_headline_figures(report):
    _, page = report
    data, text = report_data(), "".join(page.text)
    right = data.logits.argmax(axis=1) == data.label
    assert f"{right.mean():.2%}" in text
    assert f"of {len(right)} test images" in text
    shifted = data.logits - np.log(np.exp(data.logits).sum(axis=1, keepdims=True))
    assert f"{-shifted[np.arange(len(right)), data.label].mean():.4f}" in text


def test_classes_are_listed_worst_first_and_scarce_ones_marked(report):
    _, page = report
    rows = page.table("class")
    assert {row[0] for row in rows} == {"<", '"', "&", "$x_$", "space", "e", "never", "once"}
    known = [float(row[5]) for row in rows if row[5] != "–"]
    assert known == sorted(known)
    by_name = {row[0]: row for row in rows}
    assert rows[-1][0] == "never"
    assert by_name["never"][1:3] == ["0 no training image", "0 no test image"]
    assert by_name["once"][1] == "1 a single training image"
    assert by_name["e"][1] == "30"


def test_pairs_show_what_was_misread(report):
    _, page = report
    data = report_data()
    read = data.logits.argmax(axis=1)
    rows = page.table("true class")
    counts = [int(row[2]) for row in rows]
    assert counts == sorted(counts, reverse=True)
    first = [name.replace("space", " ") for name in rows[0][:2]]
    truth, taken = (NAMES.index(name) for name in first)
    assert counts[0] == ((data.label == truth) & (read == taken)).sum()
    assert f"{rows[0][0]} read as {rows[0][1]}" in page.alts


def test_recipe_lists_nested_settings(report):
    _, page = report
    assert ["augmentation.shift_x", "2"] in page.table("setting")


def test_many_classes_keep_to_the_most_confused(tmp_path):
    names = [f"class {number}" for number in range(130)]
    images, label, logits = drawn(600, 130, seed=3, boost=2.0)
    page = written(
        tmp_path,
        report_data(
            classes=names,
            samples=images[:5],
            sample_label=label[:5],
            images=images,
            label=label,
            logits=logits,
            counts=dict.fromkeys(names, 2),
        ),
    )
    assert "48 of 130 classes" in "".join(page.text)
    assert "The other 90 classes" in "".join(page.text)
    with Image.open(tmp_path / "confusion.png") as image:
        assert min(image.size) > 1500


def test_nothing_misread_and_nothing_recorded(tmp_path):
    images, label, logits = drawn(40, boost=50.0)
    data = replace(report_data(epochs=(), notes=()), images=images, label=label, logits=logits)
    page = written(tmp_path, replace(data, samples=images[:0], sample_label=label[:0]))
    text = "".join(page.text)
    assert "No test image was misread." in text
    assert "No learning curve was recorded." in text
    assert "There are no sample images." in text
    assert sorted(path.stem for path in tmp_path.glob("*.png")) == ["confusion", "reliability"]


def test_one_epoch_and_one_image(tmp_path):
    data = report_data(epochs=[Epoch(1, 10, 1.0, 0.5, 0.9, 0.6, 0.8)])
    data = replace(data, images=data.images[:1], label=data.label[:1], logits=data.logits[:1])
    assert "of 1 test images" in "".join(written(tmp_path, data).text)


def test_scripts_that_the_font_lacks_do_no_harm(tmp_path, recwarn):
    names = ("漢", "क", "\n", "\x07", "e\u0301", "\U0001f600", "x", "y")
    page = written(tmp_path, report_data(classes=names, counts={}))
    assert {"漢", "क", "u+000a"} <= {row[0] for row in page.table("class")}
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]


def test_same_data_gives_the_same_page(report, tmp_path):
    folder, _ = report
    write_report(tmp_path, report_data())
    for path in sorted(folder.iterdir()):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize("name", ["images", "label", "logits"])
def test_arrays_must_fit(tmp_path, name):
    data = report_data()
    with pytest.raises(ValueError, match="test images"):
        write_report(tmp_path, replace(data, **{name: getattr(data, name)[1:]}))


def test_logits_must_fit_the_classes(tmp_path):
    with pytest.raises(ValueError, match="8 logits for 3 classes"):
        write_report(tmp_path, report_data(classes=NAMES[:3]))
