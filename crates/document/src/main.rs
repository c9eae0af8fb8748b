//! Writes the documents into docs/, for `cargo xtask document`.

use std::path::Path;

use rondo_document::{asyncapi, openapi, rendered};

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("openapi.json"), rendered(&openapi::document()))?;
    std::fs::write(folder.join("asyncapi.json"), rendered(&asyncapi::document()))
}
