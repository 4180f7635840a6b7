"""Measure the processor's peak: the rate of the best product of matrices.

Products are of 512 x 512 to 2048 x 2048, by NumPy or, one after another without leaving it, by
OpenVINO. Benchmarks of networks hold their best round against the best product in the same rounds.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import numpy as np
from genreflow.features import engines
from genreflow.features.engines import openvino

SIDES = (512, 1024, 2048)
CHAIN = 8

Product = tuple[str, int, Callable[[], object]]
"""The precision, the operations, and what computes them."""


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def products(threads: int, precisions: Sequence[str]) -> list[Product]:
    """Return matrix products in some precisions; NumPy's have as many threads as it was given."""
    rng = np.random.default_rng(0)
    found: list[Product] = []
    for side in SIDES:
        one, other = (rng.standard_normal((side, side), dtype=np.float32) for _ in range(2))
        found.append(("float32", 2 * side**3, partial(np.matmul, one, other)))
        found += [
            (name, 2 * side**3 * CHAIN, _chain(one, other / side**0.5, name, threads))
            for name in precisions
        ]
    return found


def _chain(
    one: np.ndarray, other: np.ndarray, precision: str, threads: int
) -> Callable[[], object]:
    """Multiply a matrix by another again and again in OpenVINO, as the layers of a network do.

    Only the sum leaves the engine. So converting to the precision costs next to nothing.
    """
    make = openvino.opset13
    left = make.parameter(one.shape, np.float32)
    result = left
    for _ in range(CHAIN):
        result = make.matmul(result, make.constant(other), False, True)
    total = make.reduce_sum(result, make.constant([0, 1]), False)
    hint = {"float32": "f32", "bfloat16": "bf16"}[precision]
    compiled = openvino.Core().compile_model(
        openvino.Model([total], [left], "products"),
        "CPU",
        {"INFERENCE_PRECISION_HINT": hint, "INFERENCE_NUM_THREADS": threads},
    )
    request = compiled.create_infer_request()
    return lambda: request.infer([one], share_inputs=True)


def raise_peak(peak: dict[str, float], matrices: Sequence[Product]) -> None:
    """Measure products three times, and keep the best rate of each precision [operations/s]."""
    for precision, count, multiply in matrices:
        rate = count / min(seconds(multiply) for _ in range(3))
        peak[precision] = max(peak.get(precision, 0), rate)


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--quick", action="store_true", help="1 round")
    args = parser.parse_args()
    peak: dict[str, float] = {}
    matrices = products(args.threads, engines.precisions())
    for _ in range(1 if args.quick else 5):
        raise_peak(peak, matrices)
    said = ", ".join(f"{name} {rate / 1e9:.0f} GFLOP/s" for name, rate in peak.items())
    print(f"{processor()}, {args.threads} threads, load {os.getloadavg()[0]:.1f}: {said}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
