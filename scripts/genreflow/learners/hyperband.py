"""Hyperband: the search for a variant's hyper-parameters, by keras-tuner.

keras-tuner decides which trials there are. They are run here, each from a seed of its own
number, so that the result doesn't depend on how many run at once. What a trial ended with is kept
in a file, and so is the state of its training after each epoch: an interrupted search asks for
the same trials again and finds them done. A trial that is promoted goes on with that state.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import pandas as pd

# Unlike multiprocessing it doesn't import the main module again, a script that is running.
from joblib.externals.loky import BrokenProcessPool, ProcessPoolExecutor, as_completed
from keras_tuner.oracles import HyperbandOracle

from genreflow.errors import GenreflowError
from genreflow.features import backend
from genreflow.learners import cnn, training
from genreflow.runtime import orphans
from genreflow.runtime.files import atomic, read_table, write_json

COLUMNS = ["trial", "bracket", "round", "continues", "initial_epoch", "epochs", "score"]
"""Columns of a table of trials, before those of the hyper-parameters."""

WORST = 1e9
"""Stands for a loss that is no number."""


@dataclass(frozen=True)
class Trial:
    """A candidate that is trained up to some epoch.

    Numbers are from 0, in the order in which trials are asked for. Bracket and round are where in
    Hyperband it stands; the bracket with the highest number halves most often. It starts after
    `initial_epoch`, where the trial that it `continues` ended, None for a new candidate, and ends
    after `epochs`.
    """

    number: int
    parameters: dict[str, Any]
    bracket: int
    round: int
    initial_epoch: int
    epochs: int
    continues: int | None


Run = Callable[[Sequence[Trial]], Sequence[float]]
"""Runs trials that don't depend on each other, and returns the score of each."""


