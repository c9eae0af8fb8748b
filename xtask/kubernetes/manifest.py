"""Validates what `helm template` renders, for a version of Kubernetes and against the chart's rules.

usage: manifest.py KUBERNETES_VERSION FILE...
"""

import re
import sys
import tomllib
from pathlib import Path

import yaml
from shape import LOADER, validity

ROOT = Path(__file__).resolve().parents[2]
VARIABLES = tomllib.loads((ROOT / "spin.toml").read_text())["variables"]
DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
# Names of environment variables with secret values.
SECRET = re.compile(r"(SECRET|TOKEN|PASSWORD|_DATABASE_URL|SIGNING_KEY|SMTP_URL|DATABASE_URL)(_PREVIOUS)?$")
# Required securityContext of a container.
RESTRICTED = {"allowPrivilegeEscalation": False, "runAsNonRoot": True}


def pod_of(manifest):
    """Pod spec of a workload, if it is one."""
    spec = manifest.get("spec", {})
    if manifest["kind"] == "Pod":
        return spec
    return spec.get("template", {}).get("spec") if manifest["kind"] in ("Deployment", "Job") else None


def variables(manifest):
    """Components get each variable of spin.toml once, and secret ones by reference."""
    if manifest["kind"] == "SpinApp":
        found, prefix = manifest["spec"]["variables"], ""
    elif manifest["kind"] == "Deployment" and manifest["metadata"]["labels"]["app.kubernetes.io/component"] == "components":
        prefix = "SPIN_VARIABLE_"
        environment = manifest["spec"]["template"]["spec"]["containers"][0]["env"]
        found = [entry for entry in environment if entry["name"].startswith(prefix)]
    else:
        return
    names = [entry["name"].removeprefix(prefix) for entry in found]
    expected = [name.upper() if prefix else name for name in VARIABLES]
    if sorted(names) != sorted(expected):
        missing, other = sorted(set(expected) - set(names)), sorted(set(names) - set(expected))
        yield f"variables of spin.toml: missing {missing}, unknown {other}, {len(names)} in all"
    for entry, name in zip(found, names, strict=True):
        variable = VARIABLES.get(name.lower(), {})
        reference = entry.get("valueFrom", {}).get("secretKeyRef")
        if variable.get("secret") and (reference is None or "value" in entry):
            yield f"{name} is a secret but no reference"
        if variable.get("required") and reference and reference.get("optional"):
            yield f"{name} is required but optional here"


def design(manifest):
    """Images by digest, secrets by reference, restricted pods with resources, probes and a preStop pause."""
    if manifest["kind"] == "Secret":
        yield "the chart must not contain Secrets"
    if manifest["kind"] == "SpinApp" and not DIGEST.search(manifest["spec"]["image"]):
        yield "image without digest"
    if manifest["kind"] == "ServiceAccount" and manifest.get("automountServiceAccountToken") is not False:
        yield "automountServiceAccountToken"
    pod = pod_of(manifest)
    if pod is None:
        return
    if pod.get("automountServiceAccountToken") is not False:
        yield "the pod has a token"
    if pod.get("serviceAccountName") in (None, "default"):
        yield "the pod has no own ServiceAccount"
    if pod.get("securityContext", {}).get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "no seccomp profile"
    for container in pod["containers"]:
        name = container["name"]
        if not DIGEST.search(container["image"]):
            yield f"{name}: image without digest"
        for entry in container.get("env", []):
            if SECRET.search(entry["name"]) and "valueFrom" not in entry:
                if not entry["name"].endswith("_FILE"):
                    yield f"{name}: {entry['name']} is a secret but no reference"
        context = container.get("securityContext", {})
        for key, value in RESTRICTED.items():
            if context.get(key) is not value:
                yield f"{name}: {key}"
        if context.get("capabilities", {}).get("drop") != ["ALL"]:
            yield f"{name}: capabilities"
        # The shim writes to the root of its file system.
        if "runtimeClassName" not in pod and context.get("readOnlyRootFilesystem") is not True:
            yield f"{name}: the root file system is writable"
        resources = container.get("resources", {})
        if not {"cpu", "memory"} <= resources.get("requests", {}).keys():
            yield f"{name}: requests"
        if "memory" not in resources.get("limits", {}):
            yield f"{name}: limits"
        if manifest["kind"] != "Deployment":
            continue
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if probe not in container:
                yield f"{name}: no {probe}"
        if "sleep" not in container.get("lifecycle", {}).get("preStop", {}):
            yield f"{name}: no preStop pause"


def whole(manifests):
    """Rules about all manifests of a file."""
    names = [(m["kind"], m["metadata"]["name"]) for m in manifests]
    for name in {name for name in names if names.count(name) > 1}:
        yield f"{name[0]}/{name[1]} is duplicated"
    kinds = {kind for kind, _ in names}
    for kind in ("NetworkPolicy", "PodDisruptionBudget", "ServiceAccount", "Job", "Pod"):
        if kind not in kinds:
            yield f"there is no {kind}"
    accounts = {m["metadata"]["name"] for m in manifests if m["kind"] == "ServiceAccount"}
    for manifest in manifests:
        pod = pod_of(manifest)
        account = pod.get("serviceAccountName") if pod else manifest.get("spec", {}).get("serviceAccountName")
        if account and account not in accounts:
            yield f"{manifest['kind']}/{manifest['metadata']['name']}: no ServiceAccount {account}"


def main():
    version, faults, count = sys.argv[1], [], 0
    for file in sys.argv[2:]:
        manifests = [m for m in yaml.load_all(Path(file).read_text(), LOADER) if m]
        count += len(manifests)
        for manifest in manifests:
            name = f"{file}: {manifest['kind']}/{manifest['metadata']['name']}"
            found = [*validity(manifest, version), *variables(manifest), *design(manifest)]
            faults += [f"{name}: {fault}" for fault in found]
        faults += [f"{file}: {fault}" for fault in whole(manifests)]
    for fault in faults:
        print(fault)
    if faults or not count:
        sys.exit(f"{len(faults)} faults in {count} manifests")


main()
