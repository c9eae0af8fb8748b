//! Compresses the files that the component serves. Swagger UI comes from a crate that contains its release,
//! so a build downloads only crates.

use std::error::Error;
use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

const OWN_FILES: [&str; 5] = [
    "../../docs/openapi.json",
    "../../docs/asyncapi.json",
    "src/page.html",
    "src/page.css",
    "src/page.js",
];
const SWAGGER_UI_FILES: [&str; 2] = ["swagger-ui-bundle.js", "swagger-ui.css"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    for path in OWN_FILES {
        println!("cargo::rerun-if-changed={path}");
        let name = Path::new(path).file_name().ok_or("a file has a name")?.to_string_lossy();
        compress(&out, &name, &fs::read(path)?)?;
    }
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    for name in SWAGGER_UI_FILES {
        let end = format!("/dist/{name}");
        let path = archive.file_names().flatten().find(|path| path.ends_with(&end));
        let path = path.ok_or_else(|| format!("Swagger UI has no {name}"))?.into_owned();
        let mut content = Vec::new();
        archive.by_name(&path)?.read_to_end(&mut content)?;
        compress(&out, name, &content)?;
    }
    Ok(())
}

fn compress(folder: &Path, name: &str, content: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content)?;
    fs::write(folder.join(format!("{name}.gz")), encoder.finish()?)?;
    Ok(())
}
