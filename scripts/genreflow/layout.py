"""Where everything below results/ lies: from (split, learner, seed) to a path, and back.

Rules give names in braces (``layout.wav("{track}")``), all others the names themselves: one
function serves Snakemake's patterns and the files. No other module spells out such a path.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from genreflow.errors import GenreflowError

PATTERNS = {
    "track": r"[A-Za-z0-9][A-Za-z0-9_.-]*",
    "shard": r"\d+",
    "variant": r"[a-z0-9][a-z0-9-]*",
    "seed": r"\d+",
    "units": r"([A-Za-z0-9_]+/)*\d+(-\d+)*",
    "features": r"[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*",
    "pca": r"all|pca-0\.\d+",
    "classifier": r"[a-z-]+",
    "ensemble": r"[a-z0-9][a-z0-9-]*",
    "joined": r"[A-Za-z0-9_]+",
}
"""What the wildcards match, but for those whose names only a configuration knows."""

PREDICTIONS = "predictions.csv"
"""The file in which every learner ends."""

NETWORK, CLASSIFIER, COMBINER = "model.keras", "model.skops", "combiner.skops"
"""The files of a trained network, of a fitted classifier, and of what makes one learner of several.
"""

_FITTED = re.compile(
    r"(?P<split>[^/]+)/(?P<learner>[^/]+/.+?)(/seed-(?P<seed>\d+))?"
    r"/(predictions\.csv|history\.csv|scores\.csv|search\.csv|best\.json|(model|combiner)\.[a-z]+)"
)


@dataclass(frozen=True)
class Fitted:
    """What a learner leaves of one training: its files.

    Attributes
    ----------
    root
        The folder of the corpus's results.
    split
        For example ``official``, or one fold of a cross-validation: ``cv-5x10-r1-f01``.
    learner
        For example ``cnn/simple``.
    seed
        None for a learner that has no seeds.
    """

    root: str | Path
    split: str
    learner: str
    seed: int | str | None = None

    @property
    def folder(self) -> str:
        """The folder of the files."""
        place = f"{self.root}/{self.split}/{self.learner}"
        return place if self.seed is None else f"{place}/seed-{self.seed}"

    @property
    def predictions(self) -> str:
        """The predictions, in which every learner ends."""
        return f"{self.folder}/{PREDICTIONS}"

    def model(self, name: str) -> str:
        """Return the file of what was learned, by the name that the learner gives it."""
        return f"{self.folder}/{name}"

    @property
    def history(self) -> str:
        """Loss and accuracy of a network over the epochs."""
        return f"{self.folder}/history.csv"

    @property
    def scores(self) -> str:
        """Loss and accuracy of a feed-forward network on each part."""
        return f"{self.folder}/scores.csv"

    @property
    def search(self) -> str:
        """What a grid search found for each of its parameters."""
        return f"{self.folder}/search.csv"

    @property
    def best(self) -> str:
        """The best parameters of a grid search."""
        return f"{self.folder}/best.json"


@dataclass(frozen=True)
class Layout:
    """The results of one corpus.

    Attributes
    ----------
    root
        Their folder.
    """

    root: str | Path

    @classmethod
    def of_corpus(cls, name: str) -> "Layout":
        """Return the layout of a corpus's results, from the folder that a run works in."""
        return cls(f"results/{name}")

    # What a corpus holds

    @property
    def source(self) -> str:
        """The folder in which the demo corpus is made, in FMA's layout."""
        return f"{self.root}/source"

    @property
    def demo_metadata(self) -> str:
        """The metadata of the demo corpus."""
        return f"{self.source}/fma_metadata/tracks.csv"

    @property
    def listing(self) -> str:
        """The tracks as they were found when the run began."""
        return f"{self.root}/corpus/listing.json"

    @property
    def tags(self) -> str:
        """The tags of audio files, kept so that each is read once."""
        return f"{self.root}/corpus/tags.json"

    @property
    def tracks(self) -> str:
        """The manifest: the tracks that are used."""
        return f"{self.root}/corpus/tracks.csv"

    @property
    def excluded(self) -> str:
        """The tracks that are left out, with the reason."""
        return f"{self.root}/corpus/excluded.csv"

    @property
    def without_genre(self) -> str:
        """The files whose tags name no genre, as a playlist: what `predict` can then fill."""
        return f"{self.root}/corpus/without_genre.m3u8"

    @property
    def summary(self) -> str:
        """How many tracks are used and left out."""
        return f"{self.root}/corpus/summary.json"

    def audit(self, shard: str) -> str:
        """Return the clips of a shard that can't be used."""
        return f"{self.root}/corpus/audit/{shard}.csv"

    @property
    def clip_length(self) -> str:
        """How long images are, and how many clips are shorter."""
        return f"{self.root}/corpus/clip_length.json"

    @property
    def splits(self) -> str:
        """The folder of the splits."""
        return f"{self.root}/corpus/splits"

    def split(self, split: str) -> str:
        """Return the table of which track is in which part."""
        return f"{self.splits}/{split}.csv"

    # What is made of clips, and not learned

    @property
    def wavs(self) -> str:
        """The folder of the WAVs."""
        return f"{self.root}/wav"

    def wav(self, track: str) -> str:
        """Return the resampled audio of a track."""
        return f"{self.wavs}/{track}.wav"

    @property
    def spectrograms(self) -> str:
        """The log-mel images of all tracks."""
        return f"{self.root}/spectrograms.h5"

    def spectrogram_shard(self, shard: str) -> str:
        """Return the log-mel images of a shard."""
        return f"{self.root}/spectrograms/{shard}.h5"

    def features(self, name: str) -> str:
        """Return a feature matrix: ``handcrafted``, ``vgg16/fc2``, ``joined/both``."""
        return f"{self.root}/features/{name}.h5"

    def without_features(self, name: str) -> str:
        """Return the tracks that have no row in a feature matrix, with the reason."""
        return f"{self.root}/features/{name}.left_out.csv"

    @property
    def handcrafted_table(self) -> str:
        """The hand-crafted features in FMA's format."""
        return f"{self.root}/features/handcrafted.csv"

    def feature_shard(self, feature_set: str, shard: str) -> str:
        """Return the features of a shard's tracks, all outputs of a feature set."""
        return f"{self.root}/feature_shards/{feature_set}/{shard}.h5"

    def network(self, feature_set: str) -> str:
        """Return the folder of the network of a feature set, ready to run."""
        return f"{self.root}/networks/{feature_set}"

    # What is learned on a split

    def augmented(self, split: str) -> str:
        """Return the masked copies of all training tracks."""
        return f"{self.root}/{split}/augmented.h5"

    def augmented_shard(self, split: str, shard: str) -> str:
        """Return the masked copies of a shard's training tracks."""
        return f"{self.root}/{split}/augmented/{shard}.h5"

    def pca(self, split: str, features: str) -> str:
        """Return the principal components of a feature matrix."""
        return f"{self.root}/{split}/classify/{features}/pca.h5"

    def trials(self, split: str, learner: str) -> str:
        """Return the trials of the search for a learner's hyper-parameters."""
        return f"{self.root}/{split}/{learner}/search/trials.csv"

    def winner(self, split: str, learner: str) -> str:
        """Return the hyper-parameters that a search found for a learner."""
        return f"{self.root}/{split}/{learner}/search/winner.yaml"

    def fitted(self, split: str, learner: str, seed: int | str | None = None) -> Fitted:
        """Return the files of one training of a learner."""
        return Fitted(self.root, split, learner, seed)

    def parse(self, path: str | Path) -> Fitted:
        """Tell split, learner and seed by the path of a file that a learner leaves.

        Parameters
        ----------
        path
            What one of the properties of `Fitted` returned.

        Raises
        ------
        GenreflowError
            If the path isn't of this form.
        """
        inside = Path(path).is_relative_to(self.root)
        found = inside and _FITTED.fullmatch(Path(path).relative_to(self.root).as_posix())
        if not found:
            raise GenreflowError(
                f"{path}: expected SPLIT/LEARNER/[seed-N/]FILE below {self.root}, where FILE is "
                "one that a learner leaves, such as predictions.csv"
            )
        seed = found["seed"]
        return self.fitted(found["split"], found["learner"], None if seed is None else int(seed))

    # What is shown and taken away

    @property
    def tables(self) -> str:
        """The folder of the tables."""
        return f"{self.root}/tables"

    def table(self, name: str, ending: str = "csv") -> str:
        """Return a table; ``md`` for the one that people read."""
        return f"{self.tables}/{name}.{ending}"

    @property
    def figures(self) -> str:
        """The folder of the figures."""
        return f"{self.root}/figures"

    def figure(self, *place: str, ending: str = "svg") -> str:
        """Return a figure by its split, learner and name, as far as it has them."""
        return f"{self.figures}/{'/'.join(place)}.{ending}"

    @property
    def report(self) -> str:
        """The page with all that a run found."""
        return f"{self.root}/report.html"

    @property
    def bundle(self) -> str:
        """The folder of what `export` makes: a learner that travels."""
        return f"{self.root}/bundle"

    def predicted(self, name: str, ending: str = "csv") -> str:
        """Return what is predicted of new audio: ``predictions`` or ``segments``."""
        return f"{self.root}/predicted/{name}.{ending}"

    @property
    def predicted_page(self) -> str:
        """The page that shows and plays what was predicted."""
        return self.predicted("report", "html")

    @property
    def playlists(self) -> str:
        """The folder of playlists of what was predicted, one per genre."""
        return f"{self.root}/predicted/playlists"

    # What jobs leave

    def log(self, rule: str, *wildcards: str) -> str:
        """Return the log of a job."""
        return f"{self.root}/logs/{'/'.join((rule, *wildcards))}.log"

    @property
    def benchmarks(self) -> str:
        """The folder of what the jobs cost."""
        return f"{self.root}/benchmarks"

    def benchmark(self, rule: str, *wildcards: str) -> str:
        """Return the file of what a job cost."""
        return f"{self.benchmarks}/{'/'.join((rule, *wildcards))}.tsv"
