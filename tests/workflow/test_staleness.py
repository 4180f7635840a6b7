"""What makes an output stale: its input's content, its settings, its code, and nothing else."""

import os
import re
import shutil
import time
from pathlib import Path

import harness
import imports
import pytest
import yaml
from genreflow.config import reference
from genreflow.corpus.tracks import shard_of
from harness import ROOT, rules_of, track_of
from small_corpora import DEMO, DEMO_TARGETS, TINY, merged, write_clip


def touch(path, seconds):
    """Set a file's time to so many seconds from now."""
    os.utime(path, times=(time.time() + seconds,) * 2)


@pytest.fixture(scope="module")
def other_checkout(tmp_path_factory):
    return harness.copy_code(tmp_path_factory.mktemp("checkout") / "else where")


@pytest.mark.slow
def test_second_run_does_nothing(finished):
    before = harness.made_files(finished)
    again = harness.snakemake(finished, "--configfile", "tiny.yaml")
    assert again.returncode == 0, again.stderr
    assert "Nothing to be done" in again.stderr
    assert harness.made_files(finished) == before


@pytest.mark.parametrize("seconds", [0, -(10**7)])
def test_touching_code_plans_nothing(finished_module, other_checkout, plan, seconds):
    for path in other_checkout.rglob("*"):
        touch(path, seconds)
    assert plan(finished_module, root=other_checkout) == set()


@pytest.mark.parametrize("seconds", [0, -(10**7)])
def test_touching_small_inputs_plans_nothing(finished, plan, seconds):
    for path in [*finished.glob("audio/**/*.wav"), finished / "tiny.yaml"]:
        touch(path, seconds)
    assert plan(finished) == set()


def reversed_keys(value):
    if not isinstance(value, dict):
        return value
    return {key: reversed_keys(value[key]) for key in reversed(value)}


def test_order_of_keys_means_nothing(finished_module, plan):
    config = merged(TINY, yaml.safe_load((ROOT / "config.yaml").read_text()))
    config = merged(config, TINY)
    assert plan(finished_module, base=reversed_keys(config)) == set()


# Content


def of_corpus():
    """Return the jobs after the shards: one each with this configuration."""
    return {
        ("manifest",),
        ("clip_length",),
        ("split", "grouped"),
        ("spectrograms",),
        ("genre_gallery",),
        *(("augmented_shard", "grouped", str(n)) for n in range(TINY["corpus"]["shards"])),
        ("augmented", "grouped"),
        ("copies_gallery", "grouped"),
        ("online_gallery", "grouped"),
        ("cnn_search", "grouped", "tuned-augmented"),
        ("search_figures",),
        *(("cnn", "grouped", variant, "0") for variant in TINY["cnn"]["run"]),
        ("feature_matrix", "handcrafted"),
        ("handcrafted_table",),
        ("feature_matrix", "tiny/first"),
        ("feature_matrix", "tiny/pool"),
        ("joined_features", "both"),
        ("pca", "grouped", "tiny/pool"),
        ("explained_variance", "grouped"),
        ("ffnn", "grouped", "4", "0"),
        ("classify", "grouped", "handcrafted", "all", "logistic-regression"),
        ("classify", "grouped", "tiny/pool", "pca-0.90", "svm-linear"),
        ("classify", "grouped", "joined/both", "all", "svm-linear"),
        ("ensemble", "grouped", "both"),
        ("ffnn_table",),
        ("classify_table",),
        ("tables",),
        ("accuracy_figure",),
        ("calibration_figure", "grouped"),
        ("report",),
        ("confusion_matrices", "grouped"),
        ("learning_curves", "grouped"),
    }


def of_shard(track_id):
    shard = str(shard_of(track_id, TINY["corpus"]["shards"]))
    sets = {("feature_shard", name, shard) for name in ("handcrafted", "tiny")}
    return {(rule, shard) for rule in ("audit", "spectrogram_shard")} | sets


