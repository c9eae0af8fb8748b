//! Divides the client into two modules: what the first screen needs, and what is fetched after it.
//!
//! Both have one memory, one table of functions and one stack. `web/later.txt` names the functions at which the second
//! begins; whatever only they reach is in it. In the first module, a stub stands for each function of the second that
//! it calls: it makes sure that the second is there, and calls the function by its place in the table, which the second
//! module fills.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use anyhow::{Context as _, Result, bail};
use walrus::ir::{Visitor, dfs_in_order};
use walrus::{
    ConstExpr, DataKind, ElementItems, ElementKind, ExportItem, FunctionBuilder, FunctionId,
    FunctionKind, GlobalKind, ImportKind, ImportedFunction, Module, ModuleConfig, TableId, ir,
};

use crate::graph::Graph;

/// What precedes the names of functions of the second module between the marking and the split.
const LATER: &str = "later ";
/// The function of the client that makes sure that the second module is there.
const ENTER: &str = "enterLater";
/// The module of the second one's imports: the first one's exports.
const FIRST: &str = "first";
/// Fewer bytes of data than this between others are not worth a segment of their own.
const SEGMENT_BYTES_MIN: usize = 12;

/// Where the second module begins.
pub struct Division {
    functions: BTreeSet<usize>,
    /// Which bytes of memory only the second module needs.
    data: Vec<Range<usize>>,
}

impl Division {
    /// Divides a module of the linker by a list of paths, one a line.
    pub fn of(graph: &Graph, list: &str) -> Result<Self> {
        let paths = list.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut entries = BTreeSet::new();
        for path in paths.filter(|line| !line.starts_with('#')) {
            let named = graph.names.iter().enumerate().filter(|(_, name)| is_in(name, path));
            let known = entries.len();
            entries.extend(named.map(|(number, _)| number));
            if entries.len() == known {
                bail!("{path} names no function: is it `#[inline(never)]`?");
            }
        }
        let reached = graph.reached(&entries);
        let (functions, data) = reached.split_at(graph.names.len());
        let mut is_first = Vec::new();
        let mut is_second = Vec::new();
        for (range, is_reached) in graph.data.iter().zip(data) {
            if *is_reached { is_first.push(range.clone()) } else { is_second.push(range.clone()) }
        }
        let functions = functions.iter().enumerate().filter(|(_, is_reached)| !**is_reached);
        let mut data = without(is_second, is_first);
        data.retain(|range| range.len() >= SEGMENT_BYTES_MIN);
        Ok(Self { functions: functions.map(|(number, _)| number).collect(), data })
    }

    /// Marks the functions of the second module by a name, which outlives the binding.
    pub fn mark(&self, module: &[u8]) -> Result<Vec<u8>> {
        let marked = self.functions.clone();
        let mut config = ModuleConfig::new();
        config.on_parse(move |module, ids| {
            for number in &marked {
                let name = &mut module.funcs.get_mut(ids.get_func(u32::try_from(*number)?)?).name;
                *name = Some(format!("{LATER}{}", name.as_deref().unwrap_or_default()));
            }
            Ok(())
        });
        let mut module = config.parse(module)?;
        let surplus: Vec<_> =
            module.customs.iter().map(|(id, custom)| (id, custom.name().to_owned())).collect();
        for (id, name) in surplus {
            if name == "linking" || name.starts_with("reloc.") {
                module.customs.delete(id);
            }
        }
        Ok(module.emit_wasm())
    }

    /// Divides a bound module that was marked.
    pub fn split(&self, bound: &[u8]) -> Result<[Vec<u8>; 2]> {
        let parse = || {
            ModuleConfig::new()
                .generate_name_section(false)
                .generate_producers_section(false)
                .parse(bound)
        };
        Ok([self.first(parse()?)?, self.second(parse()?)?])
    }

