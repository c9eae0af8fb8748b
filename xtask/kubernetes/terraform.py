"""Validates the Terraform modules: their syntax, the fields they use, and their rules.

usage: terraform.py FOLDER
"""

import re
import sys
from pathlib import Path

import hcl2
import yaml

FIELDS = yaml.safe_load(Path(__file__).with_name("terraform.yaml").read_text())
# Arguments of the language itself.
META = {"count", "depends_on", "for_each", "lifecycle", "provider"}
SECRET = re.compile(r"token|password|secret|private_key")
# Attributes and variables with secret values, as an output refers to them.
SECRET_REFERENCE = re.compile(r"\$\{[^}]*(token|password|secret|private_key|kube_config|kube_admin_config)")
EXACT = re.compile(r"\d+\.\d+\.\d+")
STATE = re.compile(r"\.(tfstate|tfvars|tfplan)\b")


def labelled(body, kind):
    """Type, name and body of each block of a kind with two labels; name and body with one."""
    for block in body.get(kind, []):
        yield from unpacked(block)


def unpacked(block, labels=()):
    if "__is_block__" in block:
        yield (*labels, block)
        return
    for label, rest in block.items():
        if isinstance(rest, dict):
            yield from unpacked(rest, (*labels, label.strip('"')))


def is_blocks(value):
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "__is_block__" in value[0]


def fields(body, known, where):
    """Fields of a block that terraform.yaml does not list."""
    for name, value in body.items():
        if name.startswith("__") or name in META:
            continue
        nested = [(name, value)] if is_blocks(value) else []
        if name == "dynamic":
            nested = [(label, inner["content"]) for label, inner in labelled(body, name)]
        for label, blocks in nested or [(name, None)]:
            if label not in known:
                yield f"{where}.{label} is not in terraform.yaml"
            elif (blocks is not None) != isinstance(known[label], dict):
                yield f"{where}.{label} is {'a block' if blocks else 'an argument'}"
            else:
                for block in blocks or []:
                    yield from fields(block, known[label], f"{where}.{label}")


def variables(module):
    """A variable has a type, a description and, unless it is a boolean, a validation. Secrets are marked."""
    for name, body in labelled(module, "variable"):
        missing = {"type", "description"} - body.keys()
        if body.get("type") != "bool" and "validation" not in body:
            missing.add("validation")
        yield from (f"variable {name} has no {part}" for part in sorted(missing))
        if SECRET.search(name) and body.get("sensitive") is not True:
            yield f"variable {name} is not sensitive"


def outputs(module):
    """Each module says what to run next, and reveals no secret."""
    found = dict(labelled(module, "output"))
    if "next" not in found:
        yield "there is no output `next`"
    for name, body in found.items():
        if "description" not in body:
            yield f"output {name} has no description"
        if SECRET_REFERENCE.search(str(body.get("value"))) and body.get("sensitive") is not True:
            yield f"output {name} is not sensitive"


def versions(module):
    """The language has a minimum version and each provider an exact one."""
    blocks = [block for block in module.get("terraform", []) if "required_version" in block]
    if len(blocks) != 1:
        yield "there is not one required_version"
    for block in blocks:
        for providers in block.get("required_providers", []):
            for name, provider in providers.items():
                if isinstance(provider, dict) and not EXACT.fullmatch(provider["version"].strip('"')):
                    yield f"provider {name} has no exact version"


def merged(files):
    """All blocks of a module's files."""
    module = {}
    for file in files:
        for kind, blocks in hcl2.loads(file.read_text()).items():
            if not kind.startswith("__"):
                module.setdefault(kind, []).extend(blocks)
    return module


def main():
    folder, faults, count = Path(sys.argv[1]), [], 0
    for path in sorted(folder.iterdir()):
        module = merged(sorted(path.glob("*.tf")))
        found = [*variables(module), *outputs(module), *versions(module)]
        for kind in ("resource", "data"):
            for type_name, name, body in labelled(module, kind):
                count += 1
                known = FIELDS.get(f"{kind} {type_name}")
                if known is None:
                    found.append(f"{kind} {type_name} is not in terraform.yaml")
                else:
                    found += fields(body, known, f"{type_name}.{name}")
        faults += [f"{path}: {fault}" for fault in found]
    # State and variables may contain secrets. A lock file pins providers and is welcome.
    faults += [f"{path}: must not be here" for path in folder.rglob("*") if STATE.search(path.name)]
    for fault in faults:
        print(fault)
    if faults or not count:
        sys.exit(f"{len(faults)} faults in {count} resources and data sources")


main()
