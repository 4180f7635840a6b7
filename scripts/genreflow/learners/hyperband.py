"""Hyperband: the search for a variant's hyper-parameters, by keras-tuner.

keras-tuner decides which trials there are. They are run here, each from a seed of its own
number, so that the result doesn't depend on how many run at once. What a trial ended with is kept
in a file, and so is the state of its training after each epoch: an interrupted search asks for
the same trials again and finds them done. A trial that is promoted goes on with that state.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import keras
import keras_tuner
import pandas as pd
from keras_tuner.oracles import HyperbandOracle

from genreflow.errors import GenreflowError
from genreflow.features import backend
from genreflow.learners import cnn, training
from genreflow.runtime import watch
from genreflow.runtime.files import read_table, write_json

COLUMNS = ["trial", "bracket", "round", "continues", "initial_epoch", "epochs", "score"]
"""Columns of a table of trials, before those of the hyper-parameters."""

WORST = 1e9
"""Stands for a loss that is no number."""


@dataclass(frozen=True)
class Trial:
    """A candidate that is trained up to some epoch.

    Attributes
    ----------
    number
        From 0, in the order in which trials are asked for.
    parameters
        The hyper-parameters.
    bracket, round
        Where in Hyperband it stands; the bracket with the highest number halves most often.
    initial_epoch, epochs
        After which epoch it starts and after which it ends.
    continues
        The trial that ended at `initial_epoch`; None for a new candidate.
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

    Parameters
    ----------
    space
        The values that each hyper-parameter may have, of one type each.
    run
        Called with all trials that can be run at a time.
    objective
        A key of `learners.training.IMPROVES`.
    max_epochs
        Epochs of the longest trials.
    factor
        One of so many candidates goes on to so many times the epochs.
    seed
        Not negative.

    Returns
    -------
    pandas.DataFrame
        One row a trial: `COLUMNS`, then the hyper-parameters.
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
    rows = [{**asdict(trial), "score": score} for trial, score in done.values()]
    table = pd.DataFrame(rows).rename(columns={"number": "trial"})
    values = pd.DataFrame(table.pop("parameters").tolist(), index=table.index)
    table = table[COLUMNS].astype({"continues": "Int64"}).join(values)
    return table.sort_values("trial", ignore_index=True)


def _ask(oracle: HyperbandOracle, done: Mapping, names: Sequence[str]) -> list:
    """Ask for trials until there are none that can be run now."""
    asked: list = []
    while True:
        answer = oracle.create_trial(f"tuner{len(asked)}")
        if answer.status != "RUNNING":
            return asked
        values = answer.hyperparameters.get_config()["values"]
        past = values.get("tuner/trial_id")
        # A promoted trial is told the bracket that was opened last, not its own.
        bracket = done[past][0].bracket if past else values["tuner/bracket"]
        asked.append(
            (
                answer,
                Trial(
                    number=len(done) + len(asked),
                    parameters={name: values[name] for name in names},
                    bracket=bracket,
                    round=values["tuner/round"],
                    initial_epoch=values["tuner/initial_epoch"],
                    epochs=values["tuner/epochs"],
                    continues=done[past][0].number if past else None,
                ),
            )
        )


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
    folder
        Where the results and the states of the trials are kept.
    fingerprint
        Tells which search this is; what another one left in the folder is not used.
    objective
        A key of `learners.training.IMPROVES`.
    max_epochs
        Epochs of the longest trials.
    settings
        batch_size, class_weight: of `learners.cnn.train`.
    memory_mb, precision, seed, threads
        Of each process.
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