    fn first(&self, mut module: Module) -> Result<Vec<u8>> {
        let seam = Seam::of(&module)?;
        let enter = module.exports.get_func(ENTER).context("the client exports no `enterLater`")?;
        for (function, place) in &seam.places {
            let ty = module.funcs.get(*function).ty();
            let (parameters, results) = module.types.params_results(ty);
            let (parameters, results) = (parameters.to_vec(), results.to_vec());
            let locals: Vec<_> = parameters.iter().map(|ty| module.locals.add(*ty)).collect();
            let mut stub = FunctionBuilder::new(&mut module.types, &parameters, &results);
            let mut body = stub.func_body();
            body.call(enter);
            for local in &locals {
                body.local_get(*local);
            }
            body.i32_const(i32::try_from(*place)?).call_indirect(ty, seam.table);
            module.funcs.get_mut(*function).kind = FunctionKind::Local(stub.local_func(locals));
        }
        seam.lengthen(&mut module);
        for (item, name) in &seam.shared {
            module.exports.add(name, *item);
        }
        self.keep_data(&mut module, false)?;
        Ok(finished(module))
    }

    fn second(&self, mut module: Module) -> Result<Vec<u8>> {
        let seam = Seam::of(&module)?;
        module.start = None;
        let exports: Vec<_> = module.exports.iter().map(walrus::Export::id).collect();
        exports.into_iter().for_each(|id| module.exports.delete(id));
        self.keep_data(&mut module, true)?;
        seam.lengthen(&mut module);
        let old: Vec<_> = module.elements.iter().map(walrus::Element::id).collect();
        for id in old {
            if let ElementKind::Active { table, .. } = module.elements.get(id).kind {
                module.tables.get_mut(table).elem_segments.remove(&id);
            }
            module.elements.delete(id);
        }
        for (item, name) in &seam.shared {
            let import = module.imports.add(FIRST, name, kind(*item)?);
            match *item {
                ExportItem::Function(id) => {
                    let function = module.funcs.get_mut(id);
                    let ty = function.ty();
                    if let FunctionKind::Import(old) = &function.kind {
                        module.imports.delete(old.import);
                    }
                    function.kind = FunctionKind::Import(ImportedFunction { import, ty });
                }
                ExportItem::Table(id) => module.tables.get_mut(id).import = Some(import),
                ExportItem::Memory(id) => module.memories.get_mut(id).import = Some(import),
                ExportItem::Global(id) => {
                    module.globals.get_mut(id).kind = GlobalKind::Import(import);
                }
                ExportItem::Tag(_) => bail!("exceptions are not divided yet"),
            }
        }
        for (place, functions) in seam.runs() {
            let offset = ConstExpr::Value(ir::Value::I32(i32::try_from(place)?));
            let kind = ElementKind::Active { table: seam.table, offset };
            let element = module.elements.add(kind, ElementItems::Functions(functions));
            module.tables.get_mut(seam.table).elem_segments.insert(element);
        }
        Ok(finished(module))
    }

    /// Keeps the data of the one module or of the other.
    fn keep_data(&self, module: &mut Module, is_second: bool) -> Result<()> {
        let old: Vec<_> = module.data.iter().map(walrus::Data::id).collect();
        for id in old {
            let data = module.data.get(id);
            let DataKind::Active { memory, offset: ConstExpr::Value(ir::Value::I32(base)) } =
                data.kind
            else {
                bail!("a segment without a fixed address");
            };
            let (base, value) = (base.cast_unsigned() as usize, data.value.clone());
            module.data.delete(id);
            let segments = &mut module.memories.get_mut(memory).data_segments;
            segments.remove(&id);
            let whole = base..base + value.len();
            let later = clipped(&self.data, &whole);
            let kept = if is_second { later } else { without(vec![whole], later) };
            for range in kept {
                let offset = ConstExpr::Value(ir::Value::I32(i32::try_from(range.start)?));
                let kind = DataKind::Active { memory, offset };
                let bytes = value[range.start - base..range.end - base].to_vec();
                segments.insert(module.data.add(kind, bytes));
            }
        }
        Ok(())
    }
}

