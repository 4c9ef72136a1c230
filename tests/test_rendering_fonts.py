from pathlib import Path

import pytest
from font_tools import write_font

from ocr_batch.errors import TrainingError
from ocr_batch.rendering import fonts
from ocr_batch.rendering.fonts import (
    FAMILIES,
    PACKAGES,
    Face,
    choose_faces,
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


def test_fonts_of_any_family_can_be_named(tmp_path: Path):
    path = write_font(tmp_path / "fonts" / "own.ttf")
    (tmp_path / "fonts" / "notes.txt").write_text("no font")
    (face,) = choose_faces([path])
    assert (face.path, face.family, face.group) == (str(path), "Aileron", "aileron")
    assert (face.bold, face.italic, face.category) == (False, False, "sans")
    assert set("aZ.09") <= face.characters
    assert choose_faces([tmp_path / "fonts"]) == [face]
    # The same font twice is one face.
    assert len(choose_faces([path, tmp_path / "fonts"])) == 1


def test_a_font_that_can_not_be_used_is_named(tmp_path: Path):
    path = write_font(tmp_path / "own.ttf")
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(path.read_bytes()[:2000])
    for bad in (broken, tmp_path / "missing.ttf"):
        with pytest.raises(TrainingError, match=bad.name):
            choose_faces([path, bad])


def test_too_few_installed_fonts_are_an_error_that_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write_font(tmp_path / "own.ttf")
    monkeypatch.setattr(fonts, "_FOLDERS", (str(tmp_path),))
    family = fonts.Family("Aileron", "aileron", "sans", 1.0)
    monkeypatch.setattr(fonts, "FAMILIES", {**FAMILIES, "Aileron": family})
    assert len(find_faces()) == 1
    with pytest.raises(TrainingError, match=r"Only 1 of .*apt-get"):
        choose_faces()
