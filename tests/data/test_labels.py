"""Labels by folders, CSV files, columns and factors of drawn faces, and those that are refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anime_dcgan.data.concat import ConcatPictures
from anime_dcgan.data.datamodule import FacesDataModule
from anime_dcgan.data.drawn import DrawnFaces, sample_factors
from anime_dcgan.data.folder import FolderFaces
from anime_dcgan.data.labels import MAX_CLASSES, read_labels
from anime_dcgan.data.manifest import ManifestFaces
from anime_dcgan.data.source import HasLabels, Source
from anime_dcgan.data.synthetic.classes import RANGES
from anime_dcgan.data.synthetic.factors import NAMED_FACTORS, sample_factor
from anime_dcgan.system.errors import UserError
from tests.data.pictures import encoded, make_archive, plain

PNG = encoded(plain())
NAMES = ["a.png", "b.png", "c.png", "d.png", "e.png", "sub/f.png"]
ROWS = "a.png,red\nb.png,red\nc.png,blue\nd.png,blue\n"


def fill(folder: Path, names: list[str]) -> FolderFaces:
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encoded(plain((number, 0, 0))))
    return FolderFaces(folder)


@pytest.fixture
def faces(tmp_path: Path) -> FolderFaces:
    return fill(tmp_path / "faces", NAMES)


def by_name(source: Source, labels: str) -> dict[str, str | None]:
    """Return the class of each picture; None if it is unknown."""
    found = read_labels(source, labels)
    names = [*found.names, None]
    return {source.name(i): names[label] for i, label in enumerate(found.of_pictures)}


def refusal(source: Source, labels: str) -> str:
    with pytest.raises(UserError) as caught:
        read_labels(source, labels)
    assert len(str(caught.value).splitlines()) <= 2
    return str(caught.value)


@pytest.mark.parametrize("archive", [None, ".zip", ".tar.gz"])
def test_the_folder_that_holds_a_picture_is_its_class(tmp_path: Path, archive: str | None):
    names = ["all/class-10/a.png", "all/class-10/b.png", "x/class-2/a.png", "class-2/c.png"]
    names += ["loose.png", "../above.png"] if archive == ".tar.gz" else ["loose.png"]
    if archive is None:
        source = fill(tmp_path / "faces", names)
    else:
        source = FolderFaces(make_archive(tmp_path / f"faces{archive}", dict.fromkeys(names, PNG)))
    found = read_labels(source, "folders")
    assert found.names == ("class-2", "class-10")
    expected = {name: name.split("/")[-2] if "class" in name else None for name in names}
    assert by_name(source, "folders") == expected
    assert found.of_pictures.dtype == np.int64


def test_several_folders_are_classes_themselves(tmp_path: Path):
    sources = [fill(tmp_path / name, ["a.png", "b.png", "old/a.png"]) for name in ("red", "blue")]
    assert by_name(ConcatPictures(list(sources)), "folders") == {
        **{"a.png": "blue", "b.png": "blue", "old/a.png": "old"},
    }
    assert read_labels(ConcatPictures(list(sources)), "folders").of_pictures.tolist() == [
        *(2, 2, 1),
        *(0, 0, 1),
    ]


@pytest.mark.parametrize(
    ("labels", "text"),
    [
        ("labels.csv", "file,class\n" + ROWS),
        ("labels.csv", "\ufefffile,class\r\n" + ROWS.replace("\n", "\r\n") + "\r\n"),
        ("labels.csv", "class,file_name\n" + "red,a.png\nred,b.png\nblue,c.png\nblue,./d.png\n"),
        ("labels.csv:hair", "file,eyes,hair\na.png,,red\nb.png,1,red\nc.png,,blue\nd.png,, blue\n"),
        ("labels.CSV", "file,class\n" + ROWS + "e.png,\nsub\\f.png\n" + 'a.png,"red"\n'),
        ("labels.csv", '"file";"class, hair"\r\n' + ROWS.replace(",", ";")),
        ("labels.csv", "file\tclass\n" + ROWS.replace(",", "\t")),
        ("labels.csv", "\ufeffsep=;\r\nfile;class, hair\r\n" + ROWS.replace(",", ";")),
        ("labels.csv", "file,class,\n" + ROWS.replace("\n", ",\n")),
        ("labels.csv:class", "file,eyes,eyes,class\n" + ROWS.replace(",", ",1,2,")),
    ],
)
def test_a_csv_file_labels_pictures(faces: FolderFaces, labels: str, text: str):
    (faces.path / labels.partition(":")[0]).write_text(text, encoding="utf-8", newline="")
    expected = {**dict.fromkeys(NAMES[:2], "red"), **dict.fromkeys(NAMES[2:4], "blue")}
    assert by_name(faces, labels) == {**expected, **dict.fromkeys(NAMES[4:])}


def test_names_are_equal_however_their_accents_are_stored(tmp_path: Path):
    composed, decomposed = "\u00e9", "e\u0301"
    names = [f"{decomposed}/a{composed}.png", f"{composed}/b.png", "c/1.png", "c/2.png"]
    faces = fill(tmp_path / "faces", names)
    assert read_labels(faces, "folders").names == ("c", composed)
    rows = f"{composed}/a{decomposed}.png,1\n{decomposed}/b.png,1\nc/1.png,2\nc/2.png,2\n"
    (faces.path / "labels.csv").write_text("file,class\n" + rows, encoding="utf-8")
    assert by_name(faces, "labels.csv") == dict(zip(names, "1122", strict=True))


def test_class_names_may_have_any_printable_characters(faces: FolderFaces):
    text = (
        'file,class\na.png,"the ""big"" one, 青"\nb.png,"the ""big"" one, 青"\nc.png,=1\nd.png,=1\n'
    )
    (faces.path / "labels.csv").write_text(text, encoding="utf-8")
    assert read_labels(faces, "labels.csv").names == ("=1", 'the "big" one, 青')


def test_a_csv_file_may_lie_elsewhere(
    faces: FolderFaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "labels.csv").write_text("file,class\n" + ROWS)
    monkeypatch.chdir(tmp_path)
    for labels in ("labels.csv", "../labels.csv", f"{tmp_path}/labels.csv:class"):
        assert read_labels(faces, labels).names == ("blue", "red")
    archive = FolderFaces(make_archive(tmp_path / "a.zip", dict.fromkeys(NAMES, PNG)))
    assert read_labels(archive, "labels.csv").names == ("blue", "red")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "needs two columns, separated by commas"),
        (b"file\na.png\n", "needs two columns, separated by commas"),
        (b"file,\na.png,red\n", "no column of classes: use one of file"),
        (b"file,hair,hair\na.png,1,2\n", "has several columns hair: rename all but one"),
        (ROWS.encode(), "has no names of columns: add a first line such as file,class"),
        (
            b"file,hair,eyes\na.png,1,2\n",
            "has the columns hair, eyes: use one of them, data.labels=",
        ),
        (("file,class\n" + ROWS).encode("utf-16"), "is not in UTF-8: save it as CSV UTF-8"),
        (("file,class\n" + ROWS).encode("utf-16-le"), "is not in UTF-8: save it as CSV UTF-8"),
        ("file,class\na.png,grün\n".encode("latin-1"), "is not in UTF-8"),
        (b"file,class\na.png,\0red\nb.png,red\n", "finds the class '\\x00red': use names of"),
        (b'file,class\na.png,"red\nb.png,red\n', "is not a CSV file"),
        (b'file,class\n"a"x.png,red\n', "is not a CSV file"),
        (b"file,class\na,b.png,red\n", "has 3 cells in row 2, but 2 columns: put quotes"),
        (b"file,class\n" + b"x" * 200_000 + b",red\n", "is not a CSV file (field larger"),
        (b"file,class\n../a.png,red\n/etc/passwd,1\n", "names 2 pictures that data.path does not"),
        (b"file,class\ngone.png,red\n", "such as 'gone.png': names are relative to it, such as 'a"),
        (b"file,class\na.png,red\na.png,blue\n", "twice, as 'red' and as 'blue'"),
        (b"file,class\na.png,red\na.png,\n", "twice, as 'red' and as ''"),
        (b"file,class\n", "finds no label for any picture: fill in the classes"),
        (b"file,class\na.png,\nb.png, \n", "finds no label for any picture"),
        (b"file,class\na.png,red\nb.png,red\n", "finds one class only, 'red'"),
        (
            b"file,class\n" + ROWS.encode() + b"e.png,teal\n",
            "1 class has a single picture, such as",
        ),
        (b'file,class\na.png,"a\nb"\nb.png,red\n', "finds the class 'a\\nb': use names of at most"),
        (b"file,class\na.png,${oc.env:HOME}\nb.png,a\n", "a name other than ??? and without ${"),
        (b"file,class\na.png,???\nb.png,a\n", "finds the class '???': use a name other than"),
        (b"file,class\na.png," + b"1" * 5000 + b"\nb.png,red\n", "use names of at most 100"),
    ],
)
def test_a_csv_file_that_cannot_be_used_is_refused(
    faces: FolderFaces, content: bytes, message: str
):
    (faces.path / "labels.csv").write_bytes(content)
    assert message in refusal(faces, "labels.csv")


def test_other_labels_of_a_folder_are_refused(faces: FolderFaces, tmp_path: Path):
    assert "labels.csv cannot be read (No such file or dir" in refusal(faces, "labels.csv")
    (faces.path / "labels.csv").mkdir()
    assert "labels.csv cannot be read (it is a folder" in refusal(faces, "labels.csv")
    (faces.path / "b.csv").write_text("file,hair,eyes\na.png,1,2\n")
    assert "no column skin: use one of hair, eyes" in refusal(faces, "b.csv:skin")
    assert "no column file: use one of hair, eyes" in refusal(faces, "b.csv:file")
    for labels in ("hair", "clusters", ""):
        assert "use data.labels=folders, or a CSV file" in refusal(faces, labels)
    assert "one class only, 'sub'" in refusal(faces, "folders")
    flat = fill(tmp_path / "flat", ["a.png", "b.png"])
    assert "a folder of its own" in refusal(flat, "folders")


class Many:
    """A source of any classes."""

    def __init__(self, classes: list[str]) -> None:
        self._classes = classes

    def __len__(self) -> int:
        return len(self._classes)

    def name(self, index: int) -> str:
        return str(index)

    def read(self, index: int, image_size: int) -> Image.Image:
        raise NotImplementedError

    def identity(self) -> dict[str, object]:
        return {}

    def classes(self, labels: str) -> list[str]:
        return self._classes


def test_at_most_a_thousand_classes():
    classes = [str(number // 2) for number in range(2 * MAX_CLASSES)]
    found = read_labels(Many(classes), "column")
    assert found.names == tuple(map(str, range(MAX_CLASSES)))
    assert [found.names[label] for label in found.of_pictures] == classes
    more = Many([*classes, "a", "a"])
    assert "finds 1,001 classes, such as '0'" in refusal(more, "column")
    undecodable = Many(["\udcff", "\udcff", "b", "b"])
    assert "in UTF-8" in refusal(undecodable, "folders")


def test_each_factor_of_drawn_faces_names_classes():
    for factor in {*NAMED_FACTORS, *RANGES}:
        found = read_labels(DrawnFaces(200, seed=3), factor)
        counts = np.bincount(found.of_pictures)
        assert min(counts) > (1 if factor in NAMED_FACTORS else 35), factor
        value = getattr(sample_factors(3, 7), factor)
        assert sample_factor(3, 7, factor) == value
        if factor in NAMED_FACTORS:
            assert found.names[found.of_pictures[7]] == value
    assert by_name(DrawnFaces(200), "hair") == by_name(DrawnFaces(200), "hair_colour")


def test_labels_of_drawn_faces_are_refused():
    message = refusal(DrawnFaces(20), "hare")
    assert message.startswith("data.labels=hare is not a factor of drawn faces: use one of hair,")
    assert "detail_seed" not in message
    assert "use a larger data.count" in refusal(DrawnFaces(20), "hair")
    with pytest.raises(UserError, match=r"data\.count"):
        FacesDataModule(DrawnFaces(10**11), labels="hair")


def manifest(faces: FolderFaces, lines: str, head: str = "") -> ManifestFaces:
    path = faces.path.parent / "manifest.csv"
    text = f"source,name,verdict,split{head}\n" + lines.replace("@", str(faces.path))
    path.write_text(text, encoding="utf-8")
    return ManifestFaces(path)


def test_a_column_of_a_manifest_labels_what_it_keeps(faces: FolderFaces):
    lines = "@,d.png,keep,train,red,\n@,e.png,drop,,odd,\n@,a.png,keep,train,blue,1\n"
    lines += "@,b.png,keep,holdout,blue,1\n@,c.png,keep,train,red,2\n@,sub/f.png,keep,train\n"
    kept = manifest(faces, lines, ",hair,cluster")
    assert isinstance(kept, HasLabels)
    assert list(kept.classes("hair")) == ["red", "blue", "blue", "red", ""]
    assert list(kept.classes("clusters")) == ["", "1", "1", "2", ""]
    assert list(kept.classes("folders")) == ["", "", "", "", "sub"]
    assert read_labels(kept, "hair").of_pictures.tolist() == [1, 0, 0, 1, -1]
    assert "no column eyes: use one of source, name, verdict, split, hair, cluster" in refusal(
        kept, "eyes"
    )


def test_missing_clusters_are_explained(faces: FolderFaces):
    kept = manifest(faces, "@,a.png,keep,train\n")
    assert "has no column cluster: prepare again with clusters=12" in refusal(kept, "clusters")


def test_labels_do_not_decode_a_manifest_again(faces: FolderFaces):
    lines = "@,a.png,keep,train,{}\n@,b.png,keep,holdout,{}\n"
    identities = [
        manifest(faces, lines.format(*classes), ",hair").identity()
        for classes in [("red", "blue"), ("blue", "red"), ("", "")]
    ]
    assert identities[0] == identities[1] == identities[2]


def labelled(tmp_path: Path, labels: str | None = "nose", count: int = 30) -> FacesDataModule:
    module = FacesDataModule(
        DrawnFaces(count), 8, 5, labels=labels, cache_dir=str(tmp_path), holdout=0.2
    )
    module.setup()
    return module


def test_rows_have_the_labels_of_their_pictures(tmp_path: Path):
    source = fill(tmp_path / "faces", [f"{name}/{i}.png" for name in "ab" for i in range(20)])
    (source.path / "a" / "1.png").write_bytes(b"damaged")
    module = FacesDataModule(
        FolderFaces(source.path), 8, 5, labels="folders", cache_dir=str(tmp_path / "cache")
    )
    assert module.label_names == ("a", "b")
    module.setup()
    faces = module.faces
    assert faces.labels is not None and len(faces.labels) == len(faces.images) == 39
    assert faces.labels.tolist() == [int(red >= 20) for red in faces.images[:, 0, 0, 0]]
    for batch in module.train_dataloader():
        assert [int(red >= 20) for red in batch.images[:, 0, 0, 0]] == batch.labels.tolist()


def test_labels_are_part_of_the_faces_of_a_run_but_not_of_the_cache(tmp_path: Path):
    modules = [labelled(tmp_path, labels) for labels in (None, "nose", "crown")]
    prints = [module.faces.fingerprint() for module in modules]
    assert modules[0].label_names == () and modules[0].faces.labels is None
    assert set(prints[0]["training"]) == {"count", "pixels", "order"}
    for part in ("training", "holdout"):
        for name in ("count", "pixels", "order"):
            assert prints[0][part][name] == prints[1][part][name] == prints[2][part][name]
        assert prints[1][part]["labels"] != prints[2][part]["labels"]
    assert len(list(tmp_path.iterdir())) == 1
    assert labelled(tmp_path).faces.fingerprint() == prints[1]


def test_a_class_that_is_held_out_is_refused(tmp_path: Path):
    source = fill(tmp_path / "faces", [f"{name}/{i}.png" for name in "ab" for i in range(2)])
    for name in ("b/0.png", "b/1.png"):
        (source.path / name).write_bytes(b"damaged")
    module = FacesDataModule(
        source, 8, 1, labels="folders", cache_dir=str(tmp_path / "cache"), holdout=0
    )
    with pytest.raises(UserError, match="1 class has no training face, such as 'b'"):
        module.setup()


@pytest.mark.parametrize(
    ("labels", "balance", "message"),
    [
        (None, "classes", r"data.balance=classes needs labels: add data.labels=folders"),
        ("hair", "none", r"data.balance=none is not an option"),
    ],
)
def test_a_balance_that_cannot_be_is_refused(labels: str | None, balance: str, message: str):
    with pytest.raises(UserError, match=message):
        FacesDataModule(DrawnFaces(20), labels=labels, balance=balance)


@pytest.mark.parametrize(("balance", "expected"), [(None, [0.4, 0.2]), ("classes", [0.3, 0.3])])
def test_frequencies_leave_room_for_faces_without_a_class(
    tmp_path: Path, balance: str | None, expected: list[float]
):
    counts = {"a/": 8, "b/": 4, "": 8}
    names = [f"{folder}{i}.png" for folder, count in counts.items() for i in range(count)]
    module = FacesDataModule(
        fill(tmp_path / "faces", names),
        *(8, 5),
        labels="folders",
        balance=balance,
        cache_dir=str(tmp_path / "cache"),
        holdout=0,
    )
    module.setup()
    assert module.label_frequencies().tolist() == pytest.approx(expected)