/// What both modules share.
struct Seam {
    table: TableId,
    /// Places in the table, of functions of the second module that the first one calls.
    places: BTreeMap<FunctionId, u64>,
    /// The length of the table.
    end: u64,
    /// What the second module takes from the first one, by the names of that.
    shared: Vec<(ExportItem, String)>,
}

impl Seam {
    fn of(module: &Module) -> Result<Self> {
        let is_later = |id: FunctionId| {
            let function = module.funcs.get(id);
            let is_marked = function.name.as_ref().is_some_and(|name| name.starts_with(LATER));
            is_marked && matches!(function.kind, FunctionKind::Local(_))
        };
        let table = module.tables.main_function_table()?.context("the module has no table")?;
        let mut places = BTreeMap::new();
        for element in module.elements.iter() {
            let (
                ElementKind::Active { table: of, offset: ConstExpr::Value(ir::Value::I32(offset)) },
                ElementItems::Functions(functions),
            ) = (&element.kind, &element.items)
            else {
                bail!("elements of an unknown form");
            };
            if *of == table {
                let from = u64::from(offset.cast_unsigned());
                let placed = functions.iter().copied().zip(from..);
                places.extend(placed.filter(|(function, _)| is_later(*function)));
            }
        }
        let mut end = module.tables.get(table).initial;
        let mut place = |function: FunctionId| {
            places.entry(function).or_insert_with(|| {
                end += 1;
                end - 1
            });
        };
        for export in module.exports.iter() {
            if let ExportItem::Function(function) = export.item
                && is_later(function)
            {
                place(function);
            }
        }
        let mut shared = Uses::default();
        for (id, function) in module.funcs.iter_local() {
            let mut uses = Uses::default();
            dfs_in_order(&mut uses, function, function.entry_block());
            if is_later(id) {
                shared.items.extend(uses.items);
                shared.functions.extend(uses.functions.into_iter().filter(|used| !is_later(*used)));
            } else {
                uses.functions.into_iter().filter(|used| is_later(*used)).for_each(&mut place);
            }
        }
        shared.items.extend(module.tables.iter().map(|table| Item::Table(table.id())));
        shared.items.extend(module.memories.iter().map(|memory| Item::Memory(memory.id())));
        let functions = shared.functions.into_iter().map(ExportItem::Function);
        let items = shared.items.into_iter().map(|item| match item {
            Item::Global(id) => ExportItem::Global(id),
            Item::Memory(id) => ExportItem::Memory(id),
            Item::Table(id) => ExportItem::Table(id),
        });
        let names = (0_u32..).map(|number| format!("{number:x}"));
        Ok(Self { table, places, end, shared: functions.chain(items).zip(names).collect() })
    }

    /// Makes room for the functions that had no place.
    fn lengthen(&self, module: &mut Module) {
        let table = module.tables.get_mut(self.table);
        table.initial = table.initial.max(self.end);
        table.maximum = table.maximum.map(|most| most.max(self.end));
    }

    /// Functions of the second module at places that follow one another.
    fn runs(&self) -> Vec<(u64, Vec<FunctionId>)> {
        let mut placed: Vec<_> =
            self.places.iter().map(|(function, place)| (*place, *function)).collect();
        placed.sort_unstable();
        let mut runs: Vec<(u64, Vec<FunctionId>)> = Vec::new();
        for (place, function) in placed {
            match runs.last_mut() {
                Some((from, run)) if *from + run.len() as u64 == place => run.push(function),
                _ => runs.push((place, vec![function])),
            }
        }
        runs
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Global(walrus::GlobalId),
    Memory(walrus::MemoryId),
    Table(TableId),
}

/// What instructions refer to.
#[derive(Default)]
struct Uses {
    functions: BTreeSet<FunctionId>,
    items: BTreeSet<Item>,
}

impl Visitor<'_> for Uses {
    fn visit_function_id(&mut self, id: &FunctionId) {
        self.functions.insert(*id);
    }

    fn visit_global_id(&mut self, id: &walrus::GlobalId) {
        self.items.insert(Item::Global(*id));
    }
}

