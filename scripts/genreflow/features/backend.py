"""The settings of Keras's backend. No other module knows which backend there is."""

from pathlib import Path

import keras

BFLOAT16 = {"amx_bf16", "avx512_bf16", "bf16"}
"""What Linux calls the instructions that multiply in bfloat16, on x86 and ARM."""


def configure(*, threads: int, seed: int, precision: str = "float32") -> None:
    """Set up Keras for a reproducible run on a number of threads.

    Call it before anything else uses Keras. On TensorFlow, operations are deterministic: with
    the same seed and the same number of threads, training ends with the same weights.

    Parameters
    ----------
    threads
        Processor threads to use.
    seed
        Seed of Python, NumPy and the backend.
    precision
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
    """Return the precision in which this processor trains fastest.

    Parameters
    ----------
    cpuinfo
        Where Linux tells what the processor can do.

    Returns
    -------
    str
        ``mixed_bfloat16`` if it multiplies in bfloat16; elsewhere that would be emulated, so
        ``float32``, also where there is no such file.
    """
    try:
        words = set(Path(cpuinfo).read_text().split())
    except OSError:
        return "float32"
    return "mixed_bfloat16" if words & BFLOAT16 else "float32"