def test_new_content_of_a_clip_reruns_its_wav_and_its_shard(finished, plan):
    clip = "audio/Techno/artist-1/3.wav"
    track_id = track_of(finished, clip)
    write_clip(finished / clip, seed=99, frequency=500)
    assert plan(finished) == {("wav", track_id)} | of_shard(track_id) | of_corpus()


def test_new_clip_reruns_its_shard(finished, plan):
    from genreflow.corpus.readers import track_id_of

    write_clip(finished / "audio/Techno/artist-1/new.wav", seed=99, frequency=500)
    track_id = track_id_of("Techno/artist-1/new.wav")
    assert plan(finished) == {("wav", track_id)} | of_shard(track_id) | of_corpus()


def test_removed_clip_reruns_its_shard(finished, plan):
    clip = "audio/Techno/artist-1/3.wav"
    track_id = track_of(finished, clip)
    (finished / clip).unlink()
    assert plan(finished) == of_shard(track_id) | of_corpus()


def test_clip_that_came_and_went_changes_nothing(finished, plan):
    clip = finished / "audio/Techno/artist-1/new.wav"
    write_clip(clip, seed=99, frequency=500)
    assert plan(finished) != set()
    clip.unlink()
    assert plan(finished) == set()


def test_lost_intermediate_is_made_when_it_is_needed(finished, plan):
    track_id = track_of(finished, "audio/Waltz/artist-0/1.wav")
    wav = f"results/tiny/wav/{track_id}.wav"
    (finished / wav).unlink()
    # Nobody needs it: what was made from it is still right.
    assert plan(finished) == set()
    # Asked for by name, it alone is made.
    assert plan(finished, targets=[wav]) == {("wav", track_id)}
    # Needed by a job that runs, it is made first, with all else that reads it.
    planned = plan(finished, {"corpus": {"min_duration": 0.4}})
    assert {job for job in planned if job[0] == "wav"} == {("wav", track_id)}
    assert {job for job in planned if job[0] == "spectrogram_shard"} <= of_shard(track_id)


def test_lost_result_is_made_again(finished, plan):
    (finished / "results" / "tiny" / "tables" / "comparison.csv").unlink()
    assert plan(finished) == {
        ("tables",),
        ("accuracy_figure",),
        ("calibration_figure", "grouped"),
        ("report",),
    }


# Settings: a changed value of each key, and the rules that it makes stale. What depends on
# them is stale too. `None` stands for everything: the results are those of another corpus.

ONLINE = ["cnn", "online_gallery"]

