# Everything that the rules compute: lists of inputs, names, settings.

import gc
import json
import os
import shutil
import sys
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(workflow.basedir) / "scripts"))

import imageio_ffmpeg
from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from genreflow import config as configuration
from genreflow import plan
from genreflow.corpus import readers, splits, tracks
from genreflow.report import ending
from genreflow.audio import collect, formats
from genreflow.errors import GenreflowError
from genreflow.layout import PATTERNS, Layout
from genreflow.runtime import digest, files, locks, patches, watch

# Planning 100,000 jobs makes millions of objects that stay: looking for garbage is a waste.
gc.set_threshold(200_000, 100, 100)

# For the jobs that make WAVs. Not params: another place of the same programs makes nothing stale.
os.environ.update(
    FFMPEG=imageio_ffmpeg.get_ffmpeg_exe(),
    GENREFLOW_SCRIPTS=str(Path(workflow.basedir) / "scripts"),
)
os.environ[watch.RUN] = str(os.getpid())
patches.apply()


def checked(function, *args, **kwargs):
    """Call a function of the library; show its errors as Snakemake's own."""
    try:
        return function(*args, **kwargs)
    except GenreflowError as error:
        raise WorkflowError(str(error))


if workflow.is_main_process:
    checked(files.require_writable, ".snakemake")
    checked(files.require_room, ".")
ALONE = workflow.is_main_process and locks.drop_stale(".snakemake")

config.update(checked(configuration.complete, config))

layout = Layout.of_corpus(config["corpus"]["name"])


LACKING = "GENREFLOW_LACKING"


def lacking_downloads():
    """Return the files to be downloaded that aren't there; jobs get what the main process found.

    So the learners stay the same while a run goes on, whatever comes meanwhile.
    """
    if workflow.is_main_process or LACKING not in os.environ:
        wanted = [one["path"] for one in plan.downloads(config)]
        absent = [path for path in wanted if not os.path.exists(path)]
        os.environ[LACKING] = json.dumps(absent)
    return json.loads(os.environ[LACKING])


def read_listing():
    """List the tracks once, in the main process, and plan the run; jobs read what it found.

    So the tracks stay the same while a run goes on, whatever happens to the corpus meanwhile.
    """
    if workflow.is_main_process:
        listing = checked(
            readers.list_tracks,
            config["corpus"],
            results=layout.root,
            seed=config["seed"],
        )
        paths = (layout.listing, *(track.path for track in listing.tracks))
        if warning := files.future_warning(paths):
            logger.warning(warning)
        made = checked(plan.make, config, listing.tracks, lacking=lacking_downloads())
        # Not while another run goes on: a dry run beside it mustn't change what its jobs read.
        if not listing.problem and (ALONE or not os.path.exists(layout.listing)):
            checked(files.require_writable, layout.root)
            tracks.write_listing(listing, layout.listing)
        return listing, made
    listing = tracks.read_listing(layout.listing)
    return listing, plan.make(config, listing.tracks, lacking=lacking_downloads())


listing, PLAN = read_listing()
TRACKS = {track.track_id: track for track in listing.tracks}
SHARDS = defaultdict(list)
for track in listing.tracks:
    number = tracks.shard_of(track.track_id, config["corpus"]["shards"])
    SHARDS[str(number)].append(track)
SPLITS = PLAN.splits
FAMILIES = list(dict.fromkeys(map(splits.family, SPLITS)))
MAX_SAMPLES = round(config["audio"]["duration"] * config["audio"]["sample_rate"])


def say_plan():
    """Say beforehand what `auto` stands for, and which learners are left out."""
    if not workflow.is_main_process or "fetch" in sys.argv:
        return
    if PLAN.choice:
        logger.info(PLAN.choice)
    reasons = defaultdict(list)
    for learner, reason in PLAN.left_out.items():
        reasons[reason].append(learner)
    for reason, names in reasons.items():
        logger.warning(f"Left out: {ending.some(names)}: {reason}.")


