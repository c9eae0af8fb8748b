//! Law: modules form no circle.
//!
//! Two modules that one file declares are siblings. A sibling, including its nested modules, may use another
//! only if that one, including its nested modules, does not use it back, directly or through further
//! siblings. A nested module is a part of the one that declares it, so uses between the two do not count.
//! Neither does a file's `mod tests`.
//!
//! Uses are read from the text: paths that begin with `crate` or `super`. Re-exports are followed to what
//! they name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::slice;

use rondo_tests::source::{files, text};

/// Maximum number of re-exports that a path is followed through.
const RE_EXPORTS_MAX: usize = 8;

/// The file of a crate's root, then the names that lead from there to a module.
type Name = Vec<String>;
/// The files of two modules; the first uses the second.
type Use = (PathBuf, PathBuf);

struct Module {
    file: PathBuf,
    code: Code,
}

/// The names in the text of a file.
#[derive(Default)]
struct Code {
    /// Names of child modules.
    declared: Vec<String>,
    /// Imported names, and the paths that they stand for.
    imports: Vec<(String, Vec<String>)>,
    /// Paths that begin with `crate` or `super`, including imports.
    paths: Vec<Vec<String>>,
}

impl Code {
    fn read(text: &str) -> Self {
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let tokens = tokens(text);
        let mut code = Self::default();
        for (at, token) in tokens.iter().enumerate() {
            match *token {
                "mod" if tokens.get(at + 2) == Some(&";") => {
                    code.declared.push(tokens[at + 1].to_owned());
                }
                "use" => leaves(&mut &tokens[at + 1..], &[], &mut code.imports),
                "crate" | "super" if at == 0 || tokens[at - 1] != "::" => {
                    let mut leaf = Vec::new();
                    leaves(&mut &tokens[at..], &[], &mut leaf);
                    code.paths.extend(leaf.into_iter().map(|(_, path)| path));
                }
                _ => {}
            }
        }
        code
    }
}

/// Words, `::`, and other characters one by one, without line comments.
fn tokens(text: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    for line in text.lines() {
        let mut rest = line.split("//").next().unwrap_or_default().trim_start();
        while let Some(first) = rest.chars().next() {
            let length = match first {
                _ if rest.starts_with("::") => 2,
                first if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                first => first.len_utf8(),
            };
            let (token, after) = rest.split_at(length);
            tokens.push(token);
            rest = after.trim_start();
        }
    }
    tokens
}

/// The paths of a tree such as `a::{b, c as d}`, each with the name that it imports.
fn leaves(tokens: &mut &[&str], prefix: &[String], found: &mut Vec<(String, Vec<String>)>) {
    let mut path = prefix.to_vec();
    loop {
        match *tokens {
            ["{", rest @ ..] => {
                *tokens = rest;
                loop {
                    match *tokens {
                        [] => return,
                        ["}", rest @ ..] => {
                            *tokens = rest;
                            return;
                        }
                        [",", rest @ ..] => *tokens = rest,
                        _ => leaves(tokens, &path, found),
                    }
                }
            }
            [segment, "::", rest @ ..] => {
                path.push((*segment).to_owned());
                *tokens = rest;
                continue;
            }
            ["self", rest @ ..] => {
                found.push((path.last().cloned().unwrap_or_default(), path));
                *tokens = rest;
            }
            [segment, "as", name, rest @ ..] => {
                path.push((*segment).to_owned());
                found.push(((*name).to_owned(), path));
                *tokens = rest;
            }
            [segment, rest @ ..] => {
                path.push((*segment).to_owned());
                found.push(((*segment).to_owned(), path));
                *tokens = rest;
            }
            [] => {}
        }
        return;
    }
}

/// The modules of every crate.
fn modules(sources: &BTreeMap<PathBuf, String>) -> BTreeMap<Name, Module> {
    let mut codes: BTreeMap<_, _> =
        sources.iter().map(|(file, text)| (file.clone(), Code::read(text))).collect();
    let children: BTreeMap<PathBuf, Vec<(String, PathBuf)>> = codes
        .iter()
        .map(|(file, code)| {
            let find = |name: &String| {
                let child = format!("{name}.rs");
                let candidates =
                    [file.with_extension("").join(&child), file.with_file_name(&child)];
                let found = candidates.into_iter().find(|child| sources.contains_key(child))?;
                Some((name.clone(), found))
            };
            (file.clone(), code.declared.iter().filter_map(find).collect())
        })
        .collect();
    let nested: BTreeSet<_> = children.values().flatten().map(|(_, file)| file).collect();
    let roots = sources.keys().filter(|file| !nested.contains(file));
    let mut left: Vec<_> = roots.map(|file| (vec![file.display().to_string()], file)).collect();
    let mut modules = BTreeMap::new();
    while let Some((name, file)) = left.pop() {
        let nested = children[file].iter();
        left.extend(
            nested.map(|(child, file)| ([&name[..], slice::from_ref(child)].concat(), file)),
        );
        if let Some(code) = codes.remove(file) {
            modules.insert(name, Module { file: file.clone(), code });
        }
    }
    modules
}

