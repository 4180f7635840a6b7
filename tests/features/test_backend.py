import keras
import pytest
from genreflow.features import backend


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


def test_float32_where_the_processor_is_not_known(tmp_path):
    assert backend.processor_precision(tmp_path / "none") == "float32"


def test_auto_is_the_precision_of_the_processor():
    backend.configure(threads=1, seed=0, precision="auto")
    policy = keras.mixed_precision.global_policy().name
    backend.configure(threads=1, seed=0)
    assert policy == backend.processor_precision()
    assert keras.mixed_precision.global_policy().name == "float32"