def more_memory_by_attempt():
    """Let a job that is started again (--retries) have its memory twice, then three times.

    For all rules in one place, once they are known: what a profile or --set-resources gives a rule
    grows so too. Expressions stay as they are.
    """
    for one in workflow.rules:
        memory = one.resources.get("mem_mb")
        if memory is not None and isinstance(memory.raw, int):
            one.resources["mem_mb"] = memory_of_attempt(memory.raw)


def memory_of_attempt(megabytes):
    """Return a function of the attempt."""
    return lambda wildcards, attempt: megabytes * attempt


def code(script):
    """Hash a script and the library modules it uses: the param by which edits make stale."""
    return digest.code(Path(workflow.basedir) / "scripts" / script)


def require_corpus():
    """Stop with one clear line where the corpus isn't on disk yet."""
    if listing.problem:
        # Not an exception: Snakemake would wrap the line into a traceback.
        logger.error(listing.problem)
        sys.exit(1)


# corpus


def demo_clips():
    """List the files of the demo corpus, if that is what runs."""
    demo = config["corpus"]["kind"] == "demo"
    return [track.path for track in listing.tracks] if demo else []


def demo_settings():
    """Return what the demo corpus depends on."""
    keys = ("genres", "clips_per_genre")
    return {key: config["corpus"][key] for key in keys} | {"seed": config["seed"]}


def demo_metadata():
    """Return the metadata of the demo corpus, if that is what runs."""
    demo = config["corpus"]["kind"] == "demo"
    return [layout.demo_metadata] if demo else []


def demo_source(wildcards):
    """Return the folder in which the demo corpus is made."""
    return layout.source


def audits(wildcards):
    require_corpus()
    return [layout.audit(shard) for shard in SHARDS]


def audit_settings():
    """Return what decides whether a clip can be used."""
    keys = ("min_duration", "silence_level", "min_sounding")
    settings = {key: config["corpus"][key] for key in keys}
    return settings | {"sample_rate": config["audio"]["sample_rate"]}


# audio


def source_of(wildcards):
    """Return the audio file of a track."""
    require_corpus()
    if wildcards.track not in TRACKS:
        raise WorkflowError(
            f"no track {wildcards.track} in corpus {config['corpus']['name']}: its ids are in "
            f"{layout.listing}"
        )
    return TRACKS[wildcards.track].path


def wav_settings():
    """Return wav.sh's numbers (rate, longest clip, seconds to read) and what ffmpeg may open."""
    audio = config["audio"]
    numbers = (audio["sample_rate"], MAX_SAMPLES, audio["duration"] + 2)
    return " ".join(map(str, (*numbers, *formats.SAFE)))


def wavs():
    return [layout.wav(track_id) for track_id in TRACKS]


# spectrograms


def wavs_of_shard(wildcards):
    return [layout.wav(track.track_id) for track in SHARDS[wildcards.shard]]


def ids_of_shard(wildcards):
    return [track.track_id for track in SHARDS[wildcards.shard]]


def genres_of_shard(wildcards):
    return [track.genre for track in SHARDS[wildcards.shard]]


def spectrogram_shards(wildcards):
    require_corpus()
    return [layout.spectrogram_shard(shard) for shard in SHARDS]


# augment


def copies_settings():
    """Return what the masked copies depend on."""
    keys = ("copies", "frequency_mask", "time_mask", "masks", "fill")
    return {key: config["augment"][key] for key in keys} | {"seed": config["seed"]}


def online_settings():
    """Return what augmentation while training depends on."""
    keys = (
        "frequency_mask",
        "time_mask",
        "masks",
        "fill",
        "time_shift",
        "gain",
        "mixup",
    )
    return {key: config["augment"][key] for key in keys}


def augmented_shards(wildcards):
    require_corpus()
    return [layout.augmented_shard(wildcards.split, shard) for shard in SHARDS]


# cnn


def variant_of(wildcards):
    if wildcards.variant not in config["cnn"]["variants"]:
        known = ", ".join(config["cnn"]["variants"])
        raise WorkflowError(f"no variant {wildcards.variant} in cnn.variants: {known}")
    return config["cnn"]["variants"][wildcards.variant]


