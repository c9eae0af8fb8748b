//! Asks the linker to say which function or data every reference is to, for `web/bundle`, which divides the module.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg-cdylib=--emit-relocs");
}
