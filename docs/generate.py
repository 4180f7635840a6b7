"""Write the pages that are made from the code: docs/configuration.md, the README's rule graph."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
GRAPH = re.compile(r"(<!-- rule graph -->\n).*?(<!-- end of rule graph -->)", re.DOTALL)


def configuration() -> str:
    """Return the page on the configuration: config.yaml's comments, the schema's types."""
    schema = yaml.safe_load((ROOT / "config/schema.yaml").read_text())
    rows = [
        f"| `{key}` | {_kind(_schema_of(schema, key))} | {_default(value)} | {comment} |"
        for key, value, comment in _keys()
    ]
    return "\n".join(
        [
            "# Configuration",
            "",
            "Every key, its type and range, its default and its meaning. This page is made from",
            "`config.yaml` and `config/schema.yaml` by `make docs`. Give other values in a file",
            "(`--configfile`) or on the command line, for example",
            "`--config \"corpus={'audio': 'my/music'}\" \"cnn={'epochs': 10}\"`.",
            "",
            "| key | type | default | meaning |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _keys() -> Iterator[tuple[str, Any, str]]:
    """Yield each key of config.yaml that has a comment, its value and the comment."""
    text = (ROOT / "config.yaml").read_text()
    values = yaml.safe_load(text)
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("#"):
            comment.append(stripped[1:].strip())
        elif found := re.match(r"( *)([a-z_]+):", line):
            path = [*path[: len(found[1]) // 2], found[2]]
            if comment:
                value = values
                for key in path:
                    value = value[key]
                yield ".".join(path), value, " ".join(comment)
            comment = []
        else:
            comment = []


def _schema_of(schema: dict, key: str) -> dict:
    for part in key.split("."):
        schema = schema["properties"][part]
    return schema


def _kind(schema: dict) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    limits = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {schema[word]:g}" for word, sign in limits.items() if word in schema]
    return " ".join([schema["type"], ", ".join(bounds)]).strip()


def _default(value: Any) -> str:
    return "" if isinstance(value, dict) else f"`{json.dumps(value)}`"


def rule_graph() -> str:
    """Return the rule graph of the default run, as Mermaid, without arrows that others imply."""
    command = [sys.executable, "-m", "snakemake", "--rulegraph", "mermaid-js"]
    graph = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    rules = dict(re.findall(r"(id\d+)\[(\w+)\]", graph))
    edges = {(rules[one], rules[other]) for one, other in re.findall(r"(id\d+) --> (id\d+)", graph)}
    # Numbered by name: the order in which Snakemake gives them changes from call to call.
    node = {name: f"n{number}[{name}]" for number, name in enumerate(sorted(rules.values()))}
    lines = [f"  {node[one]} --> {node[other]}" for one, other in sorted(needed(edges))]
    return "\n".join(["```mermaid", "flowchart TB", *lines, "```", ""])


def needed(edges: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the edges of a graph without cycles that no longer path stands for."""
    after: dict[str, set[str]] = {}
    for one, other in edges:
        after.setdefault(one, set()).add(other)

    def reached(rule: str) -> set[str]:
        return set().union(*({name} | reached(name) for name in after.get(rule, ())))

    beyond = {rule: set().union(*map(reached, followers)) for rule, followers in after.items()}
    return {(one, other) for one, other in edges if other not in beyond[one]}


def readme(text: str) -> str:
    """Return the README with the rule graph put in its place."""
    return GRAPH.sub(lambda found: f"{found[1]}{rule_graph()}{found[2]}", text)


if __name__ == "__main__":
    (ROOT / "docs/configuration.md").write_text(configuration())
    path = ROOT / "README.md"
    path.write_text(readme(path.read_text()))