def augment_mode(variant):
    """Return how a variant's training images are augmented: none, copies or online."""
    named = {True: config["augment"]["mode"], False: "none"}
    return named.get(variant["augment"], variant["augment"])


def variant_settings(wildcards):
    """Return what the network of a variant and its training depend on."""
    variant = variant_of(wildcards)
    mode = augment_mode(variant)
    left_out = {"search", "augment", *TRAINING_SETTINGS}
    if mode != "online":
        left_out.add("strength")
    kept = {key: value for key, value in variant.items() if key not in left_out}
    online = online_settings() if mode == "online" else {}
    return kept | {"augment": mode, "online": online}


TRAINING_SETTINGS = ("batch_size", "epochs", "monitor", "patience")
"""What a variant may set otherwise than all others."""


def fit_settings(wildcards):
    """Return what the training of a variant depends on beside its own settings."""
    keys = (*TRAINING_SETTINGS, "class_weight", "precision")
    variant = variant_of(wildcards)
    return {key: variant.get(key, config["cnn"][key]) for key in keys}


def trial_settings(wildcards):
    """Return what all trials of a search share with the training of the winner."""
    fit = fit_settings(wildcards)
    return {key: fit[key] for key in ("batch_size", "class_weight", "precision")}


def space_of(wildcards):
    """Return the space that a variant is searched in."""
    return config["cnn"]["search"]["spaces"][variant_of(wildcards)["search"]]


def searched_settings(wildcards):
    """Return what a search starts from: values that are searched don't count."""
    settings, space = variant_settings(wildcards), space_of(wildcards)
    for key in space:
        listed = isinstance(settings[key], list)
        settings[key] = [None] * len(settings[key]) if listed else None
    return settings


def search_settings(wildcards):
    """Return what a search does."""
    keys = ("objective", "max_epochs", "factor")
    settings = {key: config["cnn"]["search"][key] for key in keys}
    return settings | {"space": space_of(wildcards), "seed": config["seed"]}


def winner_of_variant(wildcards):
    """Return the hyper-parameters that a search found, if the variant is searched."""
    if not variant_of(wildcards)["search"]:
        return []
    return layout.winner(wildcards.split, f"cnn/{wildcards.variant}")


def copies_of_variant(wildcards):
    """Return the masked copies that a variant is trained on, if it is."""
    copied = augment_mode(variant_of(wildcards)) == "copies"
    return layout.augmented(wildcards.split) if copied else []


def copied_shards_of_variant(wildcards):
    """Return what the masked copies lie in."""
    copied = augment_mode(variant_of(wildcards)) == "copies"
    return augmented_shards(wildcards) if copied else []


def weights_of_variant(wildcards):
    """Return the weights file that a variant starts from, if it does."""
    variant = variant_of(wildcards)
    return weights_of(variant) if variant["architecture"] == "finetuned" else []


def network_of_variant(wildcards):
    """Return the .keras file that a variant starts from, if it does."""
    network = variant_of(wildcards).get("network", "")
    return network if network.endswith(".keras") else []


def searches():
    """Return the split and the variant of each search of a run."""
    variants = config["cnn"]["variants"]
    searched = [name for name in PLAN.variants if variants[name]["search"]]
    return [(split, name) for split in SPLITS for name in searched]


# handcrafted


def sources_of_shard(wildcards):
    return [track.path for track in SHARDS[wildcards.shard]]


def handcrafted_settings():
    """Return what the features of a track depend on."""
    return {
        key: config["handcrafted"][key] for key in ("features", "rates", "duration")
    }


def handcrafted_shards(wildcards):
    require_corpus()
    return [layout.handcrafted_shard(shard) for shard in SHARDS]


# ffnn


def ffnn_settings():
    """Return what the training of every feed-forward network depends on."""
    return {key: value for key, value in config["ffnn"].items() if key != "units"}


# transfer

BACKBONES = config["transfer"]["backbones"]


