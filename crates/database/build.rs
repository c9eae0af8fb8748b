//! Builds again when a file is added to `migrations/`: `sqlx::migrate!` watches only those it has found.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations");
}
