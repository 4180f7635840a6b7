"""Checking a configuration against the schema."""

import difflib
import os
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from genreflow import networks, splits
from genreflow.errors import GenreflowError

PATHS = (("corpus", "audio"), ("corpus", "table"), ("predict", "path"), ("handcrafted", "table"))
"""Keys with paths in which ~ is the user's home."""


def complete(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a configuration with the defaults of the schema filled in.

    Parameters
    ----------
    config
        Nested mapping of keys to values, as read from YAML.
    schema
        JSON schema (draft 2020-12) of the configuration.

    Raises
    ------
    GenreflowError
        Names each key that is unknown (with the nearest known one) or has a wrong value.
    """
    config = _typed(dict(config), schema)
    if isinstance(config.get("predict"), str):
        config["predict"] = {"path": config["predict"]}
    problems = [
        problem
        for error in Draft202012Validator(schema).iter_errors(config)
        for problem in _describe(error)
    ]
    if not problems:
        filled = _fill(config, schema)
        variants = filled["cnn"]["variants"]
        filled["cnn"]["variants"] = {name: _with_network(v) for name, v in variants.items()}
        problems = [*_network_problems(filled["cnn"], schema), *_contradictions(filled)]
        for section, key in PATHS:
            # pathlib raises where a user is unknown, and makes "" the folder ".".
            filled[section][key] = os.path.expanduser(filled[section][key])  # noqa: PTH111
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in problems)
        raise GenreflowError(
            f"the configuration has {len(problems)} problem(s):\n{listed}\n"
            "Every key is explained in config.yaml and docs/configuration.md."
        )
    return filled


def _typed(value: Any, schema: Mapping[str, Any]) -> Any:
    """Read numbers and truth values that are text where the schema wants no text.

    Snakemake hands on what is nested in a ``--config`` option as text.
    """
    if isinstance(value, dict):
        return {key: _typed(sub, _sub_schema(schema, key)) for key, sub in value.items()}
    if isinstance(value, list):
        return [_typed(item, schema.get("items", {})) for item in value]
    if isinstance(value, str) and schema.get("type") in ("integer", "number", "boolean"):
        read = yaml.safe_load(value)
        return read if isinstance(read, int | float) else value
    return value


def _sub_schema(schema: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the schema of what stands below a key; empty if the schema doesn't know it."""
    sub = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
    return sub if isinstance(sub, Mapping) else {}


def _fill(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return a value with the defaults filled in, keys in the schema's order, others sorted.

    Snakemake compares params as text, so the same settings must always come in the same order.
    """
    if not isinstance(value, dict):
        return value
    known = schema.get("properties", {})
    defaults = {key: deepcopy(sub["default"]) for key, sub in known.items() if "default" in sub}
    filled = defaults | value
    order = [key for key in known if key in filled] + sorted(filled.keys() - known.keys())
    return {key: _fill(filled[key], _sub_schema(schema, key)) for key in order}


def backbones(transfer: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the settings of each backbone in full, by its name in paths.

    Parameters
    ----------
    transfer
        The section of that name.

    Returns
    -------
    dict
        For each: kind, network, cuts (from the name in paths to the layer or output), weights,
        preprocessing; for ONNX sha256, input, sample_rate, duration, pooling too.
    """
    found = {}
    for name, given in transfer["backbones"].items():
        own = {"cuts": given} if isinstance(given, list) else dict(given)
        if isinstance(own["cuts"], list):
            own["cuts"] = {cut: cut for cut in own["cuts"]}
        defaults = {"kind": "keras", "network": name, "weights": transfer["weights"]}
        found[name.lower()] = defaults | {"preprocessing": "none"} | own
    return found


def _feature_problems(config: Mapping[str, Any]) -> Iterator[str]:
    """Check that the feature matrices that are asked for can be made."""
    transfer = config["transfer"]
    known = ["handcrafted"]
    for name, settings in backbones(transfer).items():
        known += [f"{name}/{cut}" for cut in settings["cuts"]]
        if settings["kind"] == "onnx":
            needed = ["sha256", "input"]
            if settings.get("input") == "waveform":
                needed.append("sample_rate")
            for key in needed:
                if key not in settings:
                    yield f"transfer.backbones: {name} is in ONNX, so it needs the key {key}"
            if len(settings["cuts"]) != 1:
                yield f"transfer.backbones: {name} is in ONNX, so it has one cut"
    for name, parts in transfer["joined"].items():
        for part in parts:
            if part not in known:
                yield f"transfer.joined.{name}: no features {part!r}{_nearest(part, known)}"
    known += [f"joined/{name}" for name in transfer["joined"]]
    for name in config["classify"]["features"]:
        if name not in known:
            near = _nearest(name, known)
            yield f"classify.features: no feature matrix {name!r}{near}"


def _with_network(variant: Mapping[str, Any]) -> dict[str, Any]:
    """Add the settings of a variant's architecture that it leaves at their defaults."""
    settings = networks.settings_of(variant["architecture"])
    plain = {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()}
    own = {key: value for key, value in variant.items() if key not in plain}
    return own | {key: variant.get(key, default) for key, default in plain.items()}


def _network_problems(cnn: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    """Check the settings of networks against their architectures, and what is searched."""
    variants = schema["properties"]["cnn"]["properties"]["variants"]["additionalProperties"]
    of_networks = {key for name in networks.ARCHITECTURES for key in networks.settings_of(name)}
    common = variants["properties"].keys() - of_networks
    for name, variant in cnn["variants"].items():
        settings = networks.settings_of(variant["architecture"])
        for key in variant.keys() - common - settings.keys():
            has = ", ".join(settings)
            yield (
                f"cnn.variants.{name}.{key}: architecture {variant['architecture']} has no such "
                f"setting{_nearest(key, [*settings, *common]) or '; it has ' + has}"
            )
        space = variant["search"]
        if space and space not in cnn["search"]["spaces"]:
            near = _nearest(space, cnn["search"]["spaces"])
            yield f"cnn.variants.{name}.search: no {space!r} in cnn.search.spaces{near}"
        elif space:
            for key in cnn["search"]["spaces"][space]:
                if key not in variant:
                    yield (
                        f"cnn.search.spaces.{space}.{key}: cnn/{name} has no such setting"
                        f"{_nearest(key, variant)}"
                    )


def _describe(error: Any) -> Iterator[str]:
    place = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.instance, Mapping):
        known = error.schema.get("properties", {})
        for key in error.instance:
            if key not in known:
                yield _unknown(f"{place}.{key}".lstrip("."), str(key), place, known)
    elif error.validator == "type":
        kinds = error.validator_value
        kinds = kinds if isinstance(kinds, str) else " or ".join(kinds)
        yield f"{place}: expected {_NAMES.get(kinds, kinds)}, found {error.instance!r}"
    elif error.validator == "enum":
        near = _nearest(error.instance, error.validator_value)
        allowed = ", ".join(map(str, error.validator_value))
        yield f"{place}: expected one of {allowed}; found {error.instance!r}{near}"
    else:
        yield f"{place}: {error.message}"


_NAMES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list, such as [a, b]",
    "object": "keys and values below it",
}


def _nearest(word: Any, known: Any, prefix: str = "") -> str:
    near = difflib.get_close_matches(str(word), [str(k) for k in known], n=1, cutoff=0.5)
    return f"; did you mean {prefix}{near[0]}?" if near else ""


def _unknown(path: str, key: str, place: str, known: Mapping[str, Any]) -> str:
    prefix = f"{place}." if place else ""
    near = _nearest(key, known, prefix)
    return f"{path}: no such key{near or '; known here: ' + ', '.join(known)}"


def _contradictions(config: Mapping[str, Any]) -> Iterator[str]:
    """Check what no schema can say: keys that must fit each other."""
    try:
        splits.expand(config["splits"])
    except GenreflowError as error:
        yield f"splits: {error}"
    variants = config["cnn"]["variants"]
    for name in config["cnn"]["run"]:
        if name not in variants:
            near = _nearest(name, variants)
            yield f"cnn.run: no variant {name!r} in cnn.variants{near}"
    nyquist = config["audio"]["sample_rate"] / 2
    spectrogram = config["spectrogram"]
    if spectrogram["f_max"] > nyquist:
        yield (
            f"spectrogram.f_max: {spectrogram['f_max']} Hz lies above half of "
            f"audio.sample_rate, {nyquist:g} Hz"
        )
    if spectrogram["f_min"] >= spectrogram["f_max"]:
        yield "spectrogram.f_min: must be below spectrogram.f_max"
    if spectrogram["hop_length"] > spectrogram["n_fft"]:
        yield "spectrogram.hop_length: longer than spectrogram.n_fft would skip audio"
    corpus = config["corpus"]
    if corpus["kind"] in ("fma", "folder") and not corpus["audio"]:
        yield (
            f"corpus.audio: corpus.kind is {corpus['kind']}, so it must name the folder of "
            "the audio, e.g. --config \"corpus={'audio': 'my/music'}\""
        )
    handcrafted = config["handcrafted"]
    if handcrafted["source"] == "published" and not handcrafted["table"]:
        yield "handcrafted.table: handcrafted.source is published, so it must name the table"
    yield from _feature_problems(config)
    if corpus["kind"] == "table" and not corpus["table"]:
        yield "corpus.table: corpus.kind is table, so it must name the CSV"
