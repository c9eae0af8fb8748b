"""Prints the dashboards' queries as recording rules, so that promtool can check their syntax."""

import json
from pathlib import Path

import yaml

FOLDER = Path(__file__).resolve().parents[2] / "k8s/chart/files/dashboard"

queries = [
    target["expr"]
    for path in sorted(FOLDER.glob("*.json"))
    for panel in json.loads(path.read_text())["panels"]
    for target in panel["targets"]
]
rules = [{"record": f"panel:{place}", "expr": query} for place, query in enumerate(queries)]
print(yaml.safe_dump({"groups": [{"name": "panel", "rules": rules}]}))
