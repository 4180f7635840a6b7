"""Thumbnails, decoded again and held against the images that they are of."""

import base64
import io

import numpy as np
import pytest
from genreflow.errors import GenreflowError
from genreflow.report.thumbnails import thumbnails
from made import small_results
from PIL import Image


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    small_results.make(folder)
    return folder


def decoded(uri):
    head, content = uri.split(",")
    assert head == "data:image/webp;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))).convert("L"), dtype=float)


def test_thumbnails_look_like_the_images(results):
    ids = ["000003", "000004"]
    found = thumbnails(results / "spectrograms.h5", ids, width=21, height=16)
    assert list(found) == ids
    # 63 columns and 32 rows: blocks of 3 x 2.
    blocks = {
        name: small_results.image_of(results, name).astype(float).reshape(16, 2, 21, 3).mean((1, 3))
        for name in ids
    }
    for name, uri in found.items():
        image = decoded(uri)
        assert image.shape == (16, 21)
        assert abs(image.mean() - blocks[name].mean()) < 8
        likeness = {other: np.corrcoef(image.ravel(), blocks[other].ravel())[0, 1] for other in ids}
        assert likeness.pop(name) > 0.75
        # Of noise all images have the same colour from below to above, but no more in common.
        assert max(likeness.values()) < 0.5


def test_repetitions_and_tracks_without_an_image_are_left_out(results):
    asked = ["000007", "000008", "nobody"]
    found = thumbnails(results / "spectrograms.h5", asked, width=126, height=32)
    sizes = {name: decoded(uri).shape for name, uri in found.items()}
    assert sizes == {"000007": (32, 126), "000008": (32, 2 * (1 + 4000 // 128))}


def test_other_files_are_refused(results):
    with pytest.raises(GenreflowError, match=r"tracks\.csv"):
        thumbnails(results / "corpus/tracks.csv", ["000003"])
