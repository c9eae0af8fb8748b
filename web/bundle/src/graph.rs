//! What refers to what in the module that the linker made. It says so in the sections `linking` and `reloc.*`, which
//! `web/build.rs` asks for: which function or data each address and each call stands for.

use std::collections::BTreeSet;
use std::ops::Range;

use anyhow::{Context as _, Result, bail};
use wasmparser::{
    DataKind, ExternalKind, KnownCustom, Linking, Operator, Parser, Payload, RelocationEntry,
    RelocationType, SymbolInfo, TypeRef,
};

/// Functions, then data, each with what it refers to.
#[derive(Default)]
pub struct Graph {
    /// Names of all functions, as Rust writes them. Imported ones come first, as their numbers do.
    pub names: Vec<String>,
    /// Where each piece of data is in memory.
    pub data: Vec<Range<usize>>,
    /// For each function, then for each piece of data: the nodes that it refers to.
    references: Vec<Vec<usize>>,
    /// Functions that are called from outside.
    roots: Vec<usize>,
}

/// A stretch of a section, as relocations count, that belongs to a node.
struct Stretch {
    range: Range<usize>,
    node: usize,
}

impl Graph {
    pub fn read(module: &[u8]) -> Result<Self> {
        let mut graph = Self::default();
        let mut imported = 0;
        let mut bodies = Vec::new();
        let mut code_start = 0;
        let mut segments = Vec::new();
        let mut symbols = Vec::new();
        let mut relocations = Vec::new();
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        imported += usize::from(matches!(import?.ty, TypeRef::Func(_)));
                    }
                }
                Payload::ExportSection(exports) => {
                    for export in exports {
                        let export = export?;
                        if export.kind == ExternalKind::Func && !is_description(export.name) {
                            graph.roots.push(export.index as usize);
                        }
                    }
                }
                Payload::CodeSectionStart { range, .. } => code_start = range.start,
                Payload::CodeSectionEntry(body) => bodies.push(body.range()),
                Payload::DataSection(section) => {
                    let start = section.range().start;
                    for data in section {
                        let data = data?;
                        let from = data.range.end - data.data.len() - start;
                        segments.push((address(&data.kind)?, from..from + data.data.len()));
                    }
                }
                Payload::CustomSection(section) => match section.as_known() {
                    KnownCustom::Linking(linking) => {
                        for part in linking {
                            if let Linking::SymbolTable(table) = part? {
                                symbols = table.into_iter().collect::<Result<_, _>>()?;
                            }
                        }
                    }
                    KnownCustom::Reloc(section_relocations) => {
                        let entries = section_relocations.entries().into_iter();
                        let entries: Vec<RelocationEntry> = entries.collect::<Result<_, _>>()?;
                        relocations.push((section.name(), entries));
                    }
                    _ => {}
                },
                _ => {}
            }
        }
        if symbols.is_empty() {
            bail!("the module has no symbols; web/build.rs asks the linker for them");
        }
        graph.names = vec![String::new(); imported + bodies.len()];
        let nodes = graph.name(&symbols, &segments);
        graph.references = vec![Vec::new(); graph.names.len() + graph.data.len()];
        let code = bodies.iter().enumerate().map(|(number, range)| Stretch {
            range: range.start - code_start..range.end - code_start,
            node: imported + number,
        });
        let code: Vec<_> = code.collect();
        let mut data: Vec<_> = Vec::new();
        for (number, range) in graph.data.iter().enumerate() {
            let (base, stretch) = segments
                .iter()
                .find(|(base, stretch)| (*base..*base + stretch.len()).contains(&range.start))
                .context("data outside of all segments")?;
            let from = stretch.start + range.start - base;
            data.push(Stretch {
                range: from..from + range.len(),
                node: graph.names.len() + number,
            });
        }
        data.sort_by_key(|stretch| stretch.range.start);
        for (section, entries) in relocations {
            let stretches = if section == "reloc.CODE" { &code } else { &data };
            for entry in entries {
                graph.refer(&entry, stretches, &nodes)?;
            }
        }
        Ok(graph)
    }

    /// Takes over names and data of symbols. Returns the node of each.
    fn name(
        &mut self,
        symbols: &[SymbolInfo],
        segments: &[(usize, Range<usize>)],
    ) -> Vec<Option<usize>> {
        let mut nodes = Vec::new();
        for symbol in symbols {
            nodes.push(match symbol {
                SymbolInfo::Func { index, name, .. } => {
                    let index = *index as usize;
                    let name = format!("{:#}", rustc_demangle::demangle(name.unwrap_or_default()));
                    self.names[index] = name;
                    Some(index)
                }
                SymbolInfo::Data { symbol: Some(symbol), .. } => {
                    let from = segments[symbol.index as usize].0 + symbol.offset as usize;
                    self.data.push(from..from + symbol.size as usize);
                    Some(self.names.len() + self.data.len() - 1)
                }
                _ => None,
            });
        }
        nodes
    }

    fn refer(
        &mut self,
        entry: &RelocationEntry,
        stretches: &[Stretch],
        nodes: &[Option<usize>],
    ) -> Result<()> {
        match entry.ty {
            RelocationType::FunctionIndexLeb
            | RelocationType::TableIndexSleb
            | RelocationType::TableIndexI32
            | RelocationType::MemoryAddrLeb
            | RelocationType::MemoryAddrSleb
            | RelocationType::MemoryAddrI32 => {}
            RelocationType::TypeIndexLeb
            | RelocationType::GlobalIndexLeb
            | RelocationType::TableNumberLeb => return Ok(()),
            other => bail!("a relocation of the unknown kind {other:?}"),
        }
        let at = entry.offset as usize;
        // Where pieces of data overlap, all of them refer to it.
        let end = stretches.partition_point(|stretch| stretch.range.start <= at);
        let holders = stretches[..end]
            .iter()
            .rev()
            .take_while(|holder| at - holder.range.start <= HOLDER_BYTES_MAX);
        let mut is_held = false;
        for holder in holders.filter(|holder| holder.range.contains(&at)) {
            is_held = true;
            self.references[holder.node].extend(nodes[entry.index as usize]);
        }
        if !is_held {
            bail!("the relocation at {at} belongs to nothing");
        }
        Ok(())
    }

    /// The nodes that are reached from outside without entering a function of `later`.
    pub fn reached(&self, later: &BTreeSet<usize>) -> Vec<bool> {
        let mut is_reached = vec![false; self.references.len()];
        let mut open: Vec<usize> = self.roots.clone();
        while let Some(node) = open.pop() {
            if !later.contains(&node) && !std::mem::replace(&mut is_reached[node], true) {
                open.extend(&self.references[node]);
            }
        }
        is_reached
    }
}

/// The longest function or piece of data.
const HOLDER_BYTES_MAX: usize = 1 << 20;

/// What wasm-bindgen runs and removes when it binds a module.
fn is_description(export: &str) -> bool {
    export.starts_with("__wbindgen_describe")
}

/// Where a segment is put.
fn address(kind: &DataKind) -> Result<usize> {
    let DataKind::Active { offset_expr, .. } = kind else { bail!("a passive segment") };
    match offset_expr.get_operators_reader().read()? {
        Operator::I32Const { value } => Ok(value.cast_unsigned() as usize),
        _ => bail!("a segment without a fixed address"),
    }
}
