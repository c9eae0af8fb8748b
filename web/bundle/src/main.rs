//! `rondo-bundle MODULE STATIC OUT`: makes the files of the web client.
//!
//! MODULE is the client as cargo compiles it, STATIC the folder of the files beside it. The module is divided into what
//! the first screen needs and what comes later. Names of files that may
//! be cached for ever carry a hash of their content. In the text of a file, `{{name}}` stands for the path of
//! another one. OUT gets each file compressed with brotli and gzip, and `table.rs`, the table of all of them,
//! which the component `web` includes.

mod graph;
mod shorten;
mod split;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use anyhow::{Context as _, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use wasm_bindgen_cli_support::Bindgen;

use crate::graph::Graph;
use crate::shorten::shorten;
use crate::split::Division;

/// Hexadecimal digits of a hash in a name.
const HASH_DIGITS: usize = 12;
/// Name of the compiled module, and of the script that binds it to the browser.
const MODULE: &str = "rondo.wasm";
/// Name of the module that is fetched later.
const LATER: &str = "later.wasm";
/// The list of what is in that module, beside the folder of STATIC.
const LATER_LIST: &str = "later.txt";
const BINDING: &str = "rondo.js";

/// The files beside the module, each after those that it names.
const STATIC: [Static; 9] = [
    Static { name: "icon.svg", path: Name::Hashed },
    Static { name: "icon-192.png", path: Name::Hashed },
    Static { name: "icon-512.png", path: Name::Hashed },
    Static { name: "style.css", path: Name::Hashed },
    Static { name: "platform.js", path: Name::Hashed },
    Static { name: "boot.js", path: Name::Hashed },
    Static { name: "manifest.webmanifest", path: Name::At("/manifest.webmanifest") },
    Static { name: "index.html", path: Name::At("/") },
    Static { name: "worker.js", path: Name::At("/worker.js") },
];

struct Static {
    name: &'static str,
    path: Name,
}

/// Where a file is served.
#[derive(Clone, Copy)]
enum Name {
    /// In /assets, under its name with a hash.
    Hashed,
    At(&'static str),
}

struct File {
    path: String,
    content: Vec<u8>,
    is_hashed: bool,
}

fn main() -> Result<()> {
    let arguments: Vec<_> = env::args_os().skip(1).map(PathBuf::from).collect();
    let [module, folder, out] = &arguments[..] else {
        bail!("usage: rondo-bundle MODULE STATIC OUT");
    };
    write(&bundle(module, folder)?, out)
}

fn bundle(module: &Path, folder: &Path) -> Result<Vec<File>> {
    let mut files = Vec::new();
    let mut paths = BTreeMap::new();
    let list = fs::read_to_string(folder.with_file_name(LATER_LIST))
        .with_context(|| format!("cannot read {LATER_LIST}"))?;
    let (binding, [module, later]) = bind(module, &list)?;
    add(&mut files, &mut paths, MODULE, Name::Hashed, module);
    add(&mut files, &mut paths, LATER, Name::Hashed, later);
    add(&mut files, &mut paths, BINDING, Name::Hashed, binding);
    for Static { name, path } in STATIC {
        let content = fs::read(folder.join(name)).with_context(|| format!("cannot read {name}"))?;
        let content = match String::from_utf8(content) {
            Ok(text) => fill(&text, &paths).with_context(|| name.to_owned())?.into_bytes(),
            Err(image) => image.into_bytes(),
        };
        add(&mut files, &mut paths, name, path, content);
    }
    Ok(files)
}

fn add(
    files: &mut Vec<File>,
    paths: &mut BTreeMap<String, String>,
    name: &str,
    at: Name,
    content: Vec<u8>,
) {
    let (path, is_hashed) = match at {
        Name::At(path) => (path.to_owned(), false),
        Name::Hashed => {
            let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
            (format!("/assets/{stem}-{}.{extension}", hash(&content)), true)
        }
    };
    paths.insert(name.to_owned(), path.clone());
    files.push(File { path, content, is_hashed });
}

/// The script that binds the module to the browser, and the module as it expects it, in two parts.
fn bind(path: &Path, list: &str) -> Result<(Vec<u8>, [Vec<u8>; 2])> {
    let module = fs::read(path)?;
    let division = Division::of(&Graph::read(&module)?, list)?;
    let folder = tempfile::tempdir()?;
    Bindgen::new()
        .input_bytes("rondo", division.mark(&module)?)
        .web(true)?
        .typescript(false)
        .demangle(false)
        .remove_producers_section(true)
        .omit_default_module_path(true)
        .generate(folder.path())
        .with_context(|| format!("cannot bind {}", path.display()))?;
    let read = |name: &str| fs::read(folder.path().join(name)).with_context(|| name.to_owned());
    let script = String::from_utf8(read("rondo.js")?)?;
    let (module, script) = shorten(&read("rondo_bg.wasm")?, &script)?;
    Ok((script.into_bytes(), division.split(&module)?))
}

/// Puts the paths of other files, and a list of all so far, in the place of their names.
fn fill(text: &str, paths: &BTreeMap<String, String>) -> Result<String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").context("a `{{` without `}}`")?;
        filled.push_str(before);
        match name {
            "all" => {
                let all: Vec<_> = paths.values().map(|path| format!("\"{path}\"")).collect();
                filled.push_str(&all.join(", "));
            }
            "version" => {
                let all: Vec<_> = paths.values().map(String::as_str).collect();
                filled.push_str(&hash(all.join(" ").as_bytes()));
            }
            name => {
                let path = paths.get(name).with_context(|| format!("there is no file {name}"))?;
                filled.push_str(path);
            }
        }
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn hash(content: &[u8]) -> String {
    let mut digits = String::new();
    for byte in Sha256::digest(content) {
        let _ = write!(digits, "{byte:02x}");
    }
    digits.truncate(HASH_DIGITS);
    digits
}

fn write(files: &[File], out: &Path) -> Result<()> {
    fs::create_dir_all(out)?;
    let mut table = String::from("&[\n");
    let mut kept = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let File { path, content, is_hashed } = file;
        let (brotli, gzip) = (brotli(content)?, gzip(content)?);
        println!("{:>9} {:>9} gzip {:>9} brotli  {path}", content.len(), gzip.len(), brotli.len());
        let etag = hash(content);
        let media_type = media_type(path)?;
        write_changed(&out.join(format!("{number}.br")), &brotli)?;
        write_changed(&out.join(format!("{number}.gz")), &gzip)?;
        kept.extend([format!("{number}.br"), format!("{number}.gz")]);
        let folder = out.canonicalize()?;
        let at = |extension: &str| folder.join(format!("{number}.{extension}"));
        writeln!(
            table,
            "Asset {{ path: {path:?}, media_type: {media_type:?}, etag: \"\\\"{etag}\\\"\", is_immutable: {is_hashed}, \
             brotli: include_bytes!({:?}), gzip: include_bytes!({:?}) }},",
            at("br"),
            at("gz"),
        )?;
    }
    table.push_str("]\n");
    write_changed(&out.join("table.rs"), table.as_bytes())?;
    for entry in fs::read_dir(out)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "table.rs" && !kept.contains(&name) {
            fs::remove_file(out.join(name))?;
        }
    }
    Ok(())
}

/// Leaves a file alone that is as it should be, so that cargo compiles nothing again.
fn write_changed(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|present| present == content) {
        return Ok(());
    }
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}

fn media_type(path: &str) -> Result<&'static str> {
    let extension = path.rsplit_once('.').map_or("html", |(_, extension)| extension);
    Ok(match extension {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "wasm" => "application/wasm",
        "webmanifest" => "application/manifest+json",
        _ => bail!("{path} has no known media type"),
    })
}

fn brotli(content: &[u8]) -> Result<Vec<u8>> {
    let parameters =
        brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
    let mut compressed = Vec::new();
    brotli::BrotliCompress(&mut &content[..], &mut compressed, &parameters)?;
    Ok(compressed)
}

fn gzip(content: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    Ok(encoder.finish()?)
}
