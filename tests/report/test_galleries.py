import base64
import io
import re

import h5py
import numpy as np
import pytest
from genreflow.errors import GenreflowError
from genreflow.features.spectrograms import Settings, join, read_settings
from genreflow.learners.masked_copies import write_copies
from genreflow.report import galleries
from made.drawings import cut, texts
from PIL import Image

NOTE = "Synthetic demo corpus: it says nothing about real music."
SETTINGS = Settings(
    22050, 2.0, n_fft=1024, hop_length=512, n_mels=64, f_min=0, f_max=8000, invert=True
)
SHAPE = SETTINGS.shape
GENRES = ("Folk", "Hip-Hop", "Old-Time / Historic")
MASKS = {"frequency_mask": 27, "time_mask": 0.3, "masks": 1, "fill": "mean", "seed": 0}


def shard(path, track_ids, *, short=(), settings=SETTINGS, seed=0):
    """Write a shard of noise, whose tracks have the genres in turn; short ones are half as long."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 255, (len(track_ids), *settings.shape)).astype(np.uint8)
    frames = [settings.shape[1] // (2 if track in short else 1) for track in track_ids]
    for image, length in zip(images, frames, strict=True):
        image[:, length:] = 255
    with h5py.File(path, "w") as file:
        chunks = (1, *settings.shape)
        file.create_dataset("images", data=images, chunks=chunks, compression="gzip")
        file["track_id"] = list(track_ids)
        file["genre"] = [GENRES[int(track) % len(GENRES)] for track in track_ids]
        file["frames"] = np.array(frames, dtype=np.int32)
        file.attrs.update({name: getattr(settings, name) for name in vars(settings)})
    return path


def drawn(path):
    """Return the images of an SVG and their widths as they are drawn."""
    found = re.findall(
        r'base64,\s*([^"]*)".*?width="([\d.]+)".*?matrix\(([\d.]+) 0 0 ([\d.]+)', path.read_text()
    )
    return [
        (
            np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("L")),
            float(width) * float(scale),
        )
        for data, width, scale, _ in found
    ]


@pytest.fixture
def images(tmp_path):
    first = shard(tmp_path / "0.h5", [str(n) for n in range(30)])
    second = shard(tmp_path / "1.h5", [str(n) for n in range(30, 60)], short=["31"], seed=1)
    join(tmp_path / "images.h5", [first, second])
    return tmp_path / "images.h5"


def draw(path, rows, **named):
    """Draw a gallery, find nothing cut, and return its texts."""
    galleries.gallery(rows, path, **{"settings": SETTINGS, "title": "T", **named})
    assert cut(path) == []
    return texts(path)


def chosen(rows):
    return [track for images in rows.values() for track, _ in images]


class TestGenres:
    def test_has_some_clips_of_each_genre_with_their_ids(self, images, tmp_path):
        rows = galleries.genres(images, count=4)
        assert list(rows) == list(GENRES)
        assert [int(track) % 3 for track in chosen(rows)] == [0] * 4 + [1] * 4 + [2] * 4
        path = tmp_path / "a.svg"
        words = draw(path, rows, note=NOTE)
        assert [text for text in words if text.isdigit()] == chosen(rows)
        assert {"T", "Folk", "Hip-Hop", "Old-Time /", "Historic"} <= set(words)
        assert NOTE in " ".join(words)
        assert len(drawn(path)) == 12
        # The axes are labelled once.
        assert [words.count(label) for label in ("0 s", "1 s", "1 kHz", "8 kHz")] == [1] * 4

    def test_a_track_more_or_less_changes_one_clip_at_most(self, images, tmp_path):
        before = chosen(galleries.genres(images, count=4))
        for gone in (before[0], next(n for n in map(str, range(30)) if n not in before)):
            left = shard(tmp_path / "left.h5", [str(n) for n in range(60) if str(n) != gone])
            after = chosen(galleries.genres(left, count=4))
            assert set(before) - set(after) == set(before) & {gone}
        assert set(chosen(galleries.genres(images, count=4, seed=1))) != set(before)

    def test_all_of_few_clips_are_drawn_and_short_ones_once(self, tmp_path):
        path = shard(tmp_path / "0.h5", ["0", "3", "4"], short=["3"])
        rows = galleries.genres(path)
        assert sorted(chosen(rows)) == ["0", "3", "4"]
        draw(tmp_path / "a.svg", rows)
        widths = {
            track: width
            for track, (_, width) in zip(chosen(rows), drawn(tmp_path / "a.svg"), strict=True)
        }
        assert widths["3"] / widths["0"] == pytest.approx((SHAPE[1] // 2) / SHAPE[1], rel=0.01)

    def test_the_file_stays_small_though_clips_are_long(self, tmp_path):
        long = Settings(22050, 29.7, 2048, 512, n_mels=128, f_min=0, f_max=8000, invert=True)
        path = shard(tmp_path / "0.h5", [str(n) for n in range(48)], settings=long)
        draw(tmp_path / "a.svg", galleries.genres(path, count=16), settings=long)
        # Noise compresses worse than any music.
        assert (tmp_path / "a.svg").stat().st_size < 1_000_000
        assert min(image.shape[0] for image, _ in drawn(tmp_path / "a.svg")) > 64


class TestGallery:
    @pytest.mark.parametrize("invert", [True, False])
    def test_loud_is_dark_and_low_frequencies_are_at_the_bottom(self, tmp_path, invert):
        image = np.full(SHAPE, 255 if invert else 0, dtype=np.uint8)
        image[-10:] = 255 - image[0, 0]  # the lowest bands, loud
        settings = Settings(**{**vars(SETTINGS), "invert": invert})
        draw(tmp_path / "a.svg", {"Folk": [("1", image)]}, settings=settings)
        ((shown, _),) = drawn(tmp_path / "a.svg")
        assert (shown[:-10] == 255).all()
        assert (shown[-10:] == 0).all()

    def test_rows_may_have_different_lengths(self, tmp_path):
        image = np.zeros(SHAPE, dtype=np.uint8)
        rows = {"A": [("1", image)], "B" * 20: [("2", image), ("3", image)]}
        words = draw(tmp_path / "a.svg", rows, note=NOTE)
        assert [word for word in words if word.isdigit()] == ["1", "2", "3"]

    def test_frequencies_stand_where_the_mel_scale_has_them(self, tmp_path):
        draw(tmp_path / "a.svg", {"A": [("1", np.zeros(SHAPE, dtype=np.uint8))]})
        labels = re.findall(
            r'rotate\(-0 [\d.]+ ([\d.]+)\)">([\d.]+ kHz)<', (tmp_path / "a.svg").read_text()
        )
        height = {text: float(y) for y, text in labels}
        # Slaney's scale is linear up to 1 kHz, which is mel 15, and logarithmic above.
        octave = height["1 kHz"] - height["2 kHz"]
        assert height["2 kHz"] - height["4 kHz"] == pytest.approx(octave, rel=1e-3)
        half = (height["0.5 kHz"] - height["1 kHz"]) / octave
        assert half == pytest.approx(7.5 / (27 * np.log(2) / np.log(6.4)), rel=1e-3)


class TestCopies:
    @pytest.fixture
    def shards(self, images, tmp_path):
        # Of the short track's genre, no other has copies in this shard.
        training = {"0": ["0", "1", "2", "3", "4"], "1": ["31", "32"]}
        for name, tracks in training.items():
            write_copies(
                tmp_path / f"copies-{name}.h5", tmp_path / f"{name}.h5", tracks, copies=2, **MASKS
            )
        return [tmp_path / f"copies-{name}.h5" for name in training]

    def test_original_and_copies_of_a_track_of_each_genre(self, images, shards):
        rows = galleries.copies(images, shards)
        assert [label.rsplit(" ", 1)[0] for label in rows] == list(GENRES)
        assert len(galleries.copies(images, shards, count=2)) == 2
        # Lots decide, not the order of the files.
        assert galleries.copies(images, shards[::-1]).keys() == rows.keys()
        for label, shown in rows.items():
            assert [caption for caption, _ in shown] == ["original", "copy 1", "copy 2"]
            track = label.rsplit(" ", 1)[1]
            assert track in {"0", "1", "2", "3", "4", "32"}  # not the short one
            with h5py.File(images) as file:
                place = file["track_id"].asstr()[:].tolist().index(track)
                np.testing.assert_array_equal(shown[0][1], file["images"][place])
            for number, (_, image) in enumerate(shown[1:], start=1):
                with h5py.File(shards[int(track) >= 30]) as file:
                    of_track = file["track_id"].asstr()[:] == track
                    (place,) = np.flatnonzero(of_track & (file["copy"][:] == number))
                    np.testing.assert_array_equal(image, file["images"][place])

    def test_a_short_track_is_drawn_where_there_is_no_other(self, images, shards):
        rows = galleries.copies(images, shards[1:])
        assert {image.shape[1] for _, image in rows["Hip-Hop 31"]} == {SHAPE[1] // 2}

    def test_can_be_drawn_with_the_settings_of_the_images(self, images, shards, tmp_path):
        settings = read_settings(shards[0])
        assert settings == SETTINGS
        words = draw(tmp_path / "a.svg", galleries.copies(images, shards), settings=settings)
        assert words.count("copy 2") == 3

    def test_says_what_is_missing(self, images, shards, tmp_path):
        with pytest.raises(GenreflowError, match=r"original of track \d+ is missing"):
            galleries.copies(tmp_path / "1.h5", shards[:1])
        write_copies(tmp_path / "none.h5", tmp_path / "0.h5", [], copies=2, **MASKS)
        with pytest.raises(GenreflowError, match=r"none\.h5: there is no image"):
            galleries.copies(images, [tmp_path / "none.h5"])


class TestOnline:
    def test_original_and_what_each_change_made_of_it(self, images):
        changes = {
            "softer": lambda batch: batch + 300.5,
            "shift": lambda batch: np.roll(batch, 3, axis=2),
            "mixed": lambda batch: batch[::-1],
        }
        rows = galleries.online(images, ["0", "1", "2"], changes)
        assert list(rows) == ["Folk 0", "Hip-Hop 1", "Old-Time / Historic 2"]
        for images_of_row in rows.values():
            shown = dict(images_of_row)
            assert list(shown) == ["original", "softer", "shift", "mixed"]
            assert all(image.dtype == np.uint8 for image in shown.values())
            assert (shown["softer"] == 255).all()  # no level is beyond the last
            np.testing.assert_array_equal(shown["shift"], np.roll(shown["original"], 3, axis=1))
        np.testing.assert_array_equal(
            dict(rows["Folk 0"])["mixed"], rows["Old-Time / Historic 2"][0][1]
        )

    def test_refuses_a_file_without_the_tracks(self, images):
        with pytest.raises(GenreflowError, match="no image to be drawn"):
            galleries.online(images, ["not there"], {})