def backbone_pattern(kind):
    """Return the pattern of the names of the backbones of a kind."""
    names = [name for name in BACKBONES if BACKBONES[name]["kind"] == kind]
    return "|".join(names) or "(?!)"


def keras_settings(wildcards):
    """Return what a backbone in Keras is built from."""
    backbone = BACKBONES[wildcards.backbone]
    settings = {key: backbone[key] for key in ("network", "weights", "preprocessing")}
    if settings["network"].endswith(".keras"):
        settings["weights"] = "its own"
    elif os.path.exists(settings["weights"]):
        settings["weights"] = os.path.basename(settings["weights"])
    return settings | {
        "cuts": list(backbone["cuts"].values()),
        "engine": config["transfer"]["engine"],
        "seed": config["seed"],
    }


def weights_file(wildcards):
    """Return the weights file of a backbone, where it has one."""
    return weights_of(BACKBONES[wildcards.backbone])


def weights_of(settings):
    """Return the file of the weights that settings of a network name, if there is one."""
    return plan.weights_file(settings, config["transfer"]["folder"]) or []


def network_file(wildcards):
    """Return the file of a backbone that is not one of keras.applications."""
    backbone = BACKBONES[wildcards.backbone]
    return plan.network_file(backbone, config["transfer"]["folder"]) or []


def onnx_settings(wildcards):
    """Return how a network in ONNX is used."""
    backbone = BACKBONES[wildcards.backbone]
    keys = ("cuts", "sha256", "input", "sample_rate", "duration", "pooling")
    return {key: backbone[key] for key in keys if key in backbone}


def backbone_shards(wildcards):
    require_corpus()
    return [layout.backbone_shard(wildcards.backbone, shard) for shard in SHARDS]


def joined_matrices(wildcards):
    names = config["transfer"]["joined"][wildcards.joined]
    return [layout.features(name) for name in names]


def has_random_weights(name):
    """Tell whether features are of a network that has learned nothing."""
    stage, _, rest = name.partition("/")
    if stage == "joined":
        return any(map(has_random_weights, config["transfer"]["joined"][rest]))
    backbone = BACKBONES.get(stage, {})
    in_keras = backbone.get("kind") == "keras"
    own = backbone.get("network", "").endswith(".keras")
    return in_keras and not own and backbone["weights"] == "random"


def marks():
    """Return what must stand by the names of learners: which ones rest on random weights."""
    variants = config["cnn"]["variants"]
    random = [
        name
        for name in config["classify"]["features"]
        if classified_on(name) and has_random_weights(name)
    ] + [
        f"cnn/{name}"
        for name in PLAN.variants
        if variants[name]["architecture"] == "finetuned"
        and variants[name]["weights"] == "random"
        and not variants[name]["network"].endswith(".keras")
    ]
    for name in ensembles():
        members = config["ensembles"]["members"][os.path.basename(name)]["of"]
        rests = [f"{part}/" for part in random if not part.startswith("cnn/")]
        if any(
            member in random
            or member.removeprefix("classify/").startswith(tuple(rests))
            for member in members
        ):
            random.append(name)
    return dict.fromkeys(random, "random weights")


# classify


def classify_settings(wildcards):
    """Return what the fit of a classifier depends on."""
    settings = {
        key: config["classify"][key] for key in ("folds", "within_folds", "fit_on")
    }
    weight = config["classify"]["class_weight"]
    return settings | {
        "grid": config["classify"]["grids"][wildcards.classifier],
        "class_weight": None if weight == "none" else weight,
        "seed": config["seed"],
    }


def pca_shares(wildcards):
    """Return the shares of variance for which components of features are asked."""
    shares = config["classify"]["features"].get(wildcards.features, [])
    return [share for share in shares if share != "all"] or [0.99]


def pca_of_classifier(wildcards):
    """Return the components that a classifier starts from, if they are found beforehand."""
    if wildcards.pca == "all" or config["classify"]["within_folds"]:
        return []
    return layout.pca(wildcards.split, wildcards.features)


