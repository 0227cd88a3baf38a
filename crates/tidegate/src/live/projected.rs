//! From the value of a register to what is active.

use tidegate_engine::{CompileOptions, FlagKey, Snapshot, compile};

use super::value::{ChangeKind, ValueError, read_activation, read_definition_value};
use crate::registry::LiveChange;

/// What a register says, where `value` is none for one that was removed.
pub(crate) fn project(kind: ChangeKind, flag: &FlagKey, value: Option<&[u8]>) -> Result<LiveChange, ValueError> {
    Ok(match kind {
        ChangeKind::Activation => LiveChange::Activation(flag.clone(), value.map(read_activation).transpose()?),
        ChangeKind::Definition => {
            LiveChange::Definition(flag.clone(), value.map(|value| compiled(flag, value)).transpose()?)
        }
    })
}

/// The flag by itself, which is all that has to be compiled.
fn compiled(flag: &FlagKey, value: &[u8]) -> Result<Snapshot, ValueError> {
    Ok(compile(&*read_definition_value(flag, value)?, &CompileOptions::default()))
}