/// The module that a path in `from` leads to; none if it is another crate's.
fn resolve(
    modules: &BTreeMap<Name, Module>,
    from: &[String],
    path: &[String],
    re_exports_max: usize,
) -> Option<Name> {
    let mut at = from.to_vec();
    for (place, segment) in path.iter().enumerate() {
        let child = [&at[..], slice::from_ref(segment)].concat();
        match segment.as_str() {
            "crate" => at.truncate(1),
            "super" if at.len() > 1 => drop(at.pop()),
            "self" => {}
            _ if modules.contains_key(&child) => at = child,
            _ if place == 0 => return None,
            _ if re_exports_max == 0 => break,
            name => {
                let imports = &modules[&at].code.imports;
                let led_on =
                    imports.iter().filter(|(import, _)| import == name).find_map(|import| {
                        let path = [&import.1[..], &path[place + 1..]].concat();
                        resolve(modules, &at, &path, re_exports_max - 1)
                    });
                return Some(led_on.unwrap_or(at));
            }
        }
    }
    Some(at)
}

/// The siblings that each module uses, each with an example of two files.
fn uses(modules: &BTreeMap<Name, Module>) -> BTreeMap<Name, BTreeMap<Name, Use>> {
    let mut uses: BTreeMap<Name, BTreeMap<Name, Use>> = BTreeMap::new();
    for (name, module) in modules {
        for path in &module.code.paths {
            let Some(used) = resolve(modules, name, path, RE_EXPORTS_MAX) else { continue };
            let shared = name.iter().zip(&used).take_while(|(one, other)| one == other).count();
            // Otherwise, one is nested in the other.
            if let (Some(user), Some(sibling)) = (name.get(..=shared), used.get(..=shared)) {
                let files = (module.file.clone(), modules[&used].file.clone());
                uses.entry(user.to_vec()).or_default().insert(sibling.to_vec(), files);
            }
        }
    }
    uses
}

/// Each circle as the files of its siblings, with the uses that form it.
fn circles(sources: &BTreeMap<PathBuf, String>) -> BTreeMap<Vec<PathBuf>, Vec<Use>> {
    let modules = modules(sources);
    let uses = uses(&modules);
    let reached: BTreeMap<&Name, BTreeSet<&Name>> = uses
        .keys()
        .map(|from| {
            let mut reached = BTreeSet::new();
            let mut left = vec![from];
            while let Some(name) = left.pop() {
                let next = uses.get(name).into_iter().flat_map(BTreeMap::keys);
                left.extend(next.filter(|next| reached.insert(*next)));
            }
            (from, reached)
        })
        .collect();
    let mut circles = BTreeMap::new();
    for (name, reachable) in &reached {
        let is_mutual = |other: &&Name| reached.get(other).is_some_and(|back| back.contains(name));
        let circle: BTreeSet<&Name> = reachable.iter().copied().filter(is_mutual).collect();
        let files = circle.iter().map(|name| modules[*name].file.clone()).collect();
        let inner = circle.iter().flat_map(|name| &uses[*name]);
        let inner = inner.filter(|(used, _)| circle.contains(used)).map(|(_, files)| files.clone());
        if !circle.is_empty() {
            circles.insert(files, inner.collect());
        }
    }
    circles
}

/// The parts of a page open one another: a menu opens a dialog, whose form opens a menu.
const PAGE: &str = "web/src";

#[test]
fn modules_form_no_circle() {
    let files = files("rs").into_iter().filter(|file| !file.starts_with(PAGE));
    let sources = files.map(|file| (file.clone(), text(&file))).collect();
    let circles = circles(&sources);
    assert!(circles.is_empty(), "modules, and which file uses which: {circles:#?}");
}

#[test]
fn a_circle_is_found() {
    let check = |sources: &[(&str, &str)], expected: &[&str]| {
        let all = sources.iter().map(|(file, text)| (PathBuf::from(file), (*text).to_owned()));
        let found: Vec<_> = circles(&all.collect()).into_keys().flatten().collect();
        assert_eq!(found, expected.iter().map(PathBuf::from).collect::<Vec<_>>(), "{sources:?}");
    };
    let both = ["src/a.rs", "src/b.rs"];
    let root = ("src/lib.rs", "mod a;\npub mod b;\npub use a::A as Other;");
    check(&[root, ("src/a.rs", "use crate::b::B;"), ("src/b.rs", "use super::a::A;")], &both);
    // Through a re-export, in a group, in an expression.
    check(&[root, ("src/a.rs", "crate::b::f()"), ("src/b.rs", "use crate::{x, Other};")], &both);
    // Through nested modules.
    let nested = ("src/a/c.rs", "use crate::{b::{self}};");
    check(&[root, ("src/a.rs", "mod c;"), nested, ("src/b.rs", "use crate::a::A;")], &both);
    // Between nested modules.
    let below = [("src/a/c.rs", "use super::d;"), ("src/a/d.rs", "use super::super::a::c::C;")];
    let all = [&[root, ("src/a.rs", "mod c;\nmod d;"), ("src/b.rs", "")][..], &below].concat();
    check(&all, &["src/a/c.rs", "src/a/d.rs"]);
    // No circle: one direction, a parent and its child, comments, and tests.
    check(&[root, ("src/a.rs", "use crate::b::B;"), ("src/b.rs", "use std::a::A;")], &[]);
    let child = ("src/a/c.rs", "use super::A;\nuse crate::a::A;");
    check(&[root, ("src/a.rs", "mod c;\nuse self::c::C;"), child, ("src/b.rs", "")], &[]);
    let silent = "// crate::a::A\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n";
    check(&[root, ("src/a.rs", "use crate::b::B;"), ("src/b.rs", silent)], &[]);
}
