"""The sections on what learns: networks, classifiers, ensembles."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, create_model

from genreflow.config.base import (
    ClassWeight,
    Flag,
    Monitor,
    Name,
    Natural,
    Number,
    Positive,
    Preprocessing,
    Problem,
    Section,
    Set,
    Share,
    Text,
    Whole,
    chosen,
    expected,
    flag,
    matching,
    nearest,
)
from genreflow.learners import estimators


class Variant(Section):
    """What all variants may set, whatever their architecture.

    A new architecture is one more class that inherits from this one; its own keys are the
    keyword-only arguments of its function in `learners.architectures`.
    """

    decided_by: ClassVar[str] = "architecture"

    learning_rate: Number = Field(0.001, gt=0)
    """Of Adam, or the highest one where it changes."""
    weight_decay: Number = Field(0.0, ge=0)
    """Weights shrink by this share of the learning rate at each step."""
    schedule: Literal["constant", "cosine"] = "constant"
    """The learning rate stays, or falls to 0 along half a cosine."""
    warmup: Number = Field(0.0, ge=0, le=1)
    """Share of the steps in which the learning rate rises."""
    label_smoothing: Number = Field(0.0, ge=0, lt=1)
    """Share of each label that is spread over all genres."""
    augment: Annotated[Literal[True, False, "copies", "online"], BeforeValidator(flag)] = False
    """true (as augment.mode says), false, copies or online."""
    strength: Number = Field(1.0, ge=0, le=1)
    """How strong augmentation online is, from none to what `augment` says."""
    mel_bands: Natural = 0
    """The image is averaged down to so many bands (0: not)."""
    dynamic_range: Number = Field(1.0, gt=0, le=1)
    """The loudest share of the levels that is kept."""
    crop_frames: Natural = 0
    """Length of the crops that the network is trained on [frames] (0: whole clips)."""
    crops: Positive = 3
    """A clip is predicted by the mean over so many crops."""
    search: str = ""
    """The space of cnn.search.spaces in which its settings are searched first (empty: none)."""
    batch_size: Positive | None = None
    """Instead of cnn.batch_size."""
    epochs: Positive | None = None
    """Instead of cnn.epochs."""
    monitor: Monitor | None = None
    """Instead of cnn.monitor."""
    patience: Positive | None = None
    """Instead of cnn.patience."""


class Simple(Variant):
    """The study's network, after Kostrzewa et al. (ICCS 2021)."""

    architecture: Literal["simple"] = "simple"
    """The kind of network."""
    geometry: Literal["resized", "full-time"] = "resized"
    """resized (the image is resized to 128 x 128) or full-time (it isn't, and pooling is 5 along
    time)."""
    filters: list[Positive] = Field([64, 64, 128, 128], min_length=1)
    """Kernels of each layer."""
    kernel_size: Positive = 5
    """Height and width of every kernel."""
    dropout: Number = Field(0.2, ge=0, lt=1)
    """Share of the units that are dropped before the last layer."""
    momentum: Number = Field(0.5, ge=0, lt=1)
    """Of batch normalisation's moving averages; a small corpus needs a low one."""


class Residual(Variant):
    """A small residual network with global pooling, after He et al. (CVPR 2016)."""

    architecture: Literal["residual"] = "residual"
    """The kind of network."""
    width: Positive = 16
    """Kernels of the first stage; each further one has twice as many."""
    depth: Positive = 1
    """Residual blocks of a stage."""
    stages: Positive = 3
    """Number of stages."""
    dropout: Number = Field(0.2, ge=0, lt=1)
    """Share of the units that are dropped before the last layer."""
    momentum: Number = Field(0.5, ge=0, lt=1)
    """Of batch normalisation's moving averages; a small corpus needs a low one."""


class Finetuned(Variant):
    """An image network whose upper layers are trained further."""

    architecture: Literal["finetuned"] = "finetuned"
    """The kind of network."""
    network: str = "MobileNetV2"
    """The network: one of keras.applications by its name there, or a .keras file."""
    cut: str = "out_relu"
    """The layer that the new last layer stands on."""
    trainable_from: str = ""
    """The lowest layer that is trained further (empty: none but the new last one)."""
    weights: Text = "random"
    """imagenet, random or a file."""
    preprocessing: Preprocessing = "none"
    """What a network in a .keras file expects of images."""
    dropout: Number = Field(0.2, ge=0, lt=1)
    """Share of the units that are dropped before the last layer."""


class Search(Section):
    """The search for hyper-parameters, by Hyperband."""

    spaces: dict[
        str, Annotated[dict[str, Annotated[Set[Any], Field(min_length=1)]], Field(min_length=1)]
    ] = {}
    """The values of each setting that is searched; one value for each layer, where a setting has
    one for each layer."""
    objective: Literal["val_accuracy", "val_loss", "loss"] = "val_accuracy"
    """What is compared: val_accuracy, val_loss or loss, the best of a trial's epochs."""
    max_epochs: Positive = 3
    """Epochs of the longest trials."""
    factor: Whole = Field(3, ge=2)
    """One of so many candidates goes on, for so many times the epochs."""
    workers: Positive = 1
    """How many trials run at a time on one machine; they share the job's threads and memory."""


