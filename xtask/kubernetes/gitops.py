"""Validates the manifests that are no templates. Argo CD and Flux install the same, and the health check works.

usage: gitops.py KUBERNETES_VERSION
"""

import sys
from pathlib import Path

import yaml
from lupa.lua51 import LuaRuntime
from shape import LOADER, validity

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "k8s/gitops"
CHART = ROOT / "k8s/chart"
HEALTH = "resource.customizations.health.core.spinkube.dev_SpinApp"

AVAILABLE = {"type": "Available", "status": "True", "message": "ready"}
STUCK = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "stuck"}
# Replicas (none with autoscaling), ready replicas, conditions, and the expected health.
HEALTH_CASES = [
    (2, None, None, "Progressing"),
    (2, 2, [AVAILABLE], "Healthy"),
    (2, 1, [AVAILABLE], "Progressing"),
    (2, 2, [{**AVAILABLE, "status": "False"}], "Progressing"),
    (2, 0, [{**AVAILABLE, "status": "False"}, STUCK], "Degraded"),
    (2, 2, [AVAILABLE, STUCK], "Degraded"),
    (None, 3, [AVAILABLE], "Healthy"),
    (None, 0, [AVAILABLE], "Progressing"),
]


def documents(path):
    return [document for document in yaml.load_all(path.read_text(), LOADER) if document]


def only(path, kind):
    """The one manifest of a kind in a file."""
    (found,) = [document for document in documents(path) if document["kind"] == kind]
    return found


def environment(name, namespaces):
    """What an environment's manifests say, against each other."""
    namespace = f"rondo-{name}"
    if namespace not in namespaces:
        yield f"there is no namespace {namespace}"
    application = only(FOLDER / f"argocd/{name}.yaml", "Application")
    release = only(FOLDER / f"flux/{name}/release.yaml", "HelmRelease")
    kustomization = only(FOLDER / f"flux/{name}.yaml", "Kustomization")
    for manifest in (application, release, kustomization):
        if manifest["metadata"]["name"] != namespace:
            yield f"{manifest['kind']} {manifest['metadata']['name']} is not {namespace}"
    source, chart = application["spec"]["source"], release["spec"]["chart"]["spec"]
    if (ROOT / source["path"], ROOT / chart["chart"]) != (CHART, CHART):
        yield "another chart"
    if application["spec"]["destination"]["namespace"] != namespace or release["spec"]["targetNamespace"] != namespace:
        yield "another namespace"
    if source["helm"]["releaseName"] != release["spec"]["releaseName"]:
        yield "the names of the release differ"
    # Argo CD reads the chart's own values.yaml unasked.
    argocd = [CHART / "values.yaml", *(CHART / file for file in source["helm"]["valueFiles"])]
    flux = [ROOT / file for file in chart["valuesFiles"]]
    expected = [CHART / "values.yaml", CHART / f"values/{name}.yaml", FOLDER / f"digest/{name}.yaml"]
    for tool, files in (("Argo CD", argocd), ("Flux", flux)):
        if [file.resolve() for file in files] != expected:
            yield f"{tool} has other values files"
    if ROOT / kustomization["spec"]["path"] != FOLDER / f"flux/{name}":
        yield "the Kustomization applies another folder"
    if name == "prod" and "automated" in application["spec"]["syncPolicy"]:
        yield "Argo CD deploys to production without a person"
    (digests,) = documents(FOLDER / f"digest/{name}.yaml")
    if {image: list(value) for image, value in digests["image"].items()} != {
        image: ["digest"] for image in ("rondo", "tools", "app")
    }:
        yield "the digests are not those of rondo, tools and app"


def health():
    """Argo CD's health check of a SpinApp, run as Argo CD does."""
    script = only(FOLDER / "argocd/health.yaml", "ConfigMap")["data"][HEALTH]
    for replicas, ready, conditions, expected in HEALTH_CASES:
        lua = LuaRuntime()
        status = None if conditions is None else {"readyReplicas": ready, "conditions": conditions}
        lua.globals().obj = lua.table_from({"spec": {"replicas": replicas}, "status": status}, recursive=True)
        found = lua.execute(script)
        if found.status != expected:
            yield f"health of {ready} of {replicas} with {conditions} is {found.status}, not {expected}"


def main():
    faults = list(health())
    paths = sorted({*FOLDER.rglob("*.yaml")} - {*FOLDER.glob("digest/*.yaml")})
    paths += [ROOT / "k8s/namespace.yaml", ROOT / "k8s/kind/beside.yaml"]
    for path in paths:
        for manifest in documents(path):
            faults += [f"{path.relative_to(ROOT)}: {fault}" for fault in validity(manifest, sys.argv[1])]
    namespaces = {manifest["metadata"]["name"] for manifest in documents(ROOT / "k8s/namespace.yaml")}
    environments = sorted(path.stem for path in FOLDER.glob("digest/*.yaml"))
    if namespaces != {f"rondo-{name}" for name in environments}:
        faults.append(f"namespaces {sorted(namespaces)}, but environments {environments}")
    for name in environments:
        faults += [f"{name}: {fault}" for fault in environment(name, namespaces)]
    for fault in faults:
        print(fault)
    if faults:
        sys.exit(f"{len(faults)} faults")


main()
