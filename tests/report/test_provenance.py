import subprocess

import keras
import sklearn
from genreflow.report import provenance


def test_versions_are_those_that_are_imported():
    found = provenance.versions()
    assert found["keras"] == keras.__version__
    assert found["scikit-learn"] == sklearn.__version__
    assert all(found.values())


def test_the_commit_is_that_of_the_folder(tmp_path):
    assert provenance.commit(tmp_path) == ""
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@b", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "one"], check=True)
    shown = subprocess.run([*git, "log", "--format=%H"], check=True, capture_output=True, text=True)
    assert len(provenance.commit(tmp_path)) >= 7
    assert shown.stdout.startswith(provenance.commit(tmp_path))
