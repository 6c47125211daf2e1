"""The four sources, their order, and archives that cannot be trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.archives import read_archive
from data.errors import BadDataError, StorageError, UsageError
from data.sources import Source, locate
from tests.toy import SCHEMA, write_zip, zip_bytes

WANTED = {"train.csv", "test.csv", "sample_submission.csv"}


def find(tmp_path: Path, *archives: Path):
    return locate("toy", "toy-slug", SCHEMA, tmp_path / "raw", archives)


def put(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def test_sources_are_asked_in_order(tmp_path, toy):
    raw, misses = find(tmp_path, tmp_path)
    assert raw is None
    assert len(misses) == 3  # the folder, the archives, Kaggle
    put(tmp_path / "toy-slug", toy.files)
    assert find(tmp_path, tmp_path)[0].source is Source.ARCHIVES
    write_zip(tmp_path / "toy-slug.zip", toy.files)
    assert find(tmp_path, tmp_path)[0].place.endswith("toy-slug.zip")
    put(tmp_path / "raw" / "toy", toy.files)
    raw, misses = find(tmp_path, tmp_path)
    assert raw.source is Source.RAW
    assert misses == []
    assert dict(raw.files) == toy.files


@pytest.mark.parametrize("name", ["sample_submission.csv", "sampleSubmission.csv", "gender_submission.csv"])
def test_every_spelling_of_the_sample_file_is_known(tmp_path, toy, name):
    files = toy.files
    files[name] = files.pop("sample_submission.csv")
    put(tmp_path / "raw" / "toy", files)
    assert name in find(tmp_path)[0].files


def test_files_are_found_wherever_a_zip_hides_them(tmp_path, toy):
    nested = {f"{name}.zip": zip_bytes({f"deep/{name}": content}) for name, content in toy.files.items()}
    for files in (toy.files, {f"folder/{name}": content for name, content in toy.files.items()}, nested):
        archive = write_zip(tmp_path / "toy-slug.zip", files | {"__MACOSX/._train.csv": b"?", "train.csv.txt": b"?"})
        assert dict(find(tmp_path, tmp_path)[0].files) == toy.files
        archive.unlink()
    put(tmp_path / "raw" / "toy", nested)
    assert dict(find(tmp_path)[0].files) == toy.files
    put(tmp_path / "raw" / "toy", {"toy-slug.zip": zip_bytes(toy.files)})
    assert dict(find(tmp_path)[0].files) == toy.files


def test_of_two_files_of_one_name_the_one_nearer_the_top_counts():
    assert read_archive(zip_bytes({"a/b/train.csv": b"deep", "train.csv": b"top"}), "z", WANTED) == {
        "train.csv": b"top"
    }


@pytest.mark.parametrize(
    "name", ["../train.csv", "/etc/train.csv", "a/../../train.csv", "..\\train.csv", "C:\\train.csv"]
)
def test_a_path_outside_the_archive_is_refused(name):
    with pytest.raises(BadDataError, match=r"^z: the archive holds .*, a path outside itself; do not trust it"):
        read_archive(zip_bytes({"train.csv": b"fine", name: b"evil"}), "z", WANTED)


def test_a_broken_archive_is_refused(toy):
    whole = zip_bytes(toy.files)
    flipped = bytearray(whole)
    flipped[60] ^= 0xFF
    for broken in (b"", whole[: len(whole) // 2], whole[:-5], bytes(flipped), b"<html>not found</html>"):
        with pytest.raises(BadDataError, match=r"^z: not a whole zip archive \(.*\); download it again$"):
            read_archive(broken, "z", WANTED)


def test_a_source_that_has_only_some_files_is_refused(tmp_path, toy):
    files = toy.files
    del files["test.csv"], files["sample_submission.csv"]
    write_zip(tmp_path / "toy-slug.zip", files)
    with pytest.raises(BadDataError) as caught:
        find(tmp_path, tmp_path)
    assert [fault.what.split(" is")[0][:15] for fault in caught.value.faults] == ["test.csv", "the sample file"]


def test_a_folder_of_archives_that_is_not_there_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match=r"KAGGLE_ARCHIVES names .*/none, which is not a folder"):
        find(tmp_path, tmp_path / "none")


def test_a_file_that_cannot_be_read_is_a_storage_error(tmp_path, toy, monkeypatch):
    put(tmp_path / "raw" / "toy", toy.files)

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(StorageError, match=r"train\.csv|test\.csv|sample_submission\.csv: cannot be read: Permission"):
        find(tmp_path)


def test_the_hash_covers_names_and_bytes(tmp_path, toy):
    put(tmp_path / "raw" / "toy", toy.files)
    first = find(tmp_path)[0].sha256
    assert first == find(tmp_path)[0].sha256
    path = tmp_path / "raw" / "toy" / "test.csv"
    path.write_bytes(path.read_bytes().replace(b"red", b"bed", 1))
    assert find(tmp_path)[0].sha256 != first
