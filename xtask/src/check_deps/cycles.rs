//! No import cycles between the modules of one crate.
//!
//! The rule: the children of one module form no cycle. A file `thing.rs` and its parts `thing/part.rs` count as the one module
//! `thing` where they import other children of the crate's root or are imported by them; inside `thing/` the same holds for the
//! parts. A module may import its own children and they may import it, because together they are one subject. An import of a
//! re-exported name (`crate::Name`, `super::Name`) counts as an import of the module that defines the name. Tests are left
//! out. What cannot be seen in imports does not count: methods may be implemented in a file above the one that has the type,
//! and that is the way to turn an arrow.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::modules::{ModulePath, Modules, modules, resolve};

/// An import: file, line, and the path as it is written.
type Import = String;

/// The children of one module: each with the siblings that it imports, and the first import of each.
type Siblings = BTreeMap<String, BTreeMap<String, Import>>;

/// Describes each group of modules that import each other in a circle: the shortest circle, with files and lines.
pub(super) fn cycles(root: &str, read: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let graphs = siblings(&modules(root, read));
    graphs.iter().flat_map(|(parent, graph)| cycles_among(parent, graph)).collect()
}

/// For each module, how its children import each other.
fn siblings(modules: &Modules) -> BTreeMap<ModulePath, Siblings> {
    let mut graphs: BTreeMap<ModulePath, Siblings> = BTreeMap::new();
    for (path, module) in modules {
        for reference in &module.references {
            let Some(target) = resolve(modules, path, &reference.segments) else { continue };
            let shared = path.iter().zip(&target).take_while(|(one, other)| one == other).count();
            let (Some(from), Some(to)) = (path.get(shared), target.get(shared)) else { continue };
            let imports = graphs.entry(path[..shared].to_vec()).or_default().entry(from.clone()).or_default();
            let place = format!("{}:{}: {}", module.file, reference.line, reference.segments.join("::"));
            imports.entry(to.clone()).or_insert(place);
        }
    }
    graphs
}

fn cycles_among(parent: &ModulePath, graph: &Siblings) -> Vec<String> {
    let mut problems = Vec::new();
    let mut reported = BTreeSet::new();
    for start in graph.keys() {
        if reported.contains(start) {
            continue;
        }
        let tied: BTreeSet<&String> =
            reachable(graph, start).into_iter().filter(|other| reachable(graph, other).contains(start)).collect();
        if tied.is_empty() {
            continue;
        }
        reported.extend(tied.iter().copied().cloned());
        let names: Vec<&str> = tied.iter().map(|name| name.as_str()).collect();
        let circle = names.iter().filter_map(|name| shortest(graph, name)).min_by_key(Vec::len).unwrap_or_default();
        let inside = if parent.is_empty() { String::new() } else { format!(" of `{}`", parent.join("::")) };
        problems.push(format!(
            "the modules `{}`{inside} import each other in a circle:\n    {}",
            names.join("`, `"),
            circle.join("\n    ")
        ));
    }
    problems
}

/// What `start` imports, directly or not.
fn reachable<'g>(graph: &'g Siblings, start: &str) -> BTreeSet<&'g String> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![start];
    while let Some(name) = waiting.pop() {
        for next in graph.get(name).into_iter().flat_map(BTreeMap::keys) {
            if found.insert(next) {
                waiting.push(next);
            }
        }
    }
    found
}