SETTINGS = {
    "corpus.name": ("other", None),
    "corpus.kind": ("table", []),  # the table lists the same tracks
    "corpus.audio": ("moved", ["wav", "manifest", "feature_shard/handcrafted"]),
    "corpus.table": ("tracks.csv", []),
    "corpus.subset": ("large", []),
    "corpus.url": ("http://localhost/fma", []),
    "corpus.levels": (["genre"], ["manifest"]),
    "corpus.genre_map": ({"Waltz": "Valse"}, ["manifest", "spectrogram_shard"]),
    "corpus.several_genres": ("first", []),  # of tags
    "corpus.genre_level": ("leaf", []),  # of FMA
    "corpus.min_tracks": (2, []),  # all have more
    "corpus.genres": (3, []),
    "corpus.clips_per_genre": (6, []),
    "corpus.shards": (4, ["audit", "spectrogram_shard", "feature_shard"]),
    "corpus.min_duration": (0.4, ["audit"]),
    "corpus.silence_level": (-50, ["audit"]),
    "corpus.min_sounding": (0.02, ["audit"]),
    "corpus.max_excluded": (0.2, ["manifest"]),
    "splits": (["lowest-ids"], ["split"]),
    "split.validation": (0.3, ["split"]),
    "split.test": (0.3, ["split"]),
    "split.training": (2, ["split"]),
    "seed": (
        1,
        [
            *("split", "augmented_shard", "cnn_search", "classify"),
            *("genre_gallery", "copies_gallery", "online_gallery", "network"),
        ],
    ),
    "seeds": ([1], ["cnn", "ffnn"]),
    "audio.sample_rate": (9000, ["wav", "audit", "clip_length", "spectrogram_shard", "network"]),
    "audio.duration": (2.0, ["wav", "clip_length", "spectrogram_shard", "network"]),
    "spectrogram.n_fft": (1024, ["spectrogram_shard", "network"]),
    "spectrogram.hop_length": (128, ["spectrogram_shard", "network"]),
    "spectrogram.n_mels": (16, ["spectrogram_shard", "network"]),
    "spectrogram.f_min": (20, ["spectrogram_shard", "network"]),
    "spectrogram.f_max": (3000, ["spectrogram_shard", "network"]),
    "spectrogram.invert": (False, ["spectrogram_shard", "network"]),
    "augment.mode": ("online", ["cnn_search"]),
    "augment.copies": (1, ["augmented_shard"]),
    "augment.frequency_mask": (5, ["augmented_shard", *ONLINE]),
    "augment.time_mask": (0.05, ["augmented_shard", *ONLINE]),
    "augment.masks": (2, ["augmented_shard", *ONLINE]),
    "augment.fill": ("zero", ["augmented_shard", *ONLINE]),
    "augment.time_shift": (0.2, ONLINE),
    "augment.gain": (10, ONLINE),
    "augment.mixup": (0.2, ONLINE),
    "cnn.run": (["simple-full-time"], ["cnn"]),
    "cnn.variants.*.geometry": ("full-time", ["cnn"]),
    "cnn.variants.*.filters": ([4, 8], ["cnn"]),
    "cnn.variants.*.kernel_size": (5, ["cnn"]),
    "cnn.variants.*.network": ("other.keras", ["cnn"]),
    "cnn.variants.*.cut": ("first", ["cnn"]),
    "cnn.variants.*.trainable_from": ("pool", ["cnn"]),
    "cnn.variants.*.weights": ("random", ["cnn"]),
    "cnn.variants.*.preprocessing": ("none", ["cnn"]),
    "cnn.variants.*.width": (3, ["cnn"]),
    "cnn.variants.*.depth": (2, ["cnn"]),
    "cnn.variants.*.stages": (2, ["cnn"]),
    "cnn.variants.*.dropout": (0.1, ["cnn"]),
    "cnn.variants.*.momentum": (0.8, ["cnn"]),
    "cnn.variants.*.learning_rate": (0.01, ["cnn"]),
    "cnn.variants.*.weight_decay": (0.1, ["cnn"]),
    "cnn.variants.*.schedule": ("cosine", ["cnn"]),
    "cnn.variants.*.warmup": (0.5, ["cnn"]),
    "cnn.variants.*.label_smoothing": (0.1, ["cnn"]),
    "cnn.variants.*.augment": (True, ["cnn"]),
    "cnn.variants.*.strength": (0.5, ["cnn"]),
    "cnn.variants.*.mel_bands": (16, ["cnn"]),
    "cnn.variants.*.dynamic_range": (0.5, ["cnn"]),
    "cnn.variants.*.crop_frames": (20, ["cnn"]),
    "cnn.variants.*.crops": (2, ["cnn"]),
    "cnn.variants.*.search": ("study", ["cnn_search"]),
    "cnn.variants.*.batch_size": (8, ["cnn"]),
    "cnn.variants.*.epochs": (3, ["cnn"]),
    "cnn.variants.*.monitor": ("loss", ["cnn", "learning_curves"]),
    "cnn.variants.*.patience": (3, ["cnn"]),
    "cnn.pairs": ([["simple", "residual"]], ["learning_curves"]),
    "cnn.search.spaces.*.*": ([3, 4], ["cnn_search"]),
    "cnn.search.objective": ("val_loss", ["cnn_search", "search_figures"]),
    "cnn.search.max_epochs": (3, ["cnn_search"]),
    "cnn.search.factor": (3, ["cnn_search"]),
    "cnn.search.workers": (2, []),
    "cnn.class_weight": ("balanced", ["cnn_search", "cnn"]),
    "cnn.batch_size": (8, ["cnn_search", "cnn"]),
    "cnn.epochs": (3, ["cnn"]),  # the winner is trained for longer, but not searched again
    "cnn.monitor": ("loss", ["cnn", "learning_curves"]),
    "cnn.patience": (3, ["cnn"]),
    "cnn.precision": ("mixed_float16", ["cnn_search", "cnn"]),
    "cnn.threads": (2, []),
    "cnn.memory_mb": (0, []),  # where images are held changes nothing in the results
    "handcrafted.source": ("published", ["table_features", "ffnn", "classify"]),
    "handcrafted.table": ("features.csv", []),
    "handcrafted.features": (["rmse"], ["feature_shard/handcrafted"]),
    "handcrafted.rates": ("reference", ["feature_shard/handcrafted"]),
    "handcrafted.duration": (20.0, ["feature_shard/handcrafted"]),
    "feature_tables": ({"own": "features.csv"}, []),
    "ffnn.features": (["tiny/pool"], ["ffnn"]),
    "ffnn.units": ([[8]], ["ffnn"]),
    "ffnn.l2": (0.01, ["ffnn"]),
    "ffnn.learning_rate": (0.01, ["ffnn"]),
    "ffnn.batch_size": (8, ["ffnn"]),
    "ffnn.epochs": (3, ["ffnn"]),
    "ffnn.monitor": ("loss", ["ffnn", "learning_curves"]),
    "ffnn.patience": (2, ["ffnn"]),
    "transfer.backbones.*": (
        {"network": "tiny.keras", "cuts": ["first", "pool"], "preprocessing": "none"},
        ["network"],
    ),
    "transfer.weights": ("imagenet", []),  # a network in a file has its own
    "transfer.engine": ("auto", ["network"]),
    "transfer.dtype": ("float32", ["feature_shard/tiny"]),
    "transfer.threads": (3, []),
    "transfer.joined.*": (["tiny/pool", "tiny/first"], ["joined_features"]),
    "transfer.folder": ("elsewhere", []),
    "transfer.accept_noncommercial": (True, []),
    "transfer.run": (["svm-rbf"], ["classify"]),
    "classify.features.*": (["all", 0.9], ["pca"]),
    "classify.run": (["svm-rbf"], ["classify"]),
    "classify.grids.logistic-regression": ({"C": [0.5]}, ["classify"]),
    "classify.grids.svm-linear": ({"C": [0.5]}, ["classify"]),
    "classify.grids.svm-rbf": ({"C": [0.5]}, []),
    "classify.grids.lda": ({"shrinkage": [0.5]}, []),
    "classify.grids.mlp": ({"alpha": [0.5]}, []),
    "classify.grids.gradient-boosting": ({"learning_rate": [0.5]}, []),
    "classify.folds": (3, ["classify"]),
    "classify.within_folds": (True, ["classify"]),
    "classify.fit_on": (["training", "validation"], ["pca", "classify"]),
    "classify.class_weight": ("balanced", ["classify"]),
    "classify.threads": (3, []),
    "latency.clips": (2, ["latency", "tables"]),
    "latency.threads": (1, []),
    "predict.path": ("audio", []),
    "predict.learner": ("ffnn/4", ["tables"]),
    "predict.hop": (1.0, []),
    # Left out, for a stack would have too few tracks to validate.
    "ensembles.members.*.how": ("stack", ["tables", "confusion_matrices"]),
    "ensembles.members.*.of": (["ffnn/4", "cnn/residual"], ["ensemble"]),
}

