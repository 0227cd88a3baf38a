//! `tidegate schema`: the JSON Schema of a document.

use tidegate_engine::document::schema;

use crate::exit::{Exit, Outcome};
use crate::output::Output;

/// Print the JSON Schema of a document, for editors
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate schema > tidegate.schema.json

Name it in the document (`\"$schema\": \"./tidegate.schema.json\"`), and an editor completes fields and shows \
their meaning. `tidegate check` finds more than the schema can express.")]
pub(crate) struct Args {}

pub(crate) fn run(_args: &Args, output: &mut Output) -> Outcome {
    output.text(&schema())?;
    Ok(Exit::Success)
}
