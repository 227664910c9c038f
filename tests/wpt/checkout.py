"""The checkouts of Web Platform Tests that WPT_DIR names, laid over each other."""

import json
import os
import pathlib
import subprocess
import sys


class Checkouts:
    """Several roots, the first of which wins: file by file for what tests use, whole folders for tests."""

    def __init__(self, roots):
        self.roots = roots

    @staticmethod
    def from_environment():
        """Those of WPT_DIR, separated by `:`; None where it is not set."""
        named = [pathlib.Path(root) for root in os.environ.get("WPT_DIR", "").split(":") if root]
        for root in named:
            if not root.is_dir():
                sys.exit(f"WPT_DIR: {root} is no folder")
            if not any((root / part).is_dir() for part in ("resources", "common", "fetch", "dom", "url")):
                sys.exit(f"WPT_DIR: {root} is no checkout of Web Platform Tests")
        checkouts = Checkouts([root.resolve() for root in named])
        if named and not checkouts.file("/resources/testharness.js"):
            sys.exit("WPT_DIR: no checkout in it has resources/testharness.js")
        return checkouts if named else None

    def file(self, path):
        """The file that the URL path `/a/b` stands for, or None."""
        for root in self.roots:
            file = root / path.lstrip("/")
            if file.is_file() and file.resolve().is_relative_to(root):
                return file
        return None

    def home(self, folder):
        """The root whose tests count for `folder`: the first that has any in it."""
        for root in self.roots:
            place = root / folder
            if place.is_file() or (place.is_dir() and any(place.rglob("*.js"))):
                return root
        return None

    def revision(self, folder):
        """The commit of WPT that `folder` is from, where the checkout knows it: by git, or by a versions.json."""
        root = self.home(folder)
        if root is None:
            return None
        try:
            versions = json.loads((root / "versions.json").read_text())
            known = [name for name in versions if f"{folder}/".startswith(f"{name}/") or name == "*"]
            return versions[max(known, key=len)]["commit"] if known else None
        except OSError:
            pass
        command = ["git", "-C", str(root), "rev-parse", "--show-prefix", "HEAD"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = answer.stdout.splitlines()
        # A checkout inside another repository has a prefix: that commit would say nothing.
        return lines[1] if answer.returncode == 0 and lines[0] == "" else None
