"""The settings of Keras's backend. No other module knows which backend there is."""

import keras


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
        ``float32``, ``mixed_bfloat16`` or ``mixed_float16``.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)
    keras.mixed_precision.set_global_policy(precision)
