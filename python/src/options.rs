//! Options of Python as calls of the builder. What is not given stays the library's default.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyDict;
use tidegate::{Builder, Clock, Pin, Tidegate, Variant};

use crate::clock::{ManualClock, duration};
use crate::error::exception;
use crate::live::{percentage, unexpected};
use crate::{hasher, value};

/// A builder with these options, and its clock. Durations are seconds.
pub(crate) struct Configured {
    pub(crate) builder: Builder,
    pub(crate) has_hasher: bool,
}

pub(crate) fn configure(options: &Bound<'_, PyDict>) -> PyResult<Configured> {
    let mut builder = Tidegate::builder();
    let mut has_hasher = false;
    for (name, given) in options {
        let name: PyBackedStr = name.extract()?;
        has_hasher |= &*name == "hasher";
        builder = set(builder, &name, &given)?;
    }
    Ok(Configured { builder, has_hasher })
}

fn set(builder: Builder, name: &str, given: &Bound<'_, PyAny>) -> PyResult<Builder> {
    let py = given.py();
    let seconds = || duration(name, given);
    Ok(match name {
        "cache_name" => builder.cache_name(given.extract::<String>()?),
        "cache_dir" => builder.cache_dir(given.extract::<PathBuf>()?),
        "cache" | "locks" if given.is_truthy()? => builder,
        "cache" => builder.without_cache(),
        "trusted_keys" => given.try_iter()?.try_fold(builder, |builder, key| {
            let key: PyBackedStr = key?.extract()?;
            builder.trusted_key(&key).map_err(|problem| exception(py, "ConnectError", &problem, &[]))
        })?,
        "environment" => builder.environment(given.extract::<String>()?),
        "state_dir" => builder.state_dir(given.extract::<PathBuf>()?),
        "poll_interval" => builder.poll_interval(seconds()?),
        "default_lease" => builder.default_lease(seconds()?),
        "locks_file" => builder.locks_file(given.extract::<PathBuf>()?),
        "locks" => builder.without_locks(),
        "pins" => given.cast::<PyDict>()?.iter().try_fold(builder, |builder, (flag, pin)| {
            Ok::<_, PyErr>(builder.pin(&flag.extract::<PyBackedStr>()?, Pin::Value(value::json_text(&pin)?.into())))
        })?,
        "pin_variants" => given.cast::<PyDict>()?.iter().try_fold(builder, |builder, (flag, pin)| {
            Ok::<_, PyErr>(builder.pin(&flag.extract::<PyBackedStr>()?, Pin::Variant(variant(&pin)?)))
        })?,
        "startup_wait" => builder.startup_wait(seconds()?),
        "connect_timeout" => builder.connect_timeout(seconds()?),
        "timeout" => builder.timeout(seconds()?),
        "headers" => given.cast::<PyDict>()?.iter().try_fold(builder, |builder, (name, value)| {
            Ok::<_, PyErr>(builder.header(name.extract::<String>()?, value.extract::<String>()?))
        })?,
        "root_certificates" => builder.root_certificates(given.extract::<Vec<u8>>()?),
        "offline" => builder.offline(given.is_truthy()?),
        "clock" => builder.clock(clock(given)?),
        "random_seed" => builder.random_seed(given.extract()?),
        "hasher" => builder.hasher("hasher", hasher::function(given.clone().unbind())),
        "default_percentages" => given.cast::<PyDict>()?.iter().try_fold(builder, |builder, (flag, default)| {
            Ok::<_, PyErr>(builder.default_percentage(&flag.extract::<PyBackedStr>()?, percentage(&default)?))
        })?,
        _ => return Err(unexpected(name)),
    })
}

fn clock(given: &Bound<'_, PyAny>) -> PyResult<Clock> {
    Ok(given.cast::<ManualClock>()?.get().0.clone())
}

pub(crate) fn variant(given: &Bound<'_, PyAny>) -> PyResult<Variant> {
    let text: PyBackedStr = given.extract()?;
    [Variant::Stable, Variant::New].into_iter().find(|variant| variant.as_str() == &*text).ok_or_else(|| {
        pyo3::exceptions::PyValueError::new_err(format!("a variant is 'stable' or 'new', not {:?}", &*text))
    })
}