/// The imports of the shortest way from a module back to itself.
fn shortest(graph: &Siblings, start: &str) -> Option<Vec<Import>> {
    let mut came_from: BTreeMap<&str, (&str, &Import)> = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(name) = waiting.pop_front() {
        for (next, import) in graph.get(name).into_iter().flatten() {
            if came_from.contains_key(next.as_str()) {
                continue;
            }
            came_from.insert(next, (name, import));
            waiting.push_back(next);
        }
    }
    let mut imports = Vec::new();
    let mut at = start;
    while imports.is_empty() || at != start {
        let (before, import) = came_from.get(at)?;
        imports.insert(0, (*import).clone());
        at = before;
    }
    Some(imports)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks a crate of these files; of each problem the lines with imports are compared.
    fn check(files: &[(&str, &str)], expected: &[&str]) {
        let read = |file: &str| files.iter().find(|(name, _)| *name == file).map(|(_, text)| (*text).to_owned());
        let found = cycles("src/lib.rs", &read);
        let imports: Vec<&str> = found.iter().flat_map(|problem| problem.lines().skip(1)).map(str::trim).collect();
        assert_eq!(imports, expected, "{found:#?}");
    }

    #[test]
    fn modules_that_import_each_other_are_reported_with_files_and_lines() {
        let root = ("src/lib.rs", "mod a;\nmod b;\nmod c;\n");
        let (a, b) = (("src/a.rs", "use crate::b::B;\npub struct A;"), ("src/b.rs", "\nuse crate::c;\npub struct B;"));
        check(&[root, a, b, ("src/c.rs", "")], &[]);
        let c = ("src/c.rs", "fn f() {\n    let _ = super::a::A;\n}");
        check(&[root, a, b, c], &["src/a.rs:1: crate::b::B", "src/b.rs:2: crate::c", "src/c.rs:2: super::a::A"]);
    }

    #[test]
    fn a_name_that_is_exported_again_belongs_to_the_module_that_defines_it() {
        let root = ("src/lib.rs", "mod a;\nmod b;\npub use a::{A, Other as Renamed};\npub use b::B;");
        let a = ("src/a.rs", "use crate::B;\npub struct A;\npub struct Other;");
        check(&[root, a, ("src/b.rs", "pub struct B;")], &[]);
        check(
            &[root, a, ("src/b.rs", "use crate::{\n    Renamed,\n};")],
            &["src/a.rs:1: crate::B", "src/b.rs:2: crate::Renamed"],
        );
    }

    #[test]
    fn a_module_and_its_parts_count_as_one_for_others() {
        let root = ("src/lib.rs", "mod a;\nmod b;");
        let a = ("src/a.rs", "mod part;\npub struct A;");
        let part = ("src/a/part.rs", "use crate::b::B;\nuse super::A;");
        check(&[root, a, part, ("src/b.rs", "pub struct B;")], &[]);
        check(
            &[root, a, part, ("src/b.rs", "use crate::a::A;")],
            &["src/a/part.rs:1: crate::b::B", "src/b.rs:1: crate::a::A"],
        );
    }

    #[test]
    fn a_module_and_its_own_children_may_import_each_other_but_its_children_may_not() {
        let root = ("src/lib.rs", "mod a;");
        let a = ("src/a.rs", "mod one;\nmod two;\nuse one::One;\npub struct A;");
        let one = ("src/a/one.rs", "use super::A;\nuse super::two::Two;\npub struct One;");
        check(&[root, a, one, ("src/a/two.rs", "use super::A;\npub struct Two;")], &[]);
        check(
            &[root, a, one, ("src/a/two.rs", "use super::One;")],
            &["src/a/one.rs:2: super::two::Two", "src/a/two.rs:1: super::One"],
        );
    }

    #[test]
    fn tests_comments_and_visibility_do_not_count() {
        let root = ("src/lib.rs", "mod a;\nmod b;");
        let b = ("src/b.rs", "use crate::a;");
        for quiet in [
            "#[cfg(test)]\nmod tests {\n    use crate::b;\n}",
            "#[cfg(test)]\nmod tests;",
            "#[cfg(all(test, unix))]\nuse crate::b::{C, D};",
            "#[cfg(test)]\n#[expect(dead_code)]\npub(crate) fn f<A, B>(a: [u8; 2]) { crate::b::f() }",
            "struct A { #[cfg(test)] field: crate::b::B, other: u8 }",
            "// use crate::b;\n/// [`crate::b`]\nconst A: &str = \"crate::b\";",
            "pub(in crate::b) struct A;",
            "use other::b;",
        ] {
            check(&[root, ("src/a.rs", quiet), b], &[]);
        }
        for loud in [
            "#[cfg(not(test))]\nuse crate::b;",
            "#[cfg(test)]\nuse crate::{c};use crate::b;",
            "struct A { #[cfg(test)] field: u8, other: crate::b::B }",
            "mod inner { use super::super::b; }",
            "fn f() { 'b' ; let c: &'static str = crate::b::C; }",
        ] {
            let read = |file: &str| {
                [root, ("src/a.rs", loud), b].iter().find(|(name, _)| *name == file).map(|(_, text)| (*text).to_owned())
            };
            assert_eq!(cycles("src/lib.rs", &read).len(), 1, "{loud}");
        }
    }
}
