//! Reruns when a file is added to `migrations/`: `sqlx::migrate!` watches only existing files.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations");
}
