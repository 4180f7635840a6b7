"""What can be read in drawings."""

import re
from xml.etree import ElementTree

import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath


def texts(path):
    """Return what can be read in an SVG."""
    root = ElementTree.parse(path).getroot()
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


def cut(path):
    """Return the texts of an SVG that reach over its edge, measured in DejaVu Sans."""
    root = ElementTree.parse(path).getroot()
    size = np.array(root.get("viewBox").split()[2:], dtype=float)
    found = []
    for node in root.iter("{http://www.w3.org/2000/svg}text"):
        style = dict(part.split(": ", 1) for part in node.get("style").split("; "))
        font = FontProperties(family="DejaVu Sans", weight=style.get("font-weight", "normal"))
        letters = float(style["font-size"].removesuffix("px"))
        width = TextPath((0, 0), node.text, size=letters, prop=font).get_extents().width
        start = width * {"start": 0, "middle": -0.5, "end": -1}[style.get("text-anchor", "start")]
        # rotate(angle x y), or translate(x y) for one of several lines
        *angle, x, y = map(float, re.findall(r"-?[\d.]+", node.get("transform")))
        angle = np.radians(sum(angle))
        turn = np.array([np.cos(angle), np.sin(angle)])
        ends = np.array([[x, y] + turn * start, [x, y] + turn * (start + width)])
        if (ends < 0).any() or (ends > size).any():
            found.append(node.text)
    return found