def hyperband(
    space: Mapping[str, Sequence[Any]],
    run: Run,
    *,
    objective: str,
    max_epochs: int,
    factor: int,
    seed: int,
) -> pd.DataFrame:
    """Search a space by Hyperband (Li et al., JMLR 2018, arXiv 1603.06560).

    The space has the values that each hyper-parameter may have, of one type each; `run` is called
    with all trials that can be run at a time. One of so many candidates as `factor` goes on to so
    many times the epochs; the rest is as for `Task`. What is returned has one row a trial:
    `COLUMNS`, then the hyper-parameters.
    """
    choices = keras_tuner.HyperParameters()
    for name, values in space.items():
        choices.Choice(name, list(values))
    oracle = HyperbandOracle(
        keras_tuner.Objective(objective, training.IMPROVES[objective]),
        max_epochs=max_epochs,
        factor=factor,
        hyperparameters=choices,
        allow_new_entries=False,
        tune_new_entries=False,
        seed=seed + 1,  # it takes 0 for no seed
    )
    oracle.verbose = 0
    done: dict[str, tuple[Trial, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        # It wants to write down its state, which nobody reads: trials are kept by `run`.
        oracle._set_project_dir(folder, "oracle")
        while asked := _ask(oracle, done, tuple(space)):
            scores = run([trial for _, trial in asked])
            for (answer, trial), score in zip(asked, scores, strict=True):
                oracle.update_trial(answer.trial_id, {objective: score})
                answer.status = "COMPLETED"
                oracle.end_trial(answer)
                done[answer.trial_id] = trial, score
    rows = [
        {"trial": trial.number, **vars(trial), "score": score, **trial.parameters}
        for trial, score in done.values()
    ]
    table = pd.DataFrame(rows, columns=[*COLUMNS, *space]).astype({"continues": "Int64"})
    return table.sort_values("trial", ignore_index=True)


def _ask(oracle: HyperbandOracle, done: Mapping, names: Sequence[str]) -> list:
    """Ask for trials until there are none that can be run now."""
    asked: list = []
    while (answer := oracle.create_trial(f"tuner{len(asked)}")).status == "RUNNING":
        values = answer.hyperparameters.get_config()["values"]
        past, _ = done.get(values.get("tuner/trial_id"), (None, None))
        trial = Trial(
            number=len(done) + len(asked),
            parameters={name: values[name] for name in names},
            # A promoted trial is told the bracket that was opened last, not its own.
            bracket=past.bracket if past else values["tuner/bracket"],
            round=values["tuner/round"],
            initial_epoch=values["tuner/initial_epoch"],
            epochs=values["tuner/epochs"],
            continues=past.number if past else None,
        )
        asked.append((answer, trial))
    return asked


def best(trials: pd.DataFrame, *, objective: str, names: Sequence[str]) -> dict[str, Any]:
    """Return the hyper-parameters of the best trial; of equals, of the one trained longest."""
    ascending = [training.IMPROVES[objective] == "min", False, True]
    ranked = trials.sort_values(["score", "epochs", "trial"], ascending=ascending)
    # A single column keeps its type; a row would turn whole numbers into others.
    return {name: ranked[name].tolist()[0] for name in names}


@dataclass(frozen=True)
class Task:
    """What all trials of a search share; plain values only, for it is sent to other processes.

    Attributes
    ----------
    images, split, copies
        Files, as for `learners.cnn.open_split`.
    variant
        What hyper-parameters are put into.
    folder, fingerprint
        Where the results and the states of the trials are kept, and which search this is; what
        another one left in the folder is not used.
    objective, max_epochs
        A key of `learners.training.IMPROVES`, and the epochs of the longest trials.
    settings
        batch_size, class_weight: of `learners.cnn.train`.
    memory_mb, precision, seed, threads
        Of all trials that run at a time together.
    """

    images: str
    split: str
    copies: str | None
    variant: dict[str, Any]
    folder: str
    fingerprint: str
    objective: str
    max_epochs: int
    settings: dict[str, Any]
    memory_mb: int
    precision: str
    seed: int
    threads: int

    def open(self):
        """Open the images, as `learners.cnn.open_split`."""
        return cnn.open_split(
            self.images, read_table(self.split), memory_mb=self.memory_mb, copies=self.copies
        )

    def file(self, number: int, kind: str) -> Path:
        """Return a file of a trial: what it ended with (json), or its state (npz)."""
        return Path(self.folder, f"trial-{number:04d}.{kind}")

    def record(self, trial: Trial) -> dict[str, Any] | None:
        """Read what a trial ended with, if it is this trial of this search."""
        try:
            record = json.loads(self.file(trial.number, "json").read_text())
        except (OSError, ValueError):
            return None
        expected = json.loads(json.dumps(asdict(trial)))
        same = record.get("fingerprint") == self.fingerprint and record.get("trial") == expected
        return record if same else None


def run_trial(task: Task, trial: Trial) -> tuple[Trial, dict[str, Any]]:
    """Train a candidate; return it with its score, and a note if it could not be trained at all."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(1000 * task.seed + trial.number)
    checkpoint = training.Checkpoint(
        task.file(trial.number, "npz"),
        json.dumps([task.fingerprint, trial.parameters], sort_keys=True),
    )
    if trial.continues is not None and checkpoint.read() is None:
        past = task.file(trial.continues, "npz")
        if past.exists():
            with atomic(checkpoint.path) as part:
                shutil.copyfile(past, part)
    highest = training.IMPROVES[task.objective] == "max"
    worst = 0.0 if highest else WORST
    try:
        with task.open() as images:
            _, history = cnn.train(
                images,
                cnn.with_values(task.variant, trial.parameters),
                epochs=trial.epochs,
                schedule_epochs=task.max_epochs,
                seed=task.seed,
                monitor=task.objective,
                patience=task.max_epochs,
                report=lambda line: None,
                checkpoint=checkpoint,
                **task.settings,
            )
    except GenreflowError as error:
        return trial, {"score": worst, "note": str(error)}
    scores = history[task.objective][trial.initial_epoch :]
    score = scores.max() if highest else scores.min()
    return trial, {"score": worst if pd.isna(score) else float(score), "note": ""}


def search(
    task: Task,
    space: Mapping[str, Sequence[Any]],
    *,
    factor: int,
    workers: int,
    say: Callable[[str], None],
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Search a space by Hyperband, on several processes if asked for.

    So many trials as there are workers run at a time; `say` is called with a line of text after
    each. It returns what `hyperband` does, with the column note, and the hyper-parameters of the
    best one, and raises NotPossible as `learners.training.require_parts`.
    """
    with task.open() as images:
        images.require_parts()
    notes: dict[int, str] = {}
    space = spread(space, task.variant)

    def run(trials: Sequence[Trial]) -> list[float]:
        missing = [trial for trial in trials if task.record(trial) is None]
        if len(missing) < len(trials):
            say(f"{len(trials) - len(missing)} trials were finished before")
        for trial, record in run_all(missing):
            record = {**record, "trial": asdict(trial), "fingerprint": task.fingerprint}
            write_json(record, task.file(trial.number, "json"))
            say(_line(trial, record, task.objective))
        found = [task.record(trial) for trial in trials]
        notes.update(zip((t.number for t in trials), (r["note"] for r in found), strict=True))
        return [record["score"] for record in found]

    with ExitStack() as stack:
        run_all = _runner(task, workers, stack)
        limits = {"max_epochs": task.max_epochs, "factor": factor, "seed": task.seed}
        trials = hyperband(space, run, objective=task.objective, **limits)
    winner = best(trials, objective=task.objective, names=list(space))
    return trials.assign(note=trials["trial"].map(notes)), winner


def spread(space: Mapping[str, Sequence[Any]], variant: Mapping[str, Any]) -> dict[str, list]:
    """Give each layer a hyper-parameter of its own where a setting has a value for each layer."""
    found: dict[str, list] = {}
    for name, values in space.items():
        if isinstance(variant.get(name), list | tuple):
            layers = range(1, len(variant[name]) + 1)
            found |= {f"{name}_{layer}": list(values) for layer in layers}
        else:
            found[name] = list(values)
    return found


def _line(trial: Trial, record: Mapping[str, Any], objective: str) -> str:
    values = ", ".join(f"{name} {value}" for name, value in trial.parameters.items())
    line = f"trial {trial.number}, epoch {trial.epochs}, bracket {trial.bracket}: {values}: "
    return line + (record["note"] or f"{objective} {record['score']:.3f}")


def _runner(task: Task, workers: int, stack: ExitStack) -> Callable[[Sequence[Trial]], Iterator]:
    """Return what runs trials and gives their results: here, or on processes started once."""
    if workers == 1:
        return lambda trials: (run_trial(task, trial) for trial in trials)
    each = replace(
        task, threads=max(task.threads // workers, 1), memory_mb=task.memory_mb // workers
    )
    pool = stack.enter_context(
        ProcessPoolExecutor(workers, initializer=_start_process, initargs=(each,))
    )

    def run_all(trials: Sequence[Trial]) -> Iterator[tuple[Trial, dict[str, Any]]]:
        try:
            for ended in as_completed([pool.submit(run_trial, each, trial) for trial in trials]):
                yield ended.result()
        except BrokenProcessPool as error:
            raise GenreflowError(
                f"a trial of the search ended with its process ({error}): too little memory is "
                "likely, then lower cnn.search.workers"
            ) from error

    return run_all


def _start_process(task: Task) -> None:
    orphans.end_with(os.getppid())
    backend.configure(threads=task.threads, seed=task.seed, precision=task.precision)
