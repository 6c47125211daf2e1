"""Sending: shown before it goes, sent once, read back, and the score on the run that made it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest

from pipelines import delivery, stages
from pipelines.__main__ import cli
from pipelines.competition import find
from pipelines.home import REPOSITORY, Home
from pipelines.job import Job
from pipelines.tracking import Tracker
from submissions import drafts
from submissions.outbox import Entry, Outbox
from tests.conftest import empty_home
from tests.kaggle_server import KEY, SPENT, USER, Kaggle, kaggle_server

pytest.importorskip("kaggle", reason="make extras EXTRAS=kaggle")
pytestmark = pytest.mark.kaggle
NAME = SLUG = "titanic"


@pytest.fixture(scope="module")
def written(tmp_path_factory, migrated):
    """A home with two runs and their submissions; its raw files are no twin's, as far as the kit knows."""
    home = empty_home(tmp_path_factory.mktemp("sending"), migrated)
    stages.locate(Job(name=NAME, home=home))
    shutil.copytree(home.synthetic / NAME, home.raw / NAME)
    candidates = find(NAME).candidates
    with pytest.MonkeyPatch.context() as patch:
        for model, epochs in (("mlp_wide", 1), ("mlp", 8)):
            short = replace(candidates[model].config, epochs=epochs, members=1)
            patch.setitem(candidates, model, replace(candidates[model], config=short))
            job = Job(name=NAME, home=home, model=model, declared=True)
            stages.submit(job, stages.train(job))
    return home.root


@pytest.fixture
def home(written, tmp_path) -> Home:
    return Home(shutil.copytree(written, tmp_path / "home"))


@pytest.fixture
def server(monkeypatch):
    for name, value in (("KAGGLE_API_ENVIRONMENT", "TEST"), ("KAGGLE_USERNAME", USER), ("KAGGLE_KEY", KEY)):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(delivery, "FIRST_LOOK", 0.01)
    monkeypatch.setattr(delivery, "LONGEST_LOOK", 0.05)
    with kaggle_server() as found:
        found.archives[SLUG] = b""
        found.accepted.add(SLUG)
        yield found


def run_of(home: Home, model: str = "mlp"):
    return Tracker(home.mlruns).find(f"{NAME}/{model}")


def outbox(home: Home) -> list[dict]:
    return json.loads(home.outbox.read_text())


def test_nothing_goes_before_it_was_shown(server: Kaggle, home, run):
    made = run_of(home)
    code, out, _ = run("send", NAME, "--message", "with titles")
    assert code == 0
    commit = made.tags["git_commit"][:7]
    message = f"mlp cv={made.metrics['cv_score']:.4f} run={made.id[:8]} git={commit} with titles"
    for told in (made.tags["submission"], "418", made.tags["submission_sha256"], made.name, message):
        assert told in out
    assert "10 submissions today, 0 were sent" in out
    assert out.splitlines()[-1] == "dry run: nothing was sent; SEND=yes sends it"
    assert not server.submissions
    assert not home.outbox.exists()


def test_it_shows_without_an_account_too(home, run):
    code, out, _ = run("send", NAME)
    assert code == 0
    assert "dry run: nothing was sent; SEND=yes sends it, with a Kaggle account" in out
    code, _, err = run("send", NAME, "--yes")
    assert code == 77
    assert "no Kaggle account is known here: make a token at" in err


def test_it_is_sent_read_back_and_its_score_is_on_the_run(server: Kaggle, home, run):
    server.hidden, server.pending = 2, 3  # five looks
    code, out, err = run("send", NAME, "--yes")
    assert code == 0, err
    (sent,) = server.submissions
    made = run_of(home)
    assert sent.content == (home.submissions / NAME / made.tags["submission"]).read_bytes()
    assert sent.message.startswith("mlp cv=")
    assert out.splitlines()[-1] == f"Kaggle has {sent.file}: public score 0.78229"
    assert server.requests.count("ListSubmissions") == 7  # one before, the five, and the one that has it
    assert "not listed yet" in err
    assert "scoring" in err
    assert made.metrics["lb_public"] == 0.78229
    assert made.tags["kaggle_ref"] == str(sent.ref)
    code, out, _ = run("leaderboard", NAME)
    assert "0.78229" in out
    assert [each["state"] for each in outbox(home)] == ["done"]