def shares_of_decompositions():
    """Return the shares of variance that are kept, for each feature matrix with PCA."""
    if config["classify"]["within_folds"]:
        return {}
    found = {}
    for name, shares in config["classify"]["features"].items():
        made = {learner.rsplit("/", 1)[0] for learner in classified_on(name)}
        kept = [
            share
            for share in shares
            if share != "all" and f"classify/{name}/{plan.pca_name(share)}" in made
        ]
        if kept:
            found[name] = kept
    return found


def classified_on(features):
    """Return the learners on a feature matrix."""
    return [
        name for name in PLAN.classifiers if name.startswith(f"classify/{features}/")
    ]


def first_split_of(wildcards):
    return splits_of(wildcards.family)[0]


def decompositions_of_family(wildcards):
    """Return the components of each feature matrix on the first split of a family."""
    first = first_split_of(wildcards)
    return [layout.pca(first, name) for name in shares_of_decompositions()]


# evaluate: a learner is known by its path below the split


def networks():
    """Return the learners that are trained once for every seed."""
    return PLAN.networks


def classifiers():
    """Return the learners on feature matrices, which depend on the seed of the run only."""
    return PLAN.classifiers


def ensembles():
    """Return the learners that combine others."""
    return PLAN.ensembles


def members_of_ensemble(wildcards):
    members = config["ensembles"]["members"][wildcards.ensemble]["of"]
    return predictions_of(members, [wildcards.split])


def how_of_ensemble(wildcards):
    """Return how an ensemble combines its members."""
    return config["ensembles"]["members"][wildcards.ensemble]["how"]


def left_out():
    """Return the learners that are left out beforehand, with the reason."""
    return PLAN.left_out


def learners():
    return PLAN.learners


def trainings(some_learners, split_names=SPLITS):
    """Return all trainings of some learners, over splits and seeds."""
    trained = set(networks())
    return [
        layout.fitted(split, learner, seed)
        for learner in some_learners
        for split in split_names
        for seed in (config["seeds"] if learner in trained else [None])
    ]


def predictions_of(some_learners, split_names=SPLITS):
    """Return the predictions of some learners, over splits and seeds."""
    return [one.predictions for one in trainings(some_learners, split_names)]


def predictions(wildcards):
    require_corpus()
    if not learners():
        logger.error("no learner is left to be run; why is said above")
        sys.exit(1)
    return predictions_of(learners())


def ffnn_scores(wildcards):
    require_corpus()
    ffnns = [name for name in networks() if name.startswith("ffnn/")]
    return [one.scores for one in trainings(ffnns)]


def classify_results(wildcards):
    """Return what the table of classifiers is made from: best parameters and predictions."""
    require_corpus()
    best = [one.best for one in trainings(classifiers())]
    return best + predictions_of(classifiers())


# inference


def timed():
    """Return a training of each learner that is no ensemble: the first split's and seed's."""
    return [
        trainings([learner], SPLITS[:1])[0]
        for learner in networks() + classifiers()
        if timable(learner)
    ]


def timable(learner):
    """Tell whether new audio can be turned into what a learner takes."""
    computed = config["handcrafted"]["source"] == "audio"
    return all(
        (
            computed
            if name == "handcrafted"
            else BACKBONES[os.path.dirname(name)]["kind"] == "keras"
        )
        for name in matrices_of([learner])
        if not name.startswith("joined/")
    )


def predictions_to_time(wildcards):
    require_corpus()
    return [one.predictions for one in timed()]


def models_to_time(wildcards):
    kinds = {True: "keras", False: "skops"}
    return [one.model(kinds[one.learner in networks()]) for one in timed()]


def features_to_time(wildcards):
    return features_of_learners([one.learner for one in timed()])


def members_of_ensembles():
    """Return the members of each ensemble, by their names."""
    return {
        name: config["ensembles"]["members"][os.path.basename(name)]["of"]
        for name in ensembles()
    }


def inference_times():
    """Return the table of inference times, if any are measured."""
    measured = config["inference"]["clips"] and timed()
    return layout.table("inference") if measured else []


def splits_of(family):
    return [name for name in SPLITS if splits.family(name) == family]


