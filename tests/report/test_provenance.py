import json
import subprocess

import keras
import pytest
import sklearn
from genreflow.report import provenance


def test_versions_are_those_that_are_imported():
    found = provenance.versions()
    assert found["keras"] == keras.__version__
    assert found["scikit-learn"] == sklearn.__version__
    assert all(found.values())


SECRETS = (
    "/home/alice/music",
    "~alice/music",
    r"C:\Users\alice\music",
    r"\\\\nas\alice\music",
    "file:///home/alice/music",
    "https://alice:se@cret@example.org/fma/",
    "https://alice@example.org/fma/",
    "https://example.org/net.onnx?token=alice",
)


@pytest.mark.parametrize("secret", SECRETS)
def test_what_is_shared_tells_no_password_and_no_folder(secret):
    shown = provenance.shareable({"corpus": {"audio": secret, "all": [secret, 3, None]}})
    text = json.dumps(shown)
    assert "alice" not in text and "cret" not in text and "nas" not in text
    assert shown["corpus"]["all"][1:] == [3, None]
    assert shown["corpus"]["audio"].endswith(("music", "example.org/fma/", "net.onnx?…"))


@pytest.mark.parametrize("told", ["config/x.yaml", "https://example.org/a@b/c", "a/b", "", "1:2"])
def test_what_tells_nothing_is_shared_as_it_is(told):
    assert provenance.shareable([told]) == [told]


def test_the_commit_is_that_of_the_folder(tmp_path):
    assert provenance.commit(tmp_path) == ""
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@b", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "one"], check=True)
    shown = subprocess.run([*git, "log", "--format=%H"], check=True, capture_output=True, text=True)
    assert len(provenance.commit(tmp_path)) >= 7
    assert shown.stdout.startswith(provenance.commit(tmp_path))