ANY_NAME = {
    "cnn.variants": "simple",
    "cnn.search.spaces": "study",
    "cnn.search.spaces.study": "kernel_size",
    "classify.features": "handcrafted",
    "transfer.backbones": "tiny",
    "transfer.joined": "both",
    "ensembles.members": "both",
}
"""What stands for `*`."""

OWN_KEYS = {
    "residual": ("width", "depth", "stages", "strength"),
    "finetuned": ("network", "cut", "trainable_from", "weights", "preprocessing"),
}
"""Keys that these variants have, and `simple` hasn't."""

NOT_ITS_MEMBERS = (
    *("cnn.run", "ffnn.features", "ffnn.units"),
    *("classify.run", "transfer.run", "classify.features.*"),
)
"""Keys by which others are run than the ensemble's members, or beside them."""

ALSO = {
    "corpus.kind": {"corpus": {"table": "tracks.csv"}},
    "handcrafted.source": {"handcrafted": {"table": "features.csv"}},
}
"""Keys that have to be there with another."""

DEMO_SETTINGS = {
    "corpus.genres": (3, ["demo_metadata", "demo_clips"]),
    "corpus.clips_per_genre": (6, ["demo_metadata", "demo_clips"]),
    "seed": (1, ["demo_metadata", "demo_clips"]),
    "corpus.audio": ("moved", []),
    "corpus.max_excluded": (0.9, ["manifest"]),
}


