"""Filling in the template of a page, which may run its one script and load nothing."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

_HERE = Path(__file__).parent


def render(folder: Path, template: str, *, style: str, script: str, **content: Any) -> str:
    """Return a page.

    Parameters
    ----------
    folder
        Where its template, style and script lie.
    template
        One that extends ``base``. It gets `content`; all of it is escaped.
    style, script
        They follow on the base's own.
    **content
        Among it `data`, plain values that the script reads.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, _HERE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "sort_keys": True}
    code = _joined(_HERE / "base.js", folder / script)
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode("ascii")
    return environment.get_template(template).render(
        base=environment.get_template("base.html.j2"),
        # Markup: the package's own files, no words of others.
        style=Markup(_joined(_HERE / "base.css", folder / style)),  # noqa: S704
        script=Markup(code),  # noqa: S704
        script_hash=f"sha256-{digest}",
        **content,
    )


def _joined(*paths: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8").strip() for path in paths)