def test_the_same_bytes_are_not_sent_again(server: Kaggle, home, run):
    run("send", NAME, "--yes")
    code, _, err = run("send", NAME, "--yes")
    assert code == 65
    assert ", and scored 0.78229" in err
    assert len(server.submissions) == 1


def test_what_the_twin_made_is_not_sent(trained_home, capsys):
    home = trained_home(NAME)
    job = Job(name=NAME, home=home)
    stages.submit(job, stages.train(job))
    command = ["send", NAME, "--home", str(home.root)]
    assert cli(command) == 64
    told = "there is no submission of titanic yet: make titanic; that of the twin cannot be sent"
    assert told in capsys.readouterr().err
    assert cli([*command, "--run", f"{NAME}/mlp"]) == 65
    assert "made-up rows" in capsys.readouterr().err


def test_what_its_run_has_not_written_is_not_sent(server, home, run):
    made = run_of(home)
    file = home.submissions / NAME / made.tags["submission"]
    before = file.read_bytes()
    file.write_bytes(before.replace(b",0\n", b",1\n", 1))
    assert f"is not what {made.name} has written" in run("send", NAME, "--run", made.name)[2]
    file.write_bytes(before)
    ended = made.ended / 1000 - 60
    os.utime(file, (ended, ended))
    assert f"is older than {made.name}" in run("send", NAME, "--run", made.name)[2]
    file.unlink()
    assert "is gone: make submit C=titanic MODEL=mlp writes it again" in run("send", NAME, "--run", made.name)[2]


def test_a_day_that_is_spent_queues_and_the_queue_goes_later(server: Kaggle, home, run):
    server.left = 0
    code, _, err = run("send", NAME, "--yes")
    assert code == 75
    assert "the day's submissions of titanic are spent" in err
    assert "1 in the queue: `make send SEND=yes` goes on with it" in err
    server.left = 1
    code, out, _ = run("send")
    assert code == 0
    assert "(queued)" in out
    code, out, _ = run("send", "--yes")
    assert code == 0
    assert "public score 0.78229" in out
    assert len(server.submissions) == 1
    assert "nothing waits to be sent" in run("send")[2]


def test_what_is_sent_without_a_network_waits(home, run, monkeypatch):
    for name, value in (("KAGGLE_API_ENVIRONMENT", "TEST"), ("KAGGLE_USERNAME", USER), ("KAGGLE_KEY", KEY)):
        monkeypatch.setenv(name, value)
    code, out, _ = run("send", NAME)
    assert code == 0
    assert "left       unknown: Kaggle cannot be reached" in out
    code, _, err = run("send", NAME, "--yes")
    assert code == 69
    assert "Kaggle cannot be reached" in err
    assert "1 in the queue: `make send SEND=yes` goes on with it" in err
    assert [each["state"] for each in outbox(home)] == ["queued"]


def test_a_limit_that_kaggle_alone_knows_queues_too(server: Kaggle, home, run):
    server.refuse("CreateSubmission", 400, SPENT)
    code, _, err = run("send", NAME, "--yes")
    assert code == 75
    assert "takes no more submissions of titanic today (Submission not allowed" in err
    assert run("send", NAME, "--run", f"{NAME}/mlp_wide", "--yes")[0] == 0
    assert [each.file for each in server.submissions] == [each["file"] for each in outbox(home)]
    assert len(server.submissions) == 2
    assert server.requests.count("upload") == 2  # what was uploaded before was used


def test_an_answer_that_got_lost_is_no_second_submission(server: Kaggle, home, run):
    server.refuse("CreateSubmission", 502, "bad gateway")
    server.made_although_refused = True
    code, _, err = run("send", NAME, "--yes")
    assert code == 0
    assert "looking whether it arrived" in err
    assert len(server.submissions) == 1


def test_a_request_that_got_lost_is_made_again(server: Kaggle, home, run, monkeypatch):
    monkeypatch.setattr(delivery, "LOST", 0)
    server.refuse("CreateSubmission", 502, "bad gateway")
    code, _, err = run("send", NAME, "--yes")
    assert code == 0
    assert "never made a submission" in err
    assert len(server.submissions) == 1
    assert server.requests.count("upload") == 1


