"""Write the pages that are made from the code: docs/configuration.md, the rule graph."""

import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from genreflow.config import reference

ROOT = Path(__file__).parents[1]
GRAPH = re.compile(r"(<!-- rule graph -->\n).*?(<!-- end of rule graph -->)", re.DOTALL)


def configuration() -> str:
    """Return the page on the configuration."""
    lines = [
        "# Configuration",
        "",
        "Every key, what it may be, its default and its meaning. This page is made from",
        "`scripts/genreflow/config` by `make docs`. Give other values in a file (`--configfile`)",
        "or on the command line, for example",
        "`--config \"corpus={'audio': 'my/music'}\" \"cnn={'epochs': 10}\"`.",
        "`NAME` stands for names of your choice.",
    ]
    for chapter in reference.chapters():
        if chapter.name:
            level = "##" if "." not in chapter.name else "###"
            lines += ["", f"{level} {chapter.name}{chapter.where}", "", chapter.meaning]
        if chapter.keys:
            lines += ["", "| key | value | default | meaning |", "|---|---|---|---|"]
        for key in chapter.keys:
            default = f"`{key.default}`" if key.default else ""
            lines.append(f"| `{key.name}` | {key.kind} | {default} | {key.meaning} |")
    return "\n".join([*lines, ""])


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


def with_rule_graph(text: str) -> str:
    """Return docs/architecture.md with the rule graph put in its place."""
    return GRAPH.sub(lambda found: f"{found[1]}{rule_graph()}{found[2]}", text)


if __name__ == "__main__":
    (ROOT / "docs/configuration.md").write_text(configuration())
    path = ROOT / "docs/architecture.md"
    path.write_text(with_rule_graph(path.read_text()))
