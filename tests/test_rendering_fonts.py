from pathlib import Path

import pytest

from ocr_batch.errors import TrainingError
from ocr_batch.rendering.fonts import (
    FAMILIES,
    PACKAGES,
    Face,
    find_faces,
    install_command,
    split_families,
)


def _face(group: str, category: str = "serif", family: str | None = None) -> Face:
    return Face(
        path=f"{family or group}.ttf",
        index=0,
        family=family or group,
        group=group,
        category=category,
        weight=1.0,
        bold=False,
        italic=False,
        characters=frozenset("abc"),
        ligatures=(),
    )


def test_install_command_names_every_package_once():
    command = install_command()
    assert command[0] == "apt-get"
    assert command[-len(PACKAGES) :] == list(PACKAGES)
    assert len(set(PACKAGES)) == len(PACKAGES)


def test_table_has_clones_in_one_group():
    assert FAMILIES["Tinos"].group == FAMILIES["Liberation Serif"].group
    assert FAMILIES["Arimo"].group == FAMILIES["Nimbus Sans"].group
    assert {family.category for family in FAMILIES.values()} == {
        "serif",
        "sans",
        "mono",
        "typewriter",
    }


def test_split_keeps_groups_whole_and_the_common_ones_in_training():
    faces = [
        _face(f"g{n}", "serif" if n % 2 else "sans", f"f{n}{k}") for n in range(30) for k in "ab"
    ]
    faces += [_face("times"), _face("courier", "typewriter")]
    train, validation = split_families(faces, seed=3, validation=0.2)
    assert len(train) + len(validation) == len(faces)
    assert not {f.group for f in train} & {f.group for f in validation}
    assert {"times", "courier"} <= {f.group for f in train}
    assert len({f.group for f in validation}) == 6
    assert split_families(faces, 3, 0.2) == (train, validation)
    assert split_families(faces, 4, 0.2) != (train, validation)


def test_no_fonts_is_an_error_that_says_what_to_install(tmp_path: Path):
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    with pytest.raises(TrainingError, match="apt-get"):
        find_faces([tmp_path])


def test_found_faces_have_letters():
    try:
        faces = find_faces()
    except TrainingError:
        pytest.skip("no training fonts are installed")
    for face in faces:
        assert set("aZ.") <= face.characters
        assert face.family in FAMILIES
        assert all(len(text) > 1 and len(code) == 1 for text, code in face.ligatures)
