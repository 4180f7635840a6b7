"""Keras: the settings of its backend, which no other module knows, and loading models safely."""

import warnings
import zipfile
from pathlib import Path

from genreflow.runtime.logs import held_back

with held_back():  # TensorFlow says what it finds before it can be told not to
    import keras

from genreflow.errors import GenreflowError, in_a_line
from genreflow.runtime import archives

BFLOAT16 = {"amx_bf16", "avx512_bf16", "bf16"}
"""What Linux calls the instructions that multiply in bfloat16, on x86 and ARM."""


def configure(*, threads: int, seed: int, precision: str = "float32") -> None:
    """Set up Keras for a reproducible run on a number of threads.

    Call it before anything else uses Keras. On TensorFlow, operations are deterministic: with the
    same seed and the same number of threads, training ends with the same weights. The precision is
    ``float32``, ``mixed_bfloat16``, ``mixed_float16``, or ``auto``: `processor_precision`.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)
    if precision == "auto":
        precision = processor_precision()
    keras.mixed_precision.set_global_policy(precision)


def processor_precision(cpuinfo: str | Path = "/proc/cpuinfo") -> str:
    """Return the precision in which this processor trains fastest, by what Linux tells of it.

    It is ``mixed_bfloat16`` if it multiplies in bfloat16; elsewhere that would be emulated, so
    ``float32``, also where there is no such file.
    """
    try:
        words = set(Path(cpuinfo).read_text().split())
    except OSError:
        return "float32"
    return "mixed_bfloat16" if words & BFLOAT16 else "float32"


def load_model(path: str | Path) -> keras.Model:
    """Load a model from a ``.keras`` file, which can't run code.

    Raises
    ------
    GenreflowError
        If it isn't such a file, is damaged, unpacks to far more than its size, or has layers that
        aren't registered.
    """
    if not zipfile.is_zipfile(path):
        raise GenreflowError(
            f"{path} can't be loaded: there is no whole .keras file, as Keras 3 saves models"
        )
    try:
        archives.sizes(path)
        # Names in the file would reach the terminal as they are.
        with warnings.catch_warnings(action="ignore"):
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises all kinds for what it doesn't know or refuses
        raise GenreflowError(
            f"{path} can't be loaded: {in_a_line(error)}. Only models made of "
            "Keras's own layers and those of genreflow are taken, for others would run code of "
            "their own when loaded"
        ) from None
