"""Read a CSV that lists image files and their labels."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from ocr_batch.datasets.scans import load_images
from ocr_batch.datasets.stored import Stored
from ocr_batch.errors import TrainingError

__all__ = ["load_table"]


def load_table(path: Path) -> Stored:
    """Read a CSV with the columns ``image`` and ``label``; paths are relative to the CSV.

    Labels are class names. Further columns are passed over.

    Raises
    ------
    TrainingError
        If it is not such a CSV, a row is incomplete, or an image can not be read.
    """
    files, labels = [], []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [name.strip().lower() for name in next(reader, [])]
            if not {"image", "label"} <= set(header):
                raise TrainingError(
                    f"{path} has no header with the columns image and label; add one"
                )
            image, label = header.index("image"), header.index("label")
            for row in reader:
                if not row:
                    continue
                if len(row) <= max(image, label) or not row[image] or not row[label]:
                    raise TrainingError(
                        f"{path}, line {reader.line_num}: an image and a label are wanted; "
                        "complete the row"
                    )
                files.append(path.parent / row[image])
                labels.append(row[label])
    except OSError as error:
        raise TrainingError(f"{path} can not be read ({error.strerror or error})") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise TrainingError(f"{path} is not a CSV in UTF-8 ({error}); save it as one") from error
    if not files:
        raise TrainingError(f"{path} lists no images; add a row for each")
    return Stored(load_images(files, str(path)), np.array(labels), scans=True)