def keys_of_values():
    """List the keys that hold values; `*` stands for any name."""
    for chapter in reference.chapters():
        for key in chapter.keys:
            yield f"{chapter.name}.{key.name}".strip(".").replace("NAME", "*")


BELOW = {
    "cnn.search.spaces": "cnn.search.spaces.*.*",
    "classify.features": "classify.features.*",
    "transfer.joined": "transfer.joined.*",
}
"""Keys below which values have names of the user's choice."""

SECTIONS = {"cnn.variants", "ensembles.members", "transfer.backbones"}
"""Keys that hold sections with keys of their own."""


def test_every_key_has_its_row():
    known = {BELOW.get(key, key) for key in keys_of_values()} - SECTIONS
    # Another architecture means other keys: a test of its own.
    own = {key for key in known if not key.startswith("transfer.backbones.*.")}
    assert own - {"cnn.variants.*.architecture"} == set(SETTINGS) - {"transfer.backbones.*"}


def changed(key, value):
    for variant, keys in OWN_KEYS.items():
        if key.removeprefix("cnn.variants.*.") in keys:
            key = key.replace("*", variant)
    for place, name in ANY_NAME.items():
        key = key.replace(f"{place}.*", f"{place}.{name}")
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


@pytest.fixture(scope="module")
def with_table(template, tmp_path_factory):
    """Return a finished working folder that also has its tracks in a table, and moved."""
    from genreflow.corpus.tracks import read_listing

    folder = tmp_path_factory.mktemp("settings") / "work"
    shutil.copytree(template, folder)
    shutil.copytree(folder / "audio", folder / "moved")
    listing = read_listing(folder / "results" / "tiny" / "corpus" / "listing.json")
    rows = [
        (Path(track.path).relative_to("audio"), track.genre, track.artist, track.title)
        for track in listing.tracks
    ]
    lines = [",".join(map(str, row)) for row in [("path", "genre", "artist", "title"), *rows]]
    (folder / "tracks.csv").write_text("\n".join(lines) + "\n")
    table = folder / "results" / "tiny" / "features" / "handcrafted.csv"
    shutil.copy(table, folder / "features.csv")
    return folder


@pytest.mark.parametrize("key", SETTINGS)
def test_setting_reruns_what_uses_it(with_table, plan, key):
    value, rules = SETTINGS[key]
    changes = merged(changed(key, value), ALSO.get(key, {}))
    if rules is None:
        expected = {rule for rule, _ in harness.made(with_table).values()}
    else:
        expected = harness.with_followers(with_table, *rules)
    left_out = {"ensemble"} if key in NOT_ITS_MEMBERS else set()
    assert rules_of(plan(with_table, changes)) == expected - left_out


