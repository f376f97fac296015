"""The data folder and its manifest say the same."""

import hashlib
import re
from itertools import takewhile

ROW = re.compile(
    r"^\| `(?P<file>[^`|]+)` \| `(?P<command>[^|]+)` \| (?P<reference>[^|]+) \| `(?P<hash>[0-9a-f]{64})` \|$"
)


def test_manifest_lists_every_file_with_its_hash(root):
    folder = root / "data"
    lines = (folder / "README.md").read_text().splitlines()
    start = lines.index("| --- | --- | --- | --- |") + 1
    rows = [ROW.match(line) for line in takewhile(lambda line: line.startswith("|"), lines[start:])]
    assert all(rows), "a row is not: | `file` | `command` | reference | `sha256` |"
    listed = {row["file"]: row["hash"] for row in rows}
    present = {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "README.md" and "__pycache__" not in path.parts
    }
    assert present == listed