def test_what_was_sent_by_hand_is_not_sent_again(server: Kaggle, home, run):
    made = run_of(home)
    content = (home.submissions / NAME / made.tags["submission"]).read_bytes()
    server.submit(SLUG, made.tags["submission"], content, "from the web page")
    code, out, err = run("send", NAME, "--yes")
    assert code == 0
    assert "already: it is not sent again" in err
    assert "public score 0.78229" in out
    assert len(server.submissions) == 1
    assert run_of(home).metrics["lb_public"] == 0.78229


def test_an_older_one_of_the_same_name_is_not_taken_for_it(server: Kaggle, home, run):
    made = run_of(home)
    server.error = "bad rows"
    server.submit(SLUG, made.tags["submission"], b"other bytes", "from the web page")
    server.error, server.hidden = "", 4
    code, out, _ = run("send", NAME, "--yes")
    assert code == 0
    assert "public score 0.78229" in out
    assert len(server.submissions) == 2
    assert "kaggle_error" not in run_of(home).tags


def test_what_kaggle_made_an_error_of_can_be_sent_again(server: Kaggle, home, run):
    server.error = "internal error"
    assert run("send", NAME, "--yes")[0] == 65
    server.error = ""
    code, out, _ = run("send", NAME, "--yes")
    assert code == 0
    assert "public score 0.78229" in out
    assert [each["state"] for each in outbox(home)] == ["done"]


def test_an_error_without_a_reason_is_an_error(server: Kaggle, home, run, monkeypatch):
    listed = type(server).listed
    monkeypatch.setattr(type(server), "listed", lambda self, each: listed(self, each) | {"status": "ERROR"})
    code, out, _ = run("send", NAME, "--yes")
    assert code == 65
    assert out.splitlines()[-1].endswith("as an error: Kaggle gives no reason")


@pytest.mark.parametrize("score", ["", "NaN", "Infinity"])
def test_a_submission_without_a_score_is_done(server: Kaggle, home, run, score):
    server.score = score
    code, out, _ = run("send", NAME, "--yes")
    assert code == 0
    assert "and gave it no score" in out
    assert "nothing waits" in run("send")[2]
    assert run("leaderboard", NAME)[0] == 0


def test_a_score_of_a_run_that_was_deleted_holds_up_nothing(server: Kaggle, home, run, monkeypatch):
    monkeypatch.setattr(delivery, "SCORED", 0)
    server.pending = 2
    assert run("send", NAME, "--yes")[0] == 0
    made = run_of(home)
    Tracker(home.mlruns).client.delete_run(made.id)
    assert run("scores", NAME)[0] == 0
    code, _, err = run("send", "--yes")
    assert code == 0
    assert f"the run of {made.tags['submission']} was deleted" in err
    assert [each["state"] for each in outbox(home)] == ["done"]


def test_a_file_that_is_too_large_is_no_day_that_is_spent(server: Kaggle, run):
    server.refuse("CreateSubmission", 400, "Submission file size limit exceeded")
    code, _, err = run("send", NAME, "--yes")
    assert code == 77
    assert "Kaggle refuses (400 Submission file size limit exceeded)" in err


def test_limits_that_kaggle_does_not_tell_stop_nothing(server: Kaggle, run):
    server.limits = {}
    assert "left       unknown today, 0 were sent" in run("send", NAME)[1]
    assert run("send", NAME, "--yes")[0] == 0


def test_what_waits_can_be_taken_out_and_its_message_renewed(server: Kaggle, home, run):
    server.left = 0
    assert run("send", NAME, "--yes", "--message", "first")[0] == 75
    assert run("send", NAME, "--yes", "--message", "second")[0] == 75
    (waiting,) = outbox(home)
    assert waiting["message"].endswith("second")
    assert run("send", "--drop", "other.csv")[0] == 64
    code, out, _ = run("send", "--drop", waiting["file"])
    assert (code, out) == (0, f"taken out of the queue: {waiting['file']}\n")
    assert outbox(home) == []


@pytest.mark.parametrize(
    "text", ["", "{}", "[", "[1]", '[{"file": 5}]', '[{"competition": "titanic", "file": "../a.csv"}]', "NaN"]
)
def test_an_outbox_that_was_damaged_is_told_in_a_line(home, run, text):
    home.outbox.write_text(text)
    code, _, err = run("send")
    assert code == 74
    assert f"{home.outbox}: cannot be read" in err
    assert len(err.splitlines()) == 1