@pytest.mark.slow
@pytest.mark.parametrize("key", DEMO_SETTINGS)
def test_setting_of_the_demo_corpus_reruns_what_uses_it(demo_template, plan, tmp_path, key):
    work = tmp_path / "work"
    shutil.copytree(demo_template, work)
    value, rules = DEMO_SETTINGS[key]
    planned = plan(work, changed(key, value), base=DEMO, targets=DEMO_TARGETS)
    assert rules_of(planned) == harness.with_followers(work, *rules)


def test_new_seed_trains_that_seed_alone(finished_module, plan):
    planned = plan(finished_module, {"seeds": [0, 1]})
    assert {job for job in planned if job[0].startswith("cnn")} == {
        ("cnn", "grouped", variant, "1") for variant in TINY["cnn"]["run"]
    }


def test_new_split_leaves_the_others_alone(finished_module, plan):
    planned = plan(finished_module, {"splits": ["grouped", "lowest-ids"]})
    assert {job for job in planned if job[0] in ("split", "cnn", "confusion_matrices")} == {
        ("split", "lowest-ids"),
        *(("cnn", "lowest-ids", variant, "0") for variant in TINY["cnn"]["run"]),
        ("confusion_matrices", "lowest-ids"),
    }


def test_settings_of_a_variant_that_is_not_run_change_nothing(finished_module, plan):
    changes = {"cnn": {"variants": {"simple-full-time": {"dropout": 0.5}}}}
    assert plan(finished_module, changes) == set()


def test_a_new_grid_reruns_that_classifier_and_the_tables(finished_module, plan):
    planned = plan(finished_module, {"classify": {"grids": {"svm-linear": {"C": [0.5]}}}})
    assert {job for job in planned if job[0] == "classify"} == {
        ("classify", "grouped", "tiny/pool", "pca-0.90", "svm-linear"),
        ("classify", "grouped", "joined/both", "all", "svm-linear"),
    }
    assert rules_of(planned) == harness.with_followers(finished_module, "classify")


def test_a_new_cut_reruns_the_pass_of_that_backbone_only(finished_module, plan):
    changes = {
        "transfer": {
            "backbones": {
                "tiny": {"cuts": ["first", "pool", "input_layer"]},
                "other": {"network": "tiny.keras", "cuts": ["pool"]},
            }
        },
        "classify": {"features": {"tiny/input_layer": ["all"]}},
    }
    planned = plan(finished_module, changes)
    assert {job[1] for job in planned if job[0] in ("network", "feature_shard")} == {"tiny"}
    assert ("feature_matrix", "handcrafted") not in planned
    assert not {"cnn", "ffnn"} & rules_of(planned)


def test_a_new_variant_trains_that_variant_alone(finished_module, plan):
    """An entry in the configuration is all that a new variant needs."""
    mine = {"architecture": "residual", "width": 4, "search": "mine"}
    changes = {
        "cnn": {
            "run": [*TINY["cnn"]["run"], "mine"],
            "variants": {"mine": mine},
            "search": {"spaces": {"mine": {"depth": [1, 2]}}},
        }
    }
    planned = plan(finished_module, changes)
    assert {job for job in planned if job[0].startswith("cnn")} == {
        ("cnn_search", "grouped", "mine"),
        ("cnn", "grouped", "mine", "0"),
    }


# Code: what an edit makes stale.

RULES = {"spectrograms.py": ("spectrograms", "augmented")}
"""Rules that aren't named after their script."""


def rules_that_use(workdir, scripts):
    """Return the rules of a finished run that run scripts, and all that follow them."""
    rules = {rule for script in scripts for rule in RULES.get(script, (script.split(".")[0],))}
    ran = {rule for rule, _ in harness.made(workdir).values()}
    return harness.with_followers(workdir, *(rule for rule in rules if rule.split("/")[0] in ran))