fn kind(item: ExportItem) -> Result<ImportKind> {
    Ok(match item {
        ExportItem::Function(id) => id.into(),
        ExportItem::Table(id) => id.into(),
        ExportItem::Memory(id) => id.into(),
        ExportItem::Global(id) => id.into(),
        ExportItem::Tag(_) => bail!("exceptions are not divided yet"),
    })
}

/// The module without what it does not use.
fn finished(mut module: Module) -> Vec<u8> {
    walrus::passes::gc::run(&mut module);
    let customs: Vec<_> = module.customs.iter().map(|(id, _)| id).collect();
    for id in customs {
        module.customs.delete(id);
    }
    module.emit_wasm()
}

/// Whether a function is named by a path, which stands in its name as a whole. What drops a value is not, because it
/// names its type, and may run anywhere.
fn is_in(name: &str, path: &str) -> bool {
    if name.starts_with("core::ptr::drop_in_place") {
        return false;
    }
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    name.match_indices(path).any(|(at, _)| {
        !name[..at].ends_with(is_word) && !name[at + path.len()..].starts_with(is_word)
    })
}

/// Ranges without those of another list.
fn without(ranges: Vec<Range<usize>>, others: Vec<Range<usize>>) -> Vec<Range<usize>> {
    let others = joined(others);
    let mut rest = Vec::new();
    for mut range in joined(ranges) {
        let from = others.partition_point(|other| other.end <= range.start);
        for other in others[from..].iter().take_while(|other| other.start < range.end) {
            rest.push(range.start..other.start.max(range.start));
            range.start = other.end.min(range.end);
        }
        rest.push(range);
    }
    rest.retain(|range| !range.is_empty());
    rest
}

/// Ranges in their order, each byte once.
fn joined(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match joined.last_mut() {
            Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

/// What of the ranges is in another one.
fn clipped(ranges: &[Range<usize>], whole: &Range<usize>) -> Vec<Range<usize>> {
    let clip = |range: &Range<usize>| range.start.max(whole.start)..range.end.min(whole.end);
    ranges.iter().map(clip).filter(|range| !range.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_by_their_paths() {
        let check = |name: &str, path: &str, expected: bool| {
            assert_eq!(is_in(name, path), expected, "{name}: {path}");
        };
        check("client::view::panel::panel", "client::view::panel", true);
        check("client::view::panel::panel::{{closure}}", "client::view::panel", true);
        check("<client::view::panel::Part as core::fmt::Debug>::fmt", "client::view::panel", true);
        check("<&client::Error as core::fmt::Debug>::fmt", "client::Error as", true);
        check("client::view::panels", "client::view::panel", false);
        check("other_client::view::panel", "client::view::panel", false);
        check("core::ptr::drop_in_place<client::view::panel::Part>", "client::view::panel", false);
    }

    #[test]
    fn ranges_without_others() {
        let ranges = |ends: &[(usize, usize)]| -> Vec<_> {
            ends.iter().map(|(start, end)| *start..*end).collect()
        };
        let check = |of: &[(usize, usize)],
                     others: &[(usize, usize)],
                     expected: &[(usize, usize)]| {
            assert_eq!(without(ranges(of), ranges(others)), ranges(expected), "{of:?} {others:?}");
        };
        check(&[], &[(0, 9)], &[]);
        check(&[(0, 9)], &[], &[(0, 9)]);
        check(&[(5, 9), (0, 5), (3, 6)], &[], &[(0, 9)]);
        check(&[(0, 9)], &[(3, 4)], &[(0, 3), (4, 9)]);
        check(&[(0, 9)], &[(0, 2), (8, 12)], &[(2, 8)]);
        check(&[(0, 4), (6, 9)], &[(3, 7)], &[(0, 3), (7, 9)]);
        check(&[(2, 4)], &[(0, 9)], &[]);
        assert_eq!(clipped(&ranges(&[(0, 4), (6, 9)]), &(2..7)), ranges(&[(2, 4), (6, 7)]));
        assert!(clipped(&ranges(&[(0, 4)]), &(4..7)).is_empty());
    }
}
