"""Checks an OCI image layout that image.py wrote, and runs the programs of its images.

usage: check.py LAYOUT SECOND_LAYOUT

Both layouts are of the same inputs, and must be equal.
"""

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPIN = tomllib.loads((ROOT / "spin.toml").read_text())
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
NAME = "org.opencontainers.image.ref.name"
PLACES = {
    "org.opencontainers.image." + place for place in ("title", "description", "version", "licenses", "revision", "created")
}
CYCLONEDX = "application/vnd.cyclonedx+json"
IN_TOTO = "application/vnd.in-toto+json"
USER = 65534


class Blobs:
    """Blobs of a layout, which must be what their descriptors say."""

    def __init__(self, folder):
        self.folder, self.seen = folder / "blobs/sha256", set()

    def read(self, descriptor):
        algorithm, _, name = descriptor["digest"].partition(":")
        data = (self.folder / name).read_bytes()
        assert algorithm == "sha256" and hashlib.sha256(data).hexdigest() == name, descriptor
        assert len(data) == descriptor["size"], descriptor
        self.seen.add(name)
        return data

    def json(self, descriptor):
        return json.loads(self.read(descriptor))


def image(blobs, manifest):
    """Checks the configuration of a container image. Returns its uncompressed layers and its configuration."""
    config = blobs.json(manifest["config"])
    layers = [gzip.decompress(blobs.read(layer)) for layer in manifest["layers"]]
    digests = ["sha256:" + hashlib.sha256(layer).hexdigest() for layer in layers]
    assert config["rootfs"] == {"type": "layers", "diff_ids": digests}
    assert len(config["history"]) == len(layers)
    assert config["os"] == "linux" and config["architecture"] in ("amd64", "arm64")
    user, group = map(int, config["config"]["User"].split(":"))
    assert user > 0 and group > 0
    assert config["config"]["Labels"] == manifest["annotations"]
    assert PLACES <= manifest["annotations"].keys()
    return layers, config["config"]


def application(blobs, manifest):
    """Checks the Spin application against spin.toml and the components."""
    *wasm, last = manifest["layers"]
    assert last["mediaType"] == "application/vnd.fermyon.spin.application.v1+config"
    assert {layer["mediaType"] for layer in wasm} == {"application/vnd.wasm.content.layer.v1+wasm"}
    config = blobs.json(manifest["config"])
    assert (config["architecture"], config["os"]) == ("wasm", "wasip1")
    assert config["config"]["Labels"] == {"com.fermyon.spin.lockedAppDigest": last["digest"]}
    locked = blobs.json(last)
    assert locked["spin_lock_version"] == 0
    assert locked["metadata"]["name"] == SPIN["application"]["name"]
    # The shim finds the trigger by it.
    assert locked["metadata"]["trigger"] == {"type": "http"}
    assert locked["variables"].keys() == SPIN["variables"].keys()
    for name, variable in SPIN["variables"].items():
        found = locked["variables"][name]
        assert ("default" in found) != variable.get("required", False), name
        assert found.get("default") == variable.get("default"), name
        assert found.get("secret", False) == variable.get("secret", False), name
    assert [trigger["trigger_config"] for trigger in locked["triggers"]] == SPIN["trigger"]["http"]
    assert len({trigger["id"] for trigger in locked["triggers"]}) == len(locked["triggers"])
    layers = {layer["digest"]: blobs.read(layer) for layer in wasm}
    assert [component["id"] for component in locked["components"]] == list(SPIN["component"])
    for component in locked["components"]:
        expected = SPIN["component"][component["id"]]
        assert layers[component["source"]["digest"]] == (ROOT / expected["source"]).read_bytes(), component["id"]
        assert component.get("config", {}) == expected.get("variables", {})
        assert component["metadata"].get("allowed_outbound_hosts", []) == expected.get("allowed_outbound_hosts", [])


def documents(blobs, manifests, digest):
    """Checks the bill of materials and the provenance of an image."""
    found = {}
    for manifest in manifests:
        if manifest.get("subject", {}).get("digest") == digest:
            (layer,) = manifest["layers"]
            found[manifest["artifactType"]] = blobs.json(layer)
    assert found.keys() == {CYCLONEDX, IN_TOTO}, found.keys()
    assert found[CYCLONEDX]["bomFormat"] == "CycloneDX" and found[CYCLONEDX]["components"]
    (subject,) = found[IN_TOTO]["subject"]
    assert "sha256:" + subject["digest"]["sha256"] == digest


def run(layers, command):
    """Output of a command in the root file system of layers, as the image's user."""
    with tempfile.TemporaryDirectory() as folder:
        for layer in layers:
            with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
                tar.extractall(folder, filter="fully_trusted")

        def enter():
            os.chroot(folder)
            os.chdir("/app")
            os.setgroups([])
            os.setgid(USER)
            os.setuid(USER)

        os.chmod(folder, 0o755)
        done = subprocess.run(command, preexec_fn=enter, env={"HOME": "/cache"}, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout


def main():
    folder, second = map(Path, sys.argv[1:])
    assert json.loads((folder / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    index = json.loads((folder / "index.json").read_text())
    assert (folder / "index.json").read_bytes() == (second / "index.json").read_bytes(), "not reproducible"
    blobs = Blobs(folder)
    manifests = [(descriptor, blobs.json(descriptor)) for descriptor in index["manifests"]]
    for descriptor, manifest in manifests:
        assert manifest["mediaType"] == descriptor["mediaType"]
        for part in [manifest["config"], *manifest["layers"]]:
            blobs.read(part)
    images = {
        descriptor["annotations"][NAME]: (descriptor, manifest)
        for descriptor, manifest in manifests
        if "annotations" in descriptor
    }
    assert images.keys() == {"rondo", "tools", "app"}
    for descriptor, _ in images.values():
        documents(blobs, [manifest for _, manifest in manifests], descriptor["digest"])
    application(blobs, images["app"][1])
    rondo, rondo_config = image(blobs, images["rondo"][1])
    tools, tools_config = image(blobs, images["tools"][1])
    assert tools[: len(rondo)] == rondo
    assert {path.name for path in blobs.folder.iterdir()} == blobs.seen, "a blob belongs to nothing"
    if os.geteuid() != 0:
        print("the programs of the images were not run: chroot needs root")
        return
    (program,) = rondo_config["Entrypoint"]
    assert run(rondo, [program, "--version"]).startswith(f"rondo {VERSION} ")
    assert run(rondo, ["/app/rondo-sync", "--version"]) == f"rondo-sync {VERSION}\n"
    (shell,) = tools_config["Entrypoint"]
    answer = run(tools, [shell, "-c", "PATH=/bin; id -u; rondo --version"])
    assert answer.startswith(f"{USER}\nrondo {VERSION} "), answer
    print(f"{len(manifests)} manifests and {len(blobs.seen)} blobs; the programs of the images run")


main()