@pytest.mark.slow
def test_new_content_leaves_other_shards_untouched(finished):
    clip = "audio/Techno/artist-1/3.wav"
    track_id = track_of(finished, clip)
    shard = shard_of(track_id, TINY["corpus"]["shards"])
    write_clip(finished / clip, seed=99, frequency=500)
    results = finished / "results" / "tiny"
    watched = [
        *results.glob("wav/*"),
        *results.glob("spectrograms/*"),
        *results.glob("corpus/audit/*"),
    ]
    before = {path: path.stat().st_mtime_ns for path in watched}
    targets = ("results/tiny/spectrograms.h5", "results/tiny/corpus/tracks.csv")
    run = harness.snakemake(finished, *targets, "--configfile", "tiny.yaml")
    assert run.returncode == 0, run.stderr
    assert {path for path in watched if path.stat().st_mtime_ns != before[path]} == {
        results / "wav" / f"{track_id}.wav",
        results / "spectrograms" / f"{shard}.h5",
        results / "corpus" / "audit" / f"{shard}.csv",
    }


@pytest.fixture
def edit(tmp_path):
    """Return a function that edits files of a new checkout."""

    def edited(*paths, text="EDITED = True"):
        checkout = harness.copy_code(tmp_path / "checkout")
        for path in paths:
            with (checkout / path).open("a") as file:
                file.write(f"\n{text}\n")
        return checkout

    return edited


@pytest.mark.parametrize(
    "module",
    [
        "corpus.tracks",
        "evaluation.metrics",
        "features.handcrafted",
        "features.spectrograms",
        "report.figures",
    ],
)
def test_editing_a_module_reruns_its_dependants(finished_module, plan, edit, module):
    checkout = edit(f"scripts/genreflow/{module.replace('.', '/')}.py")
    expected = rules_that_use(finished_module, imports.users(f"genreflow.{module}"))
    assert set() != expected != {rule for rule, _ in harness.made(finished_module).values()}
    assert rules_of(plan(finished_module, root=checkout)) == expected


def test_comments_and_what_makes_a_job_change_nothing(finished_module, plan, edit):
    code = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("scripts/**/*.py")]
    checkout = edit(*code, text='"""A docstring."""\n\n# A comment.')
    for path in checkout.glob("scripts/genreflow/runtime/*.py"):
        path.write_text(path.read_text() + "EDITED = True\n")
    for path in [checkout / "Snakefile", checkout / "config.yaml", *checkout.glob("rules/*.smk")]:
        path.write_text(path.read_text() + "# A comment.\n")
    assert plan(finished_module, root=checkout) == set()


def test_editing_the_published_results_reruns_the_tables(finished_module, plan, edit):
    """Data that a module reads is code: the tables show it."""
    checkout = edit("scripts/genreflow/evaluation/published_results.csv")
    assert {"tables", "ffnn_table", "classify_table"} <= rules_of(
        plan(finished_module, root=checkout)
    )


@pytest.mark.parametrize("script", ["classify.py", "feature_shard.py", "spectrograms.py"])
def test_editing_a_script_reruns_its_rule(finished_module, plan, edit, script):
    expected = rules_that_use(finished_module, [script])
    assert rules_of(plan(finished_module, root=edit(f"scripts/{script}"))) == expected


@pytest.mark.parametrize("path", ROOT.glob("rules/*.smk"), ids=lambda path: path.stem)
def test_every_rule_depends_on_the_code_of_its_script(path):
    run = re.findall(r'script:\s+"../scripts/(\w+.py)"', path.read_text())
    assert re.findall(r'code\(\s*"(\w+.py)"', path.read_text()) == [
        script for script in run if script != "fetch.py"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("module", ["corpus.demo", "corpus.synthesis", "corpus.readers"])
def test_editing_a_module_of_the_demo_corpus(demo_template, plan, edit, tmp_path, module):
    work = tmp_path / "work"
    shutil.copytree(demo_template, work)
    checkout = edit(f"scripts/genreflow/{module.replace('.', '/')}.py")
    planned = plan(work, base=DEMO, root=checkout, targets=DEMO_TARGETS)
    assert rules_of(planned) == rules_that_use(work, imports.users(f"genreflow.{module}"))
