"""What people call learners and feature sets."""

import pytest
from genreflow.config import complete
from genreflow.features.feature_set import known_kinds
from genreflow.layout import Layout
from genreflow.learners import estimators, learner
from genreflow.plan.plan import feature_sets

CONFIG = {
    "corpus": {"kind": "folder", "name": "mine", "audio": "music"},
    "cnn": {
        "run": ["simple", "finetuned"],
        "variants": {
            "simple": {"geometry": "resized"},
            "finetuned": {
                "architecture": "finetuned",
                "network": "MobileNetV2",
                "cut": "out_relu",
                "trainable_from": "block_14_expand",
            },
        },
    },
    "ffnn": {"features": ["handcrafted", "vgg16/fc2"], "units": [[64, 32]]},
    "feature_tables": {"mine": "mine.csv"},
    "transfer": {
        "backbones": {
            "VGG16": ["fc2"],
            "musicnn": ["penultimate"],
            "ours": {"network": "MobileNetV2", "cuts": ["out_relu"]},
        },
        "joined": {"both": ["handcrafted", "vgg16/fc2"]},
        "run": ["svm-rbf"],
    },
    "classify": {
        "run": ["svm-linear"],
        "features": {
            "handcrafted": ["all", 0.9],
            "table/mine": ["all"],
            "vgg16/fc2": [0.995],
            "musicnn/penultimate": ["all"],
            "ours/out_relu": ["all"],
            "joined/both": ["all"],
        },
    },
    "ensembles": {
        "members": {
            "average": {"how": "average", "of": ["cnn/simple", "ffnn/64-32"]},
            "rich": {"how": "stack", "of": ["cnn/simple", "ffnn/64-32"]},
        }
    },
}
EXPECTED = {
    "cnn/simple": ("CNN simple", "CNNs on log-mel images"),
    "cnn/finetuned": ("CNN finetuned, from MobileNetV2", "CNNs on log-mel images"),
    "ffnn/64-32": ("Feed-forward network 64-32 on hand-crafted features", "Feed-forward networks"),
    "ffnn/vgg16/fc2/64-32": ("Feed-forward network 64-32 on VGG16 fc2", "Feed-forward networks"),
    "classify/handcrafted/all/svm-linear": (
        "Linear SVM on hand-crafted features",
        "Classifiers on hand-crafted features",
    ),
    "classify/handcrafted/pca-0.90/svm-linear": (
        "Linear SVM on hand-crafted features, PCA 90 %",
        "Classifiers on hand-crafted features",
    ),
    "classify/table/mine/all/svm-linear": ("Linear SVM on the table mine", "Classifiers on tables"),
    "classify/vgg16/fc2/pca-0.995/svm-rbf": (
        "RBF SVM on VGG16 fc2, PCA 99.5 %",
        "Classifiers on image networks",
    ),
    "classify/musicnn/penultimate/all/svm-rbf": (
        "RBF SVM on musicnn penultimate",
        "Classifiers on music networks",
    ),
    "classify/ours/out_relu/all/svm-rbf": (
        "RBF SVM on ours out_relu",
        "Classifiers on image networks",
    ),
    "classify/joined/both/all/svm-rbf": (
        "RBF SVM on hand-crafted features + VGG16 fc2",
        "Classifiers on joined features",
    ),
    "ensemble/average": ("Average of 2 learners", "Ensembles"),
    "ensemble/rich": ("Stack of 2 learners (rich)", "Ensembles"),
}


def test_learners_are_called_in_words():
    config = complete(CONFIG)
    asked = learner.asked_for(config, feature_sets(config, Layout("")))
    assert {name: (one.title, one.kind) for name, one in asked.items()} == EXPECTED
    assert asked["classify/joined/both/all/svm-rbf"].features == "hand-crafted features + VGG16 fc2"


@pytest.mark.parametrize("kind", known_kinds().values(), ids=known_kinds())
def test_each_kind_of_features_has_a_plural(kind):
    assert kind.plural


def test_no_two_classifiers_are_called_alike():
    titles = [module.TITLE for module in estimators.known().values()]
    assert len(titles) == len(set(titles))
