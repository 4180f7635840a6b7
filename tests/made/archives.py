"""ZIP files that are changed."""

import zipfile


def rewrite(path, change, compression=zipfile.ZIP_STORED):
    """Write a ZIP file anew with what a function makes of its members, by name and in order."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in change(members).items():
            archive.writestr(name, content)
