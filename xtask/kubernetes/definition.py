"""Prints CustomResourceDefinitions for the kinds in custom.yaml whose API groups are not excluded.

usage: definition.py [EXCLUDED_GROUP...]
"""

import sys

import yaml
from shape import CUSTOM, schema


def structural(found):
    """A JSON Schema of shape.py as the API server takes it. The server refuses unknown fields by itself."""
    if not found:
        return {"x-kubernetes-preserve-unknown-fields": True}
    if isinstance(found["type"], list):
        return {"x-kubernetes-int-or-string": True}
    result = {key: value for key, value in found.items() if value is not False}
    if "items" in found:
        result["items"] = structural(found["items"])
    if isinstance(found.get("additionalProperties"), dict):
        result["additionalProperties"] = structural(found["additionalProperties"])
    if "properties" in found:
        result["properties"] = {key: structural(value) for key, value in found["properties"].items()}
    return result


def definition(kind, group, version, shape):
    singular = kind.lower()
    plural = f"{singular[:-1]}ies" if singular.endswith("y") else f"{singular}s"
    properties = {"spec": structural(schema(shape)), "status": structural({})}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": singular},
            "scope": "Namespaced",
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": properties}},
                }
            ],
        },
    }


def main():
    for name, shape in CUSTOM.items():
        kind, _, place = name.partition(" ")
        group, _, version = place.partition("/")
        if group not in sys.argv[1:]:
            print("---")
            print(yaml.safe_dump(definition(kind, group, version, shape)))


main()