def predictions_of_family(wildcards):
    names = splits_of(wildcards.family)
    return predictions_of(learners(), names)


def monitor_of(learner):
    """Return what early stopping watched in the training of a network."""
    stage, name = learner.split("/")
    own = config["cnn"]["variants"][name] if stage == "cnn" else {}
    return own.get("monitor", config[stage]["monitor"])


def pair_name(pair):
    """Return the name of the figure of a pair: cnn/simple+tuned."""
    return "cnn/" + "+".join(os.path.basename(learner) for learner in pair)


def learning_curve_pairs():
    """Return the learners whose learning curves are drawn together, the upper one first."""
    pairs = [[f"cnn/{name}" for name in pair] for pair in config["cnn"]["pairs"]]
    return [pair for pair in pairs if set(pair) <= set(networks())]


def histories_of_family(wildcards):
    names = splits_of(wildcards.family)
    return [one.history for one in trainings(networks(), names)]


def tables():
    """Return the tables of a run; one on FFNNs or classifiers only where there are some."""
    names = [
        "comparison",
        "ffnn" if config["ffnn"]["units"] else "",
        "classify" if classifiers() else "",
        "inference" if inference_times() else "",
    ]
    return [
        *[layout.table(name, end) for name in names if name for end in ("csv", "md")],
        layout.table("genres"),
        layout.table("significance"),
    ]


def figures():
    """Return the figures of a run: one of all learners, and those of each learner."""
    kinds = {learner: ["confusion_matrix"] for learner in learners()}
    for learner in networks():
        kinds[learner].append("learning_curves")
    named = [f"{learner}/{kind}" for learner in kinds for kind in kinds[learner]]
    named += [pair_name(pair) for pair in learning_curve_pairs()]
    named.append("calibration")
    if shares_of_decompositions():
        named.append("explained_variance")
    return [
        layout.figure("accuracy"),
        *galleries(),
        *[layout.figure(split, "cnn", name, "search") for split, name in searches()],
        *[layout.figure(family, name) for family in FAMILIES for name in named],
    ]


def galleries():
    """Return the galleries of images: of the genres, and of augmentation on the first split."""
    if not PLAN.variants:
        return []
    variants = [config["cnn"]["variants"][name] for name in PLAN.variants]
    modes = {augment_mode(variant) for variant in variants}
    drawn = {"copies": "masked_copies", "online": "online_augmentation"}
    return [layout.figure("genres")] + [
        layout.figure(SPLITS[0], drawn[mode]) for mode in drawn if mode in modes
    ]


def reported_files(wildcards):
    """Return what the report shows beside tables and figures."""
    require_corpus()
    return [
        layout.tracks,
        layout.excluded,
        *[layout.split(split) for split in SPLITS],
        *predictions_of(learners()),
        layout.spectrograms,
        *spectrogram_shards(wildcards),
    ]


def results_folder(wildcards):
    """Return the folder below which the place of predictions tells learner, split and seed."""
    return layout.root


# predict


def candidates():
    """Return the learners of which one is packed: all of them, or the one that is named."""
    named = config["predict"]["learner"]
    if named and named not in learners():
        why = left_out().get(named, f"there are {', '.join(learners())}")
        raise WorkflowError(f"predict.learner: {named} is not run; {why}")
    return [named] if named else learners()


def with_members(some_learners):
    """Return learners and the members of the ensembles among them."""
    found = list(some_learners)
    for name in some_learners:
        if name in ensembles():
            found += config["ensembles"]["members"][os.path.basename(name)]["of"]
    return list(dict.fromkeys(found))


def predictions_to_choose_from(wildcards):
    require_corpus()
    return predictions_of(candidates(), SPLITS[:1])


def members_to_pack(wildcards):
    """Return the predictions of all members of the ensembles that may be packed."""
    members = set(with_members(candidates())) - set(ensembles())
    return predictions_of(sorted(members), SPLITS[:1])


