"""A small network in ONNX."""

import numpy as np
import onnx


def write_onnx(path, **settings):
    """Write a network of waveforms: `frames`, the energy in five bands over time."""
    make, floats = onnx.helper.make_node, onnx.TensorProto.FLOAT
    time = np.arange(64) * np.hanning(64)
    bands = np.sin(np.outer([0.05, 0.2, 0.5, 1, 2], time)).astype(np.float32)
    graph = onnx.helper.make_graph(
        [
            make("Conv", ["samples", "bands"], ["filtered"], strides=[32]),
            make("Abs", ["filtered"], ["energy"]),
            make("Transpose", ["energy"], ["frames"], perm=[0, 2, 1]),
        ],
        "ear",
        [onnx.helper.make_tensor_value_info("samples", floats, ["batch", 1, "n"])],
        [onnx.helper.make_tensor_value_info("frames", floats, ["batch", "frames", 5])],
        [onnx.numpy_helper.from_array(bands[:, np.newaxis], "bands")],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    onnx.save(model, path, **settings)
    return str(path)
