"""The sections on the corpus, its splits and its images."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from genreflow.config.base import (
    Flag,
    Natural,
    Number,
    Positive,
    Problem,
    Section,
    Set,
    Text,
    Whole,
    expected,
    matching,
)

Renamed = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
"""The name of a genre; YAML has None for nothing."""


class Corpus(Section):
    """The corpus: which audio, with which labels."""

    name: matching(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", "a name of letters, digits, _ . -") = "demo"
    """Name of the corpus: everything that a run makes lies below results/NAME."""
    kind: Literal["demo", "fma", "folder", "tags", "table"] = "demo"
    """demo (made by the workflow), fma, folder (one sub-folder per genre), tags (the audio files'
    tags name genre, artist and album, whatever their folders) or table (a CSV)."""
    audio: str = ""
    """Folder of the audio. fma: the folder that holds, or shall hold, fma_SUBSET and fma_metadata.
    table: what relative paths in the table start from (default: the folder of the table)."""
    table: str = ""
    """table: the CSV, with the columns path (or filename) and genre (or label), and optionally
    track_id, split, artist, album, title, year, license. Where no learner needs audio, track_id is
    enough for path."""
    subset: Literal["small", "medium", "large"] = "small"
    """fma: small, medium or large."""
    genre_level: Literal["top", "leaf"] = "top"
    """fma: which genre a track has. top: its top-level one, of 16, which half of large lacks. leaf:
    its most specific one, of 161, where it has exactly one; then min_tracks leaves the rare ones
    out. The others are counted."""
    url: matching("^https?://", "an address that starts with http:// or https://") = (
        "https://os.unil.cloud.switch.ch/fma/"
    )
    """fma: where `fetch` downloads the archives from."""
    levels: Set[Literal["genre", "artist", "album"]] = ["genre"]
    """folder: what each level of sub-folders tells; e.g. [genre, artist, album]."""
    several_genres: Literal["leave-out", "first"] = "leave-out"
    """tags: what becomes of a track whose tags name several genres: leave-out (counted and named)
    or first (it has the genre that they name first)."""
    genre_map: dict[Text, Renamed] = {}
    """What genres are called, FROM: TO; letter case and blanks don't count. {Hip Hop: Hip-Hop,
    Trap: Hip-Hop} makes one genre of three; tracks whose genre's TO is "" are left out, counted and
    named. A tag that is a FROM as a whole, such as Rock/Pop, isn't parted."""
    min_tracks: Positive = 1
    """Genres of fewer tracks than this are left out, counted and named."""
    genres: Whole = Field(8, ge=2, le=8)
    """demo: how many genres, at most 8."""
    clips_per_genre: Whole = Field(20, ge=5, le=1000)
    """demo: how many clips of each genre; the damaged ones come on top."""
    shards: Whole = Field(3, ge=1, le=10_000)
    """Tracks are worked on in this many shards; some 50 to 250 tracks per shard are good."""
    min_duration: Number = Field(2.0, ge=0)
    """Clips with less audio than this are left out [seconds]."""
    silence_level: Number = Field(-60.0, le=0)
    """A tenth of a second below this level counts as silence [dB of full scale]."""
    min_sounding: Number = Field(0.01, ge=0, le=1)
    """Clips of which less than this share sounds are left out as silent."""
    max_excluded: Number = Field(0.1, ge=0, le=1)
    """The run stops if more than this share of the tracks has to be left out, or lacks features of
    a kind."""

    def problems(self) -> Iterator[Problem]:
        """Tell what is missing for the kind of corpus."""
        if "genre" not in self.levels:
            yield ("levels",), f"genre must be one of them, found {self.levels}"
        if self.kind in ("fma", "folder", "tags") and not self.audio:
            example = "--config \"corpus={'audio': 'my/music'}\""
            needed = f"it must name the folder of the audio, e.g. {example}"
            yield ("audio",), f"corpus.kind is {self.kind}, so {needed}"
        if self.kind == "table" and not self.table:
            yield ("table",), "corpus.kind is table, so it must name the CSV"


class Split(Section):
    """Shares of the tracks, for splits that the corpus doesn't give."""

    validation: Number = Field(0.1, gt=0, lt=0.5)
    """Share of validation; in lowest-ids and cv, of what isn't test."""
    test: Number = Field(0.1, gt=0, lt=0.5)
    """Share of test."""
    training: Natural = 0
    """At most so many training tracks per genre, drawn at random (0: all). Runs with 2, 4, 8...
    give a learning curve."""


LONGEST, AUTO = 29.7, "auto"
"""The study's clips [s]; a length that fits the clips, up to that."""


class Audio(Section):
    """The WAVs that everything but the hand-crafted features starts from."""

    sample_rate: Whole = Field(22_050, ge=4000, le=192_000)
    """Sampling rate of the WAVs [Hz]."""
    duration: Annotated[
        Literal["auto"] | Annotated[Number, Field(ge=0.1, le=3600)],
        expected("auto, or 0.1 to 3600 seconds"),
    ] = LONGEST
    """Clips are cut after this, and shorter ones repeated in images [seconds]; auto: images are as
    long as nearly all clips, at most 29.7 s."""


class Spectrogram(Section):
    """The log-mel images."""

    n_fft: Whole = Field(2048, ge=64, le=65_536)
    """Length of the FFT [samples]."""
    hop_length: Whole = Field(512, ge=16)
    """Step from frame to frame [samples]."""
    n_mels: Whole = Field(128, ge=8, le=1024)
    """Number of mel bands: the height of the image."""
    f_min: Number = Field(0.0, ge=0)
    """Lower end of the lowest band [Hz]."""
    f_max: Number = Field(8000.0, gt=0)
    """Upper end of the highest band [Hz]."""
    invert: Flag = True
    """Loud is dark (255 - S), as in the study."""

    def problems(self) -> Iterator[Problem]:
        """Tell what would skip audio or make no bands."""
        if self.f_min >= self.f_max:
            yield ("f_min",), "must be below spectrogram.f_max"
        if self.hop_length > self.n_fft:
            yield ("hop_length",), "longer than spectrogram.n_fft would skip audio"


class Augment(Section):
    """Augmentation of the training images."""

    mode: Literal["copies", "online", "none"] = "copies"
    """How, for variants with `augment: true`: copies (masked copies of each image, made once:
    SpecAugment), online (changed anew in each epoch, no disk is used) or none."""
    copies: Positive = 2
    """copies: how many new images for each training track."""
    frequency_mask: Natural = 27
    """Largest width of a frequency mask [mel bands]."""
    time_mask: Number = Field(0.078125, ge=0, le=1)
    """Largest width of a time mask, as a share of the clip (the study's 100 of 1280 frames)."""
    masks: Natural = 1
    """How many masks of each kind on an image."""
    fill: Literal["mean", "zero"] = "mean"
    """What masks are filled with: mean (of the clip) or zero (silence)."""
    time_shift: Number = Field(0.5, ge=0, le=0.5)
    """online: largest shift in time, as a share of the clip; what leaves at one end comes in at the
    other."""
    gain: Number = Field(20.0, ge=0, le=255)
    """online: largest change of the level [grey levels of 255]."""
    mixup: Number = Field(0.0, ge=0)
    """online: images are mixed with others by shares from Beta(mixup, mixup); 0 mixes none."""