def test_a_competition_that_refuses_holds_up_no_other(server: Kaggle, home, run):
    server.archives[find("otto").slug] = b""  # whose rules nobody has accepted
    file = home.submissions / "otto" / "otto.csv"
    file.parent.mkdir()
    file.write_bytes(b"id\n")
    Outbox(home.outbox).put(
        Entry(competition="otto", file=file.name, sha256=drafts.sha256(b"id\n"), run=run_of(home).id, message="")
    )
    code, out, err = run("send", NAME, "--yes")
    assert code == 77
    assert "public score 0.78229" in out
    assert f"wants the rules of {find('otto').slug} accepted first" in err
    assert "1 in the queue" in err
    assert [each["state"] for each in outbox(home)] == ["queued", "done"]


def test_an_upload_that_fails_is_told_and_goes_on(server: Kaggle, home, run):
    server.refuse("upload", 503, "busy")
    code, _, err = run("send", NAME, "--yes")
    assert code == 69
    assert "Kaggle fails (503 busy): try again later; 1 in the queue" in err
    assert run("send", "--yes")[0] == 0
    assert len(server.submissions) == 1


def test_what_kaggle_lists_as_an_error_is_told(server: Kaggle, home, run):
    server.error = "Submission must have 418 rows"
    code, out, _ = run("send", NAME, "--yes")
    assert code == 65
    assert out.splitlines()[-1].endswith("as an error: Submission must have 418 rows")
    assert run_of(home).tags["kaggle_error"] == "Submission must have 418 rows"


def test_a_score_that_takes_long_is_read_later(server: Kaggle, home, run, monkeypatch):
    monkeypatch.setattr(delivery, "SCORED", 0)
    server.pending = 3
    code, out, _ = run("send", NAME, "--yes")
    assert code == 0
    assert "no score of it yet: make scores C=titanic looks again" in out
    for _ in range(3):
        code, out, _ = run("scores", NAME)
    assert code == 0
    assert "0.78229" in out
    assert run_of(home).metrics["lb_public"] == 0.78229
    assert [each["state"] for each in outbox(home)] == ["done"]


def test_scores_are_beside_the_runs_and_an_inversion_is_told(server: Kaggle, home, run):
    wide, small = run_of(home, "mlp_wide"), run_of(home)
    for model, score in (("mlp", 0.75), ("mlp_wide", 0.80)):
        server.score = str(score)
        assert run("send", NAME, "--run", f"{NAME}/{model}", "--yes")[0] == 0
    code, out, _ = run("scores", NAME)
    assert code == 0
    for each in (wide, small):
        assert each.name in out
    assert "Cannot tell whether cv and the board agree: 2 scored submissions" in out
    assert (home.submissions / NAME / "scores.png").read_bytes().startswith(b"\x89PNG")


def test_a_file_of_anybody_is_checked(server, home, run, tmp_path):
    file = home.submissions / NAME / "latest.csv"
    frame = pd.read_csv(file, dtype=str)
    code, out, _ = run("check", NAME, str(file))
    assert code == 0
    assert "as Kaggle asks for it: 418 rows" in out
    run("send", NAME, "--yes")
    code, out, _ = run("check", NAME, str(file))
    assert "which scored 0.78229: 1.000" in out
    mine = tmp_path / "mine.csv"
    frame.assign(Survived=frame["Survived"] + ".0").to_csv(mine, index=False)
    code, _, err = run("check", NAME, str(mine))
    assert code == 65
    assert "write '0': the column is of whole numbers" in err
    assert run("check", NAME, str(tmp_path / "none.csv"))[0] == 64


@pytest.mark.slow
def test_fifty_kills_neither_lose_a_submission_nor_send_it_twice(server: Kaggle, home):
    server.hidden, server.pending, server.left = 2, 1, 10_000
    command = [sys.executable, "-m", "tests.send_kills", str(home.root), "50", "0", run_of(home).id]
    killed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert killed.returncode == 0, killed.stderr
    queued = killed.stdout.split()
    assert len(queued) > 2  # so that some attempts came to their end
    assert sorted(each.file for each in server.submissions) == sorted(queued)
    for each in server.submissions:
        assert each.content == (home.submissions / NAME / each.file).read_bytes()
    assert {each["state"] for each in outbox(home)} == {"done"}
