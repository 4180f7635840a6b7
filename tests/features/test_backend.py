import json
import zipfile

import keras
import pytest
from genreflow.errors import GenreflowError
from genreflow.features import backend
from made.archives import rewrite
from made.networks import write_keras


@pytest.mark.parametrize(
    ("flags", "precision"),
    [
        ("flags : fpu avx512f avx512_bf16 amx_tile", "mixed_bfloat16"),
        ("Features : fp asimd bf16", "mixed_bfloat16"),
        ("flags : fpu avx2 avx512f", "float32"),
        ("", "float32"),
    ],
)
def test_bfloat16_where_the_processor_multiplies_in_it(tmp_path, flags, precision):
    (tmp_path / "cpuinfo").write_text(f"processor : 0\n{flags}\nbogomips : 4000\n")
    assert backend.processor_precision(tmp_path / "cpuinfo") == precision
    assert backend.processor_precision(tmp_path / "none") == "float32"


def test_auto_is_the_precision_of_the_processor():
    backend.configure(threads=1, seed=0, precision="auto")
    policy = keras.mixed_precision.global_policy().name
    backend.configure(threads=1, seed=0)
    assert policy == backend.processor_precision()
    assert keras.mixed_precision.global_policy().name == "float32"


@pytest.fixture
def rewritten(tmp_path):
    """Return what saves a small network with some of its members changed, packed."""

    def rewritten(**changes):
        path = write_keras(tmp_path / "m.keras", (8, 8))
        rewrite(path, lambda members: members | changes, zipfile.ZIP_DEFLATED)
        return path

    return rewritten


def test_a_network_that_was_packed_again_is_loaded(rewritten):
    assert backend.load_model(rewritten()).get_layer("conv").filters == 4


@pytest.mark.parametrize("member", ["model.weights.h5", "config.json", "assets/a", "b"])
def test_a_network_that_unpacks_to_far_more_than_its_size_is_refused(rewritten, member):
    path = rewritten(**{member: bytes(7 * 10**7)})
    with pytest.raises(GenreflowError, match=r"m\.keras can't be loaded: it unpacks to more than"):
        backend.load_model(path)


@pytest.mark.parametrize("opening", ["[", '{"config":'])
def test_a_deep_description_of_a_network_is_refused(rewritten, opening):
    with pytest.raises(GenreflowError, match=r"m\.keras can't be loaded") as caught:
        backend.load_model(rewritten(**{"config.json": opening * 10**5}))
    assert len(str(caught.value)) < 1000


def test_names_in_a_network_dont_reach_the_terminal_raw(tmp_path, rewritten, recwarn):
    """Keras warns of members that would leave the folder that it unpacks assets into."""
    path = rewritten(**{f"../{tmp_path.name}\x1b[2J": "outside"})
    recwarn.clear()
    backend.load_model(path)
    assert not recwarn.list
    layers = [keras.Input((3,)), keras.layers.Dense(3)]
    keras.Sequential(layers).save(tmp_path / "n.keras")
    with zipfile.ZipFile(tmp_path / "n.keras") as archive:
        config = json.loads(archive.read("config.json"))
    config["config"]["layers"][1]["class_name"] = "De\x1b[2Jnse"
    with pytest.raises(GenreflowError, match=r"De\\x1b") as caught:
        backend.load_model(rewritten(**{"config.json": json.dumps(config)}))
    assert str(caught.value).isprintable()
