//! Shortens what is between the client and the browser: names that both sides of the binding have, and what its script
//! says only to people.

use anyhow::Result;
use walrus::{Module, ModuleConfig};

/// What others than the script call.
const KEPT: [&str; 2] = ["enterLater", "memory"];

/// The module and its script with short names.
pub fn shorten(module: &[u8], script: &str) -> Result<(Vec<u8>, String)> {
    let mut module: Module = ModuleConfig::new().parse(module)?;
    let mut script = bare(script);
    let mut short = (0_u32..).map(|number| format!("_{number:x}"));
    let mut renamed = Vec::new();
    let imports = module.imports.iter_mut().map(|import| &mut import.name);
    let exports = module.exports.iter_mut().map(|export| &mut export.name);
    for name in imports.chain(exports) {
        if !KEPT.contains(&name.as_str()) {
            let short = short.next().unwrap_or_default();
            renamed.push((std::mem::replace(name, short.clone()), short));
        }
    }
    // A name can be the beginning of a longer one.
    renamed.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    for (name, short) in renamed {
        script = script.replace(&format!("\n{name}:"), &format!("\n{short}:"));
        script = script.replace(&format!("wasm.{name}"), &format!("wasm.{short}"));
    }
    Ok((module.emit_wasm(), script))
}

/// A generated script without comments and indentation.
fn bare(script: &str) -> String {
    let mut bare = String::new();
    let mut is_comment = false;
    for line in script.lines().map(str::trim) {
        is_comment |= line.starts_with("/*");
        if !is_comment && !line.is_empty() && !line.starts_with("//") {
            bare.push_str(line);
            bare.push('\n');
        }
        is_comment &= !line.ends_with("*/");
    }
    bare
}
