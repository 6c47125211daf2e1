"""The notebook for Kaggle, run as Kaggle runs it: in its folders, with its inputs, and without a network."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipelines import stages
from pipelines.__main__ import cli
from pipelines.home import Home
from pipelines.job import Job

nbclient = pytest.importorskip("nbclient", reason="make extras EXTRAS=notebook")
nbformat = pytest.importorskip("nbformat", reason="make extras EXTRAS=notebook")
pytestmark = [pytest.mark.notebook, pytest.mark.slow]
NAME = "titanic"
CLOSED = """import socket
usual = socket.socket.connect
def connect(self, address):
    if self.family != socket.AF_UNIX and not str(address[0]).startswith("127."):
        raise OSError("the network is closed")
    return usual(self, address)
socket.socket.connect = connect
"""


@pytest.fixture
def kaggle(trained_home, tmp_path, monkeypatch, capsys) -> Path:
    """Kaggle's folders, with the competition's files and the dataset as inputs; the notebook lies in `working`."""
    home: Home = trained_home(NAME)
    job = Job(name=NAME, home=home)
    made = stages.train(job)
    submitted = stages.submit(job, made)
    capsys.readouterr()
    assert cli(["notebook", NAME, "--home", str(home.root)]) == 0
    notebook = Path(capsys.readouterr().out.strip())
    root = tmp_path / "kaggle"
    shutil.copytree(home.synthetic / NAME, root / "input" / "titanic")
    shutil.copytree(notebook.parent / "dataset", root / "input" / "podium-mlp")
    (root / "working").mkdir()
    shutil.copy(notebook, root / "working")
    shutil.copy(submitted, tmp_path / "submitted.csv")
    shutil.rmtree(home.root)
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed" / "sitecustomize.py").write_text(CLOSED)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "closed"))
    monkeypatch.setenv("PODIUM_KAGGLE", str(root))
    return root


def test_the_notebook_writes_the_submission_of_its_run(kaggle, tmp_path):
    notebook = nbformat.read(kaggle / "working" / "submission.ipynb", as_version=4)
    nbformat.validate(notebook)
    nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(kaggle / "working")}}).execute()
    assert (kaggle / "working" / "submission.csv").read_bytes() == (tmp_path / "submitted.csv").read_bytes()
    assert {path.suffix for path in (kaggle / "input" / "podium-mlp").rglob("*") if path.is_file()} <= {
        *(".py", ".json", ".skops", ".safetensors", ".txt")
    }


def test_without_the_competition_the_notebook_says_so(kaggle):
    shutil.rmtree(kaggle / "input" / "titanic")
    notebook = nbformat.read(kaggle / "working" / "submission.ipynb", as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(kaggle / "working")}})
    with pytest.raises(nbclient.exceptions.CellExecutionError, match="add the competition titanic to the notebook"):
        client.execute()