class Cnn(Section):
    """The convolutional networks."""

    run: Set[str] = []
    """Which of the variants below are trained."""
    variants: dict[Name, Annotated[Variant, chosen(Variant, "simple")]] = {}
    """The variants by name, each with an architecture, its settings and those that all have."""
    pairs: list[Annotated[list[str], Field(min_length=2)]] = [
        ["simple", "tuned"],
        ["simple-augmented", "tuned-augmented"],
        ["simple-full-time", "tuned-full-time"],
        ["simple-full-time-augmented", "tuned-full-time-augmented"],
    ]
    """Variants whose learning curves are drawn in one figure, from top to bottom."""
    search: Search = Search()
    """The search for hyper-parameters, by Hyperband."""
    class_weight: ClassWeight = "none"
    """none, or balanced: genres weigh the same however many tracks they have."""
    batch_size: Positive = 16
    """Images a step."""
    epochs: Positive = 24
    """Epochs at most."""
    monitor: Monitor = "val_loss"
    """What early stopping watches: val_loss, or loss as the study did."""
    patience: Positive = 6
    """Training ends after this many epochs without improvement; the best weights are kept."""
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = "auto"
    """auto (mixed_bfloat16 where the processor computes in it, else float32), float32,
    mixed_bfloat16 or mixed_float16. Results of different precisions differ a little."""
    threads: Positive = 1
    """Threads of a training or a search. Small networks on few images hardly use more than one, so
    that trainings side by side are faster."""
    memory_mb: Natural = 2000
    """Images are held in memory up to this much, and read from disk at each use beyond [MB]."""

    def problems(self) -> Iterator[Problem]:
        """Tell which variants and settings that are named aren't there."""
        for name in self.run:
            if name not in self.variants:
                near = nearest(name, self.variants)
                yield ("run",), f"no variant {name!r} in cnn.variants{near}"
        for name, variant in self.variants.items():
            space = variant.search
            if space and space not in self.search.spaces:
                near = nearest(space, self.search.spaces)
                yield (
                    ("variants", name, "search"),
                    f"no {space!r} in cnn.search.spaces{near}",
                )
            known = variant.all_keys()
            for key in self.search.spaces.get(space, {}):
                if key not in known:
                    near = nearest(key, known)
                    yield (
                        ("search", "spaces", space, key),
                        f"cnn/{name} has no such setting{near}",
                    )


Matrix = matching("^[A-Za-z0-9_]+(/[A-Za-z0-9_]+)*$", "a name such as vgg16/fc2")


class Ffnn(Section):
    """The feed-forward networks on feature matrices."""

    features: Set[Matrix] = ["handcrafted"]
    """The feature matrices: those on the hand-crafted features are called ffnn/UNITS, as in the
    study, others ffnn/FEATURES/UNITS."""
    units: Set[Annotated[list[Positive], Field(min_length=1)]] = [[512, 256], [64]]
    """Units of the hidden layers of each network that is trained on them: two of the study's
    nine."""
    l2: Number = Field(0.0, ge=0)
    """L2 penalty on every weight; the study's networks had 0.02."""
    learning_rate: Number = Field(0.0001, gt=0)
    """Of Adam."""
    batch_size: Positive = 32
    """Tracks a step."""
    epochs: Positive = 200
    """Epochs at most."""
    monitor: Monitor = "val_loss"
    """What early stopping watches: val_loss, val_accuracy or loss."""
    patience: Positive = 3
    """Training ends after this many epochs without improvement; the best weights are kept."""


Grid = dict[str, Annotated[list[Any], Field(min_length=1)]]


class _OfAll(Section):
    """What the grid search tries for each parameter of a classifier."""


Grids = create_model(
    "Grids",
    __base__=_OfAll,
    __doc__=_OfAll.__doc__,
    **{
        name.replace("-", "_"): (Grid, Field(one.GRID, alias=name, description=one.__doc__))
        for name, one in estimators.known().items()
    },
)
"""The default of each classifier is its own."""

Classifier = Literal[tuple(estimators.known())]


class Classify(Section):
    """The classic classifiers on feature matrices: scaler, optional PCA, grid search."""

    features: dict[
        Matrix,
        Set[Annotated[Literal["all"] | Share, expected("all, or a share between 0 and 1")]],
    ] = {}
    """The feature matrices, each with the shares of variance that PCA keeps; all: no PCA."""
    run: Set[Classifier] = list(estimators.known())
    """Which classifiers, on hand-crafted features and those of tables: those of classify.grids."""
    grids: Grids = Grids()
    """What the grid search tries for each parameter of a classifier."""
    folds: Whole = Field(3, ge=2)
    """Folds of the grid search's cross-validation, by artist where artists are known; fewer where a
    genre can't fill so many."""
    within_folds: Flag = False
    """Fit scaler and PCA within each fold; the study fitted them once, outside."""
    fit_on: Annotated[Set[Literal["training", "validation"]], Field(min_length=1)] = ["training"]
    """Parts that classifiers learn from: [training], or [training, validation]."""
    class_weight: ClassWeight = "none"
    """none, or balanced: genres weigh the same however many tracks they have."""
    threads: Positive = 1
    """Threads of a grid search, or of a PCA. Where tracks are few, jobs side by side are faster."""


class Ensemble(Section):
    """How some learners are combined."""

    how: Literal["average", "stack"] = "average"
    """average (of their probabilities) or stack (a logistic regression on them, fitted on
    validation)."""
    of: Annotated[Set[str], Field(min_length=2)]
    """The names of the learners."""


class Ensembles(Section):
    """Learners that combine others."""

    members: dict[Name, Ensemble] = {}
    """How to combine which learners, by name. An ensemble is made where all its members are run."""
