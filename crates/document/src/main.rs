//! Writes the documents into docs/, for `cargo xtask document`.

use std::path::Path;

use rondo_document::documents;

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    std::fs::create_dir_all(folder.join("schemas"))?;
    for (path, document) in documents() {
        std::fs::write(folder.join(path), document)?;
    }
    Ok(())
}
