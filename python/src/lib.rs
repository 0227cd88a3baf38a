//! The native part of the Python package `tidegate`: a thin layer over the library.
//!
//! Invariant: no thread of Rust ever calls Python. Callbacks and log records wait in queues that threads of Python serve, so the
//! end of the interpreter never meets a thread of ours, and no lock of ours is ever held while the GIL is waited for.

mod calls;
mod check;
mod clock;
mod error;
mod flag;
mod forks;
mod hasher;
mod instance;
mod live;
mod locks;
mod logs;
mod options;
mod subscription;
mod value;
mod view;
mod waiting;

use pyo3::prelude::*;

#[pymodule]
mod _native {
    use super::{Bound, PyModule, PyResult, logs};

    #[pymodule_export]
    use crate::calls::{Call, Calls};
    #[pymodule_export]
    use crate::check::{check, decide_entry};
    #[pymodule_export]
    use crate::clock::ManualClock;
    #[pymodule_export]
    use crate::flag::Flag;
    #[pymodule_export]
    use crate::forks::{after_fork_in_child, after_fork_in_parent, before_fork};
    #[pymodule_export]
    use crate::instance::{Empty, Instance};
    #[pymodule_export]
    use crate::locks::{add_lock, list_locks, remove_lock};
    #[pymodule_export]
    use crate::logs::{next_logs, stop_logs};
    #[pymodule_export]
    use crate::subscription::Subscription;
    #[pymodule_export]
    use crate::view::View;
    #[pymodule_export]
    use crate::waiting::waiting;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        use pyo3::types::PyModuleMethods;
        logs::install();
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
