//! A support tool: why does this customer see that variant, and when does it change?
//!
//!     cargo run -p tidegate --example support -- examples/documents/steps.json checkout/new_payment_form dana
//!
//! `explain` runs the same code as a read, with a recorder, so the two cannot disagree.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;

use tidegate::{FlagKey, Micros, Tidegate};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [document, flag, key] = arguments.as_slice() else {
        return Err("write DOCUMENT FLAG KEY".into());
    };
    run(Path::new(document), flag, key, None, &mut io::stdout())
}

/// Explains the flag now, or at another instant.
pub(crate) fn run(
    document: &Path,
    flag: &str,
    key: &str,
    at: Option<Micros>,
    out: &mut dyn Write,
) -> Result<(), Box<dyn Error>> {
    let tide = Tidegate::builder().file(document).without_locks().connect()?;
    let view = tide.view();
    let view = at.map_or_else(|| view.clone(), |at| view.at(at));
    let flag = FlagKey::parse(flag);

    let why = view.explain(flag.section(), flag.flag(), key);
    writeln!(out, "{flag} is {} for {key}", why.value.as_deref().unwrap_or("the default of the program"))?;
    writeln!(out, "decided by: {}", why.rule.as_str())?;
    if let (Some(position), Some(share)) = (why.position, why.share) {
        writeln!(out, "position {} of 4294967296, {share} % of the positions have the new value", position.get())?;
    }
    if let Some(until) = why.valid_until {
        writeln!(out, "no change before {until}")?;
    }

    let flips = view.when(flag.section(), flag.flag(), key);
    if let Some(on) = flips.on {
        writeln!(out, "new from {on}")?;
    }
    if let Some(meant) =
        view.snapshot().nearest(&flag).filter(|_| view.snapshot().find_key(&flag.to_string()).is_none())
    {
        writeln!(out, "{flag} is unknown; did you mean {meant}?")?;
    }
    Ok(())
}