def models_to_choose_from(wildcards):
    """Return the models behind the predictions."""
    used = with_members(candidates())

    def chosen(names):
        return trainings([name for name in used if name in names], SPLITS[:1])

    return [
        *[one.model("keras") for one in chosen(networks())],
        *[one.model("skops") for one in chosen(classifiers())],
        *[one.combiner for one in chosen(ensembles())],
    ]


def features_to_choose_from(wildcards):
    """Return what the learners that may be packed take."""
    return features_of_learners(with_members(candidates()))


def features_of_learners(used):
    """Return the feature matrices that some learners take, and their networks."""
    names = matrices_of(used)
    backbones = sorted({os.path.dirname(name) for name in names} & BACKBONES.keys())
    in_keras = [name for name in backbones if BACKBONES[name]["kind"] == "keras"]
    return [layout.features(name) for name in sorted(names)] + [
        layout.network(name) for name in in_keras
    ]


def matrices_of(used):
    """Return the names of the feature matrices of some learners, joined ones and their parts."""
    names = {
        os.path.dirname(os.path.dirname(name))[9:]
        for name in used
        if name in classifiers()
    }
    if any(name.startswith("ffnn/") for name in used):
        names.add("handcrafted")
    for name in sorted(names):
        names.update(config["transfer"]["joined"].get(name.removeprefix("joined/"), []))
    return names


def learned_from_validation():
    """Return the learners that can't be chosen by validation."""
    learned = "validation" in config["classify"]["fit_on"]
    return classifiers() if learned else []


def crops_of_variants():
    """Return how each variant of the CNN sees a clip."""
    return {
        name: {key: variant[key] for key in ("crop_frames", "crops")}
        for name, variant in config["cnn"]["variants"].items()
        if name in PLAN.variants
    }


def audio_to_predict(wildcards):
    """Return the files that are to be predicted."""
    if not config["predict"]["path"]:
        raise WorkflowError(
            "what is to be predicted? Give a file, a folder or a list: --config predict=PATH"
        )
    asked = checked(collect.asked_for, [config["predict"]["path"]])
    found = [str(path) for path in asked.files if path.exists()]
    checked(readers.refuse_wildcards, found)
    return found


def limits():
    """Return what the report says first: what numbers are worth."""
    return list(filter(None, [notes(), PLAN.choice]))


def path_to_predict(wildcards):
    """Return what is to be predicted, in whose name braces are no wildcards."""
    return config["predict"]["path"]


def is_fma_small():
    """Tell whether the study's numbers were measured on this corpus."""
    return config["corpus"]["kind"] == "fma" and config["corpus"]["subset"] == "small"


def note():
    """Return what must stand by every number of this corpus."""
    if config["corpus"]["kind"] == "demo":
        return "Synthetic demo corpus: these numbers say nothing about real music."
    return ""


def notes():
    """Return what must stand by the numbers of all learners together."""
    random = (
        "Backbones with random weights have learned nothing: their numbers say nothing about "
        "trained ones."
    )
    of_backbones = random if marks() else ""
    return " ".join(filter(None, [note(), of_backbones]))


def show_results():
    """Say where the table is, what it says and what is not in it, once a whole run has ended."""
    text = Path(layout.table("summary", "txt"))
    if text.exists():
        said = checked(ending.left_out, layout)
        logger.info(
            f"\n{text.read_text()}\n{said}"
            f"The whole table: {layout.table('comparison', 'md')}\n"
            f"The report: {layout.report}"
        )


def say_how_to_go_on():
    """Say what failed and what to do after a run that was interrupted, or in which a job failed."""
    # A job may not be able to say it: HDF5 crashes when it can't write.
    folder = layout.root
    if os.path.exists(folder) and shutil.disk_usage(folder).free < files.ROOM:
        logger.error(f"No space left on device: the disk of {folder} is full")
    failed = getattr(workflow.scheduler, "failed", ())
    single = [job for one in failed for job in (one.jobs if one.is_group() else [one])]
    jobs = sorted((job.name, ", ".join(map(str, job.log))) for job in single)
    logger.info(f"\n{ending.failures(jobs, ending.command(sys.argv, os.environ))}")
