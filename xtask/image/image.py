"""Assembles the images, without a container engine.

usage: image.py layout BINARIES OUTPUT   writes an OCI image layout with the images `rondo`, `tools` and `app`
       image.py tree BINARIES OUTPUT     writes their files to OUTPUT/rondo and OUTPUT/tools, for the Containerfile
       image.py pause BINARIES OUTPUT    writes an OCI image layout with an image that only sleeps

BINARIES is a folder with rondo, rondo-sync and rondo.cdx.json. With the same inputs, all bytes are the same:
SOURCE_DATE_EPOCH, by default the time of the commit, is the time of everything.
"""

import gzip
import hashlib
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SPIN = tomllib.loads((ROOT / "spin.toml").read_text())
WORKSPACE = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]
PROGRAMS = ["rondo", "rondo-sync"]
BILL = "rondo.cdx.json"
# Kubernetes checks runAsNonRoot by the number.
USER = 65534
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
ENVIRONMENT = ["HOME=/cache", "RONDO_SPIN_TOML=/app/spin.toml"]

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTY = "application/vnd.oci.empty.v1+json"
CYCLONEDX = "application/vnd.cyclonedx+json"
IN_TOTO = "application/vnd.in-toto+json"
# Spin's, as `spin registry push` of 4.0 uses them (crates/oci/src/client.rs).
SPIN_APPLICATION = "application/vnd.fermyon.spin.application.v1+config"
SPIN_WASM = "application/vnd.wasm.content.layer.v1+wasm"
# Spin puts content of this size into the locked application (DEFAULT_CONTENT_REF_INLINE_MAX_SIZE).
SPIN_INLINE_MAX = 128


class Entry(NamedTuple):
    """A file, folder (no content) or symbolic link of an image."""

    content: bytes | None = None
    mode: int = 0o755
    user: int = 0
    link: str = ""


def output(*command):
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def file(path, mode=0o644):
    return Entry(Path(path).read_bytes(), mode)


def stripped(path):
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "program"
        subprocess.run(["strip", "-o", copy, path], check=True)
        return Entry(copy.read_bytes())


def libraries(programs):
    """The shared libraries of programs and the loader, at the paths where the loader looks."""
    found = set()
    for program in programs:
        listing = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
        found.update(re.findall(r"(/\S*\.so\S*) \(0x", listing))
    return sorted(found)


def notices(paths):
    """Licences of the Debian packages that files are from, and what scanners for vulnerabilities read."""
    if shutil.which("dpkg-query") is None:
        return {}
    packages = set()
    for path in paths:
        for name in (path, "/usr" + path):
            owner = subprocess.run(["dpkg-query", "--search", name], capture_output=True, text=True).stdout
            packages.update(re.findall(r"^([^:,\s]+)", owner, re.MULTILINE))
    entries = {}
    for package in packages:
        entries[f"var/lib/dpkg/status.d/{package}"] = Entry(output("dpkg-query", "--status", package).encode(), 0o644)
        copyright_file = Path(f"/usr/share/doc/{package}/copyright")
        if copyright_file.is_file():
            entries[f"usr/share/doc/{package}/copyright"] = file(copyright_file)
    return entries


def base(programs):
    """What the programs need of an operating system."""
    shared = libraries(programs)
    return {
        **{path.lstrip("/"): file(path, 0o755) for path in shared},
        # The bundle of certificates is from no package; the program that writes it is.
        **notices([*shared, "/usr/sbin/update-ca-certificates"]),
        "etc/ssl/certs/ca-certificates.crt": file("/etc/ssl/certs/ca-certificates.crt"),
        "etc/passwd": Entry(f"nobody:x:{USER}:{USER}:nobody:/nonexistent:/sbin/nologin\n".encode(), 0o644),
        "etc/group": Entry(f"nogroup:x:{USER}:\n".encode(), 0o644),
        "etc/nsswitch.conf": Entry(b"hosts: files dns\n", 0o644),
        "cache": Entry(user=USER),
        "data": Entry(user=USER),
        "tmp": Entry(mode=0o1777),
    }


def application(binaries):
    """The programs, spin.toml and the components."""
    sources = [component["source"] for component in SPIN["component"].values()]
    return {
        **{f"app/{name}": stripped(binaries / name) for name in PROGRAMS},
        **{f"app/{source}": file(ROOT / source) for source in sources},
        f"app/{BILL}": file(binaries / BILL),
        "app/spin.toml": file(ROOT / "spin.toml"),
    }


