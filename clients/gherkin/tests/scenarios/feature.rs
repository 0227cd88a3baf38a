//! Reads a file of scenarios and runs each with a world of its own.

use std::path::Path;

use gherkin::{Feature, GherkinEnv, Scenario, Step};

use crate::world::{Expected, World};

/// Scenarios that are left out, by their name, a tag or a step: how many there are is checked, so that none is left out unseen.
pub(crate) struct Left {
    pub(crate) what: &'static str,
    pub(crate) count: usize,
}

/// Runs all scenarios of a file but those left out; answers how many.
pub(crate) async fn run(path: &Path, expected: Expected, left: &[Left]) -> usize {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let feature = Feature::parse(with_known_escapes(&text), GherkinEnv::default()).unwrap();
    let background: &[Step] = feature.background.as_ref().map_or(&[], |background| &background.steps);
    let mut counts = vec![0; left.len()];
    let mut count = 0;
    for scenario in &feature.scenarios {
        for (name, steps) in examples(scenario) {
            if let Some(place) = left.iter().position(|left| is_called(scenario, &steps, left.what)) {
                counts[place] += 1;
                continue;
            }
            let mut world = World::default();
            for step in background.iter().chain(&steps) {
                world.take(step, expected, &name).await;
            }
            count += 1;
        }
    }
    assert_eq!(counts, left.iter().map(|left| left.count).collect::<Vec<_>>(), "scenarios that are left out");
    count
}

/// In a table the reader refuses `\"`, which other readers of Gherkin leave as it is.
fn with_known_escapes(text: &str) -> String {
    let line = |line: &str| {
        let escaped = if line.trim_start().starts_with('|') { line.replace("\\\"", "\\\\\"") } else { line.to_owned() };
        escaped + "\n"
    };
    text.lines().map(line).collect()
}

fn is_called(scenario: &Scenario, steps: &[Step], what: &str) -> bool {
    scenario.name == what || scenario.tags.iter().any(|tag| tag == what) || steps.iter().any(|step| step.value == what)
}

/// The scenario for each row of its examples; the scenario itself if it has none.
fn examples(scenario: &Scenario) -> Vec<(String, Vec<Step>)> {
    let tables: Vec<_> = scenario.examples.iter().filter_map(|examples| examples.table.as_ref()).collect();
    if tables.is_empty() {
        return vec![(scenario.name.clone(), scenario.steps.clone())];
    }
    let mut all = Vec::new();
    for table in tables {
        let (head, rows) = table.rows.split_first().unwrap();
        for row in rows {
            let fill = |step: &Step| {
                let mut step = step.clone();
                for (name, value) in head.iter().zip(row) {
                    step.value = step.value.replace(&format!("<{name}>"), value);
                }
                step
            };
            all.push((format!("{}: {row:?}", scenario.name), scenario.steps.iter().map(fill).collect()));
        }
    }
    all
}
