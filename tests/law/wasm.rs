//! Law: a built component imports and exports exactly what its world in wit/ says.

use std::collections::BTreeSet;
use std::path::PathBuf;

use rondo_testkit::process::target_directory;
use rondo_tests::source::{components, root};
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{Resolve, WorldId, WorldItem, WorldKey};

/// The imports and exports of a world.
#[derive(Debug, PartialEq, Eq)]
struct Interfaces {
    imports: BTreeSet<String>,
    exports: BTreeSet<String>,
}

impl Interfaces {
    fn of(resolve: &Resolve, world: WorldId) -> Self {
        let world = &resolve.worlds[world];
        let names = |items: &mut dyn Iterator<Item = (&WorldKey, &WorldItem)>| {
            items.map(|(key, _)| resolve.name_world_key(key)).collect()
        };
        Self {
            imports: names(&mut world.imports.iter()),
            exports: names(&mut world.exports.iter()),
        }
    }

    /// The world in wit/.
    fn declared(name: &str) -> Self {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(root().join("wit")).unwrap();
        let packages = std::iter::once(package).chain(resolve.packages.iter().map(|(id, _)| id));
        let world = packages
            .filter_map(|package| resolve.packages[package].worlds.get(name).copied())
            .next()
            .unwrap_or_else(|| panic!("wit/ has no world {name}"));
        Self::of(&resolve, world)
    }

    /// The world of the compiled file.
    fn built(name: &str) -> Self {
        let path = component_path(name);
        let bytes = std::fs::read(&path).unwrap_or_else(|error| {
            panic!("{}: {error}; `cargo xtask build` builds the components", path.display())
        });
        match decode(&bytes) {
            Ok(DecodedWasm::Component(resolve, world)) => Self::of(&resolve, world),
            Ok(DecodedWasm::WitPackage(..)) => panic!("{} is no component", path.display()),
            Err(error) => panic!("{}: {error:#}", path.display()),
        }
    }
}

fn component_path(name: &str) -> PathBuf {
    let file = format!("{}.wasm", name.replace('-', "_"));
    target_directory().join("wasm32-wasip2/wasm").join(file)
}

/// A component need not use all imports of its world, because the compiler drops unused ones. It must have
/// all exports.
#[test]
fn components_have_the_imports_and_exports_of_their_world() {
    for name in &components() {
        let (declared, built) = (Interfaces::declared(name), Interfaces::built(name));
        let undeclared: Vec<_> = built.imports.difference(&declared.imports).collect();
        assert!(undeclared.is_empty(), "{name} imports what its world does not: {undeclared:?}");
        assert_eq!(built.exports, declared.exports, "exports of {name}");
    }
}

/// Secrets, accounts and the database are granted one by one, and an unused grant must be removed. The
/// imports of the standard library are granted as a whole.
#[test]
fn worlds_grant_nothing_unused() {
    let standard = Interfaces::declared("std");
    for name in &components() {
        let (declared, built) = (Interfaces::declared(name), Interfaces::built(name));
        let granted = declared.imports.difference(&standard.imports);
        let unused: Vec<_> = granted.filter(|import| !built.imports.contains(*import)).collect();
        assert!(unused.is_empty(), "{name} does not use {unused:?}");
    }
}

/// No component may touch files or sockets, whatever a world says.
#[test]
fn no_component_reaches_files_or_sockets() {
    for name in &components() {
        for interfaces in [Interfaces::declared(name), Interfaces::built(name)] {
            let reached: Vec<_> = interfaces
                .imports
                .iter()
                .filter(|import| {
                    import.starts_with("wasi:filesystem") || import.starts_with("wasi:sockets")
                })
                .collect();
            assert!(reached.is_empty(), "{name} reaches {reached:?}");
        }
    }
}