def run_trial(task: Task, images: cnn.SplitImages, trial: Trial) -> dict[str, Any]:
    """Train a candidate; return its score, and a note if it could not be trained at all."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(_seed_of(task, trial))
    checkpoint = training.Checkpoint(
        _file(task, trial.number, "npz"),
        json.dumps([task.fingerprint, trial.parameters], sort_keys=True),
    )
    if trial.continues is not None and checkpoint.read() is None:
        past = _file(task, trial.continues, "npz")
        if past.exists():
            shutil.copyfile(past, checkpoint.path)
    try:
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
        return {"score": _worst(task.objective), "note": str(error)}
    scores = history[task.objective][trial.initial_epoch :]
    score = scores.max() if training.IMPROVES[task.objective] == "max" else scores.min()
    return {"score": _worst(task.objective) if pd.isna(score) else float(score), "note": ""}


def _seed_of(task: Task, trial: Trial) -> int:
    return 1000 * task.seed + trial.number


def _worst(objective: str) -> float:
    return 0.0 if training.IMPROVES[objective] == "max" else WORST


def _file(task: Task, number: int, kind: str) -> Path:
    return Path(task.folder, f"trial-{number:04d}.{kind}")


def search(
    task: Task,
    space: Mapping[str, Sequence[Any]],
    *,
    factor: int,
    workers: int,
    say: Callable[[str], None],
) -> pd.DataFrame:
    """Search a space by Hyperband, on several processes if asked for.

    Parameters
    ----------
    task
        What the trials share. Its threads are those of all processes together.
    space
        As `learners.cnn.spread` returns it.
    factor
        As for `hyperband`.
    workers
        How many trials run at a time.
    say
        Called with a line of text after each trial.

    Returns
    -------
    pandas.DataFrame
        As `hyperband` returns it, with the column note.

    Raises
    ------
    NotPossible
        As `learners.training.require_parts`.
    """
    with _open(task) as images:
        images.require_parts()
    Path(task.folder).mkdir(parents=True, exist_ok=True)
    notes: dict[int, str] = {}

    def run(trials: Sequence[Trial]) -> list[float]:
        missing = [trial for trial in trials if _record(task, trial) is None]
        if len(missing) < len(trials):
            say(f"{len(trials) - len(missing)} trials were finished before")
        for trial, record in results_of(missing):
            write_json(
                {**record, "trial": asdict(trial), "fingerprint": task.fingerprint},
                _file(task, trial.number, "json"),
            )
            say(_line(trial, record, task.objective))
        found = [_record(task, trial) for trial in trials]
        notes.update(zip((t.number for t in trials), (r["note"] for r in found), strict=True))
        return [record["score"] for record in found]

    with ExitStack() as stack:
        start = _processes if workers > 1 else _here
        results_of = start(task, workers, stack)
        trials = hyperband(
            space,
            run,
            objective=task.objective,
            max_epochs=task.max_epochs,
            factor=factor,
            seed=task.seed,
        )
    return trials.assign(note=trials["trial"].map(notes))


def _record(task: Task, trial: Trial) -> dict[str, Any] | None:
    """Read what a trial ended with, if it is this trial of this search."""
    try:
        record = json.loads(_file(task, trial.number, "json").read_text())
    except (OSError, ValueError):
        return None
    expected = json.loads(json.dumps(asdict(trial)))
    same = record.get("fingerprint") == task.fingerprint and record.get("trial") == expected
    return record if same else None


def _line(trial: Trial, record: Mapping[str, Any], objective: str) -> str:
    values = ", ".join(f"{name} {value}" for name, value in trial.parameters.items())
    line = f"trial {trial.number}, epoch {trial.epochs}, bracket {trial.bracket}: {values}: "
    return line + (record["note"] or f"{objective} {record['score']:.3f}")


def _here(task: Task, workers: int, stack: ExitStack) -> Callable:
    """Run trials one after another in this process."""
    images = stack.enter_context(_open(task))
    return lambda trials: ((trial, run_trial(task, images, trial)) for trial in trials)


def _open(task: Task):
    return cnn.open_split(
        task.images, read_table(task.split), memory_mb=task.memory_mb, copies=task.copies
    )


def _processes(task: Task, workers: int, stack: ExitStack) -> Callable:
    """Run trials in processes that are started once."""
    each = asdict(task) | {
        "threads": max(task.threads // workers, 1),
        "memory_mb": task.memory_mb // workers,
    }
    free: SimpleQueue[_Process] = SimpleQueue()
    for _ in range(workers):
        free.put(stack.enter_context(_Process(each)))
    pool = stack.enter_context(ThreadPoolExecutor(workers))

    def run_in_free(trial: Trial) -> tuple[Trial, dict[str, Any]]:
        process = free.get()
        try:
            return trial, process.run(trial)
        finally:
            free.put(process)

    return lambda trials: pool.map(run_in_free, trials)


class _Process:
    """Another process that runs trials, one line of JSON each."""

    def __init__(self, task: Mapping[str, Any]):
        # Not multiprocessing, which would import the main module again, a script that is running.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "genreflow.learners.hyperband"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        )
        self._send(task)

    def __enter__(self) -> "_Process":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        self._process.wait()

    def run(self, trial: Trial) -> dict[str, Any]:
        """Run a trial and wait for its end."""
        self._send(asdict(trial))
        line = self._process.stdout.readline()
        if not line:
            raise GenreflowError(
                f"trial {trial.number} of the search ended with its process, code "
                f"{self._process.wait()}: see the lines above; too little memory is likely, "
                "then lower cnn.search.workers"
            )
        return json.loads(line)

    def _send(self, message: Mapping[str, Any]) -> None:
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()


def _serve() -> None:
    """Run the trials that come in by stdin, and write their results to stdout."""
    watch.end_with(os.getppid())
    task = Task(**json.loads(sys.stdin.readline()))
    backend.configure(threads=task.threads, seed=task.seed, precision=task.precision)
    with _open(task) as images:
        for line in sys.stdin:
            print(json.dumps(run_trial(task, images, Trial(**json.loads(line)))), flush=True)


if __name__ == "__main__":
    _serve()
