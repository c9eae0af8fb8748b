//! Programs that checks need. Each version is installed once, into a cache that outlives the clone.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::{cargo, is_installed, run};
use crate::kafka::cache_directory;
use crate::python;

/// Compile Go without optimization and debugging information, in 60 % of the time. All programs have the same
/// options, so that Go's own cache compiles what they share once.
const GO_OPTIONS: [&str; 3] = ["-trimpath", "-buildvcs=false", "-gcflags=all=-N -l -dwarf=false"];

/// The path of a cargo plugin's program, which is compiled first when the cache has none. The build is not
/// optimized, because a CI machine may run the program once, for seconds.
pub fn installed(name: &str, version: &str) -> Result<PathBuf> {
    cached(name, version, |folder| {
        let target = folder.join("target");
        let mut install = cargo(["install", name, "--locked", "--quiet", "--version", version]);
        install.arg("--root").arg(folder).arg("--target-dir").arg(&target);
        for (option, value) in
            [("OPT_LEVEL", "0"), ("DEBUG", "false"), ("LTO", "off"), ("CODEGEN_UNITS", "16")]
        {
            install.env(format!("CARGO_PROFILE_RELEASE_{option}"), value);
        }
        run(&mut install)?;
        Ok(fs::remove_dir_all(target)?)
    })
}

/// The path of a Go program, which is compiled first from `package` when the cache has none.
pub fn installed_from_go(name: &str, package: &str, version: &str) -> Result<PathBuf> {
    cached(name, version, |folder| {
        run(go(name)?
            .arg("install")
            .args(GO_OPTIONS)
            .arg(format!("{package}@v{version}"))
            .env("GOBIN", folder.join("bin")))
    })
}

/// The command of a Python program, whose package is installed first into a virtual environment of its own when
/// the cache has none.
pub fn installed_from_python(name: &str, module: &str, version: &str) -> Result<Command> {
    let program = cached(name, version, |folder| {
        python::make(folder)?;
        run(python::pip(folder).arg(format!("{name}=={version}")))
    })?;
    // Not the program itself, because its first line names the temporary folder.
    let mut command = Command::new(program.with_file_name("python"));
    command.args(["-m", module]);
    Ok(command)
}

/// The path of the Go program in a package of a module of this repository, which is compiled first when the cache has
/// none of the same sources and version. `link` are options of the linker.
pub fn built_from_go(
    name: &str,
    module: &Path,
    package: &str,
    version: &str,
    link: &str,
) -> Result<PathBuf> {
    let mut sources = vec![module.join("go.mod"), module.join("go.sum")];
    let found = fs::read_dir(module.join(package))?.map(|entry| entry.map(|entry| entry.path()));
    sources.extend(found.collect::<std::io::Result<Vec<_>>>()?);
    sources.retain(|path| {
        path.extension().is_some_and(|end| end == "go" || end == "mod" || end == "sum")
    });
    sources.sort();
    sources.dedup();
    let version = format!("{version}-{}", hash_of(&sources)?);
    cached(name, &version, |folder| {
        println!("compiling {name} takes some minutes, once");
        run(go(name)?
            .arg("build")
            .args(GO_OPTIONS)
            .args(["-ldflags", link, "-o"])
            .arg(folder.join("bin").join(name))
            .arg(format!("./{package}"))
            .current_dir(module))
    })
}

/// The folder of a Go module's files, which is downloaded first. Go keeps it and verifies its checksum.
pub fn go_module(path: &str, version: &str) -> Result<PathBuf> {
    let module = format!("{path}@v{version}");
    run(go(path)?.args(["mod", "download", &module]))
        .with_context(|| format!("cannot download {module}; is there a network connection?"))?;
    let found = go(path)?.args(["list", "-m", "-f", "{{.Dir}}", &module]).output()?;
    Ok(PathBuf::from(String::from_utf8(found.stdout)?.trim()))
}

/// Go that compiles, or a message. A Go that is older than a program requires downloads a newer toolchain, from
/// Go 1.21 on.
fn go(name: &str) -> Result<Command> {
    if !is_installed("go", "version") {
        bail!(
            "Go 1.21 or newer is needed once, for {name} (Debian 13: `apt-get install golang-go`, macOS: \
             `brew install go`; Debian 12's Go is too old)"
        );
    }
    // It may run beside checks, and gives way to them.
    let mut go = Command::new("nice");
    go.args(["-n", "19", "go"]);
    // The compiler collects less of its garbage.
    go.env("CGO_ENABLED", "0").env("GOGC", "400");
    Ok(go)
}

/// The path of `bin/NAME` in the cache.
fn cached(name: &str, version: &str, install: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let program = Path::new("bin").join(name);
    Ok(cached_folder(name, version, &program, install)?.join(program))
}

/// The folder NAME-VERSION in the cache, which has `content` when it is complete. `install` fills a temporary folder,
/// which is renamed in the end, so that an aborted installation leaves nothing in the cache.
pub fn cached_folder(
    name: &str,
    version: &str,
    content: &Path,
    install: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let goal = cache_directory()?.join(format!("{name}-{version}"));
    let is_complete = || goal.join(content).exists();
    if is_complete() {
        return Ok(goal);
    }
    println!("installing {name} {version} into {}", goal.display());
    let unfinished = PathBuf::from(format!("{}.unfinished-{}", goal.display(), std::process::id()));
    fs::create_dir_all(&unfinished)
        .with_context(|| format!("cannot create {}", unfinished.display()))?;
    let outcome = install(&unfinished)
        .with_context(|| format!("{name} could not be installed; is there a network connection?"))
        .and_then(|()| match fs::rename(&unfinished, &goal) {
            // Another run may have finished in the meantime.
            Err(_) if is_complete() => Ok(()),
            renamed => renamed.with_context(|| format!("cannot create {}", goal.display())),
        });
    // Gone already after the rename.
    let _ = fs::remove_dir_all(&unfinished);
    outcome.map(|()| goal)
}

/// A name for what these files contain. Two sets of files with other contents have other names.
pub fn hash_of(files: &[PathBuf]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for file in files {
        fs::read(file)
            .with_context(|| format!("cannot read {}", file.display()))?
            .hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}