def tools():
    """BusyBox's shell and commands, for Jobs."""
    busybox = shutil.which("busybox")
    if busybox is None:
        sys.exit("busybox is needed for the image `tools` (Debian: `apt-get install busybox`)")
    names = set(output(busybox, "--list").split()) - {"busybox"}
    shared = libraries([busybox])
    return {
        **{path.lstrip("/"): file(path, 0o755) for path in shared},
        **notices([*shared, busybox]),
        **{f"bin/{name}": Entry(link="busybox") for name in names},
        "bin/busybox": file(busybox, 0o755),
        "bin/rondo": Entry(link="/app/rondo"),
    }


def tree(entries, folder):
    """Writes entries to a folder. Root is needed for their owners."""
    for name, entry in sorted(entries.items()):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if entry.link:
            path.symlink_to(entry.link)
            continue
        if entry.content is None:
            path.mkdir(exist_ok=True)
        else:
            path.write_bytes(entry.content)
        path.chmod(entry.mode)
        if entry.user:
            os.chown(path, entry.user, entry.user)


def archive(entries, epoch):
    """An uncompressed layer."""
    with_parents = dict(entries)
    for name in entries:
        for parent in Path(name).parents[:-1]:
            with_parents.setdefault(str(parent), Entry())
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, entry in sorted(with_parents.items()):
            info = tarfile.TarInfo(name)
            info.mtime, info.mode, info.uid, info.gid = epoch, entry.mode, entry.user, entry.user
            if entry.link:
                info.type, info.linkname = tarfile.SYMTYPE, entry.link
            elif entry.content is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(entry.content)
            tar.addfile(info, io.BytesIO(entry.content or b""))
    return buffer.getvalue()


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def encoded(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class Layout:
    """An OCI image layout (image-spec 1.1)."""

    def __init__(self, folder, epoch):
        self.folder, self.epoch, self.manifests = folder, epoch, []
        self.created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.blobs = folder / "blobs/sha256"
        shutil.rmtree(folder, ignore_errors=True)
        self.blobs.mkdir(parents=True)
        (folder / "oci-layout").write_bytes(encoded({"imageLayoutVersion": "1.0.0"}))

    def blob(self, media_type, data):
        digest = digest_of(data)
        (self.blobs / digest.removeprefix("sha256:")).write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def layer(self, entries):
        """Descriptor of a compressed layer, and the digest of the uncompressed one."""
        plain = archive(entries, self.epoch)
        return self.blob(LAYER, gzip.compress(plain, compresslevel=6, mtime=0)), digest_of(plain)

    def manifest(self, config, layers, listed, **more):
        """Descriptor of a manifest with further members. The index describes it by the members of `listed` as well."""
        content = {"schemaVersion": 2, "mediaType": MANIFEST, **more, "config": config, "layers": layers}
        described = self.blob(MANIFEST, encoded(content))
        self.manifests.append({**described, **listed})
        return described

    def attach(self, subject, media_type, data):
        """Attaches a document to an image, as a referrer."""
        artifact = {"artifactType": media_type}
        self.manifest(self.blob(EMPTY, b"{}"), [self.blob(media_type, data)], artifact, **artifact, subject=subject)

    def finish(self):
        content = {"schemaVersion": 2, "mediaType": INDEX, "manifests": self.manifests}
        (self.folder / "index.json").write_bytes(encoded(content))


def named(name):
    """What tools find an image of a layout by."""
    return {"org.opencontainers.image.ref.name": name}


def annotations(name, created, revision):
    return {
        "org.opencontainers.image.title": name,
        "org.opencontainers.image.description": SPIN["application"]["description"],
        "org.opencontainers.image.version": WORKSPACE["version"],
        "org.opencontainers.image.licenses": WORKSPACE["license"],
        "org.opencontainers.image.revision": revision,
        "org.opencontainers.image.created": created,
    }


def image(layout, name, layers, revision, entrypoint, environment):
    """An image of layers."""
    labels = annotations(name, layout.created, revision)
    platform = {"architecture": ARCHITECTURES[os.uname().machine], "os": "linux"}
    config = {
        "created": layout.created,
        **platform,
        "config": {
            "User": f"{USER}:{USER}",
            "Env": environment,
            "Entrypoint": entrypoint,
            "WorkingDir": "/app",
            "Labels": labels,
        },
        "rootfs": {"type": "layers", "diff_ids": [plain for _, plain in layers]},
        "history": [{"created": layout.created, "created_by": "xtask/image/image.py"} for _ in layers],
    }
    descriptors = [descriptor for descriptor, _ in layers]
    listed = {"platform": platform, "annotations": named(name)}
    return layout.manifest(layout.blob(CONFIG, encoded(config)), descriptors, listed, annotations=labels)


def triggers():
    """The locked triggers. Their ids are the ones that Spin gives to triggers without (crates/manifest, normalize)."""
    taken = set()
    numbered = (f"http-trigger{number}" for number in itertools.count(1))
    for trigger in SPIN["trigger"]["http"]:
        name = f"{trigger['component']}-http-trigger"
        if name in taken:
            name = next(numbered)
        taken.add(name)
        yield {"id": name, "trigger_type": "http", "trigger_config": dict(sorted(trigger.items()))}


def locked_component(name, component, digest):
    metadata = {
        key: component[key] for key in ("description", "allowed_outbound_hosts", "build") if component.get(key)
    }
    locked = {
        "id": name,
        "metadata": dict(sorted(metadata.items())),
        "source": {"content_type": "application/wasm", "digest": digest},
    }
    if component.get("variables"):
        locked["config"] = dict(sorted(component["variables"].items()))
    return locked


def locked(digests):
    """spin.toml as a locked application, version 0 (crates/locked-app/src/locked.rs)."""
    variables = {
        name: {key: variable[key] for key in ("default", "secret") if variable.get(key) not in (None, False)}
        for name, variable in sorted(SPIN["variables"].items())
    }
    details = {key: SPIN["application"][key] for key in ("authors", "description", "name", "version")}
    return {
        "spin_lock_version": 0,
        "metadata": {**details, "trigger": {"type": "http"}, "triggers": {}},
        "variables": variables,
        "triggers": list(triggers()),
        "components": [
            locked_component(name, component, digests[name]) for name, component in SPIN["component"].items()
        ],
    }


def app(layout, revision):
    """The Spin application as `spin registry push` makes it."""
    layers, digests = [], {}
    for name, component in SPIN["component"].items():
        data = (ROOT / component["source"]).read_bytes()
        assert len(data) > SPIN_INLINE_MAX, name
        layers.append(layout.blob(SPIN_WASM, data))
        digests[name] = layers[-1]["digest"]
    layers.append(layout.blob(SPIN_APPLICATION, encoded(locked(digests))))
    config = {
        "architecture": "wasm",
        "os": "wasip1",
        "config": {"Labels": {"com.fermyon.spin.lockedAppDigest": layers[-1]["digest"]}},
        "rootfs": {"type": "layers", "diff_ids": []},
    }
    described = annotations("app", layout.created, revision)
    described["org.opencontainers.image.authors"] = ", ".join(SPIN["application"]["authors"])
    listed = {"annotations": named("app")}
    return layout.manifest(layout.blob(CONFIG, encoded(config)), layers, listed, annotations=described)


def provenance(name, subject, revision):
    """What an image was made of, as an in-toto statement with SLSA provenance 1.0. It is not signed."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": subject["digest"].removeprefix("sha256:")}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://example.org/rondo/xtask/image@v1",
                "externalParameters": {"image": name},
                "internalParameters": {"rustc": output("rustc", "--version")},
                "resolvedDependencies": [
                    {"name": "source", "digest": {"gitCommit": revision}},
                    *(
                        {"name": path, "digest": {"sha256": digest_of((ROOT / path).read_bytes()).removeprefix("sha256:")}}
                        for path in ("Cargo.lock", "spin.toml")
                    ),
                ],
            },
            "runDetails": {"builder": {"id": "https://example.org/rondo/xtask/image"}},
        },
    }


def write_layout(binaries, folder):
    revision = output("git", "rev-parse", "HEAD")
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or output("git", "log", "-1", "--format=%ct"))
    layout = Layout(folder, epoch)
    programs = [layout.layer(base([binaries / name for name in PROGRAMS])), layout.layer(application(binaries))]
    images = {
        "rondo": image(layout, "rondo", programs, revision, ["/app/rondo"], ENVIRONMENT),
        "tools": image(
            layout, "tools", [*programs, layout.layer(tools())], revision, ["/bin/sh"], [*ENVIRONMENT, "PATH=/bin"]
        ),
        "app": app(layout, revision),
    }
    for name, subject in images.items():
        layout.attach(subject, CYCLONEDX, (binaries / BILL).read_bytes())
        layout.attach(subject, IN_TOTO, encoded(provenance(name, subject, revision)))
    layout.finish()
    for name, subject in images.items():
        print(f"{name} {subject['digest']}")


def write_pause(_, folder):
    layout = Layout(folder, 0)
    image(layout, "pause", [layout.layer(tools())], "", ["/bin/sleep", "inf"], [])
    layout.finish()


def write_trees(binaries, folder):
    programs = {**base([binaries / name for name in PROGRAMS]), **application(binaries)}
    tree(programs, folder / "rondo")
    tree(tools(), folder / "tools")


def main():
    what, binaries, folder = sys.argv[1:]
    {"layout": write_layout, "tree": write_trees, "pause": write_pause}[what](Path(binaries), Path(folder))


main()
