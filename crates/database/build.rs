//! Embeds `migrations/<nnnn>_<name>.sql`, in order, as `(version, name, text)`.

use std::{env, fmt::Write as _, fs, path::Path};

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let folder = Path::new(&root)
        .join("../../migrations")
        .canonicalize()
        .expect("the workspace has a folder migrations/");
    println!("cargo::rerun-if-changed={}", folder.display());

    let mut files: Vec<(u32, String, String)> = fs::read_dir(&folder)
        .expect("migrations/ can be read")
        .map(|entry| entry.expect("migrations/ can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .filter_map(|path| {
            let stem = path.file_stem()?.to_str()?.to_owned();
            let (version, name) = stem.split_once('_')?;
            Some((version.parse().ok()?, name.to_owned(), path.to_str()?.to_owned()))
        })
        .collect();
    files.sort();

    let mut list = String::from("[\n");
    for (place, (version, name, path)) in files.iter().enumerate() {
        assert_eq!(
            *version as usize,
            place + 1,
            "{path}: versions count from 0001 without a gap or a double"
        );
        writeln!(list, "    ({version}, {name:?}, include_str!({path:?})),")
            .expect("a String can be written");
    }
    list.push_str("]\n");
    let out = env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("migrations.rs"), list).expect("OUT_DIR can be written");
}
