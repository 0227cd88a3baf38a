//! Live changes: how an instance takes them, and a change that is about to be made.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyDict, PyFloat, PyString};
use tidegate::{Change, Level, Live, Percentage, Stamp, Tidegate};

use crate::clock::duration;
use crate::value::{dumps, instant};

/// What `Tidegate.live` was given.
pub(crate) struct LiveSettings {
    pub(crate) live: Live,
    /// Whether only one process can be this: it has a folder, an address or a certificate, or its changes are in its memory alone.
    pub(crate) is_bound: bool,
}

impl LiveSettings {
    pub(crate) fn new(folder: Option<PathBuf>, options: &Bound<'_, PyDict>) -> PyResult<Self> {
        let mut is_bound = folder.is_some();
        let mut is_shared = false;
        let mut live = folder.map_or_else(Live::in_memory, Live::at);
        for (name, given) in options {
            let name: PyBackedStr = name.extract()?;
            is_bound |= matches!(&*name, "listen" | "certificates");
            is_shared |= matches!(&*name, "peers" | "redis");
            live = set(live, &name, &given)?;
        }
        Ok(Self { live, is_bound: is_bound || !is_shared })
    }
}

fn set(live: Live, name: &str, given: &Bound<'_, PyAny>) -> PyResult<Live> {
    Ok(match name {
        "name" => live.name(given.extract::<String>()?),
        "cluster" => live.cluster(given.extract::<String>()?),
        "listen" => live.listen(parsed::<SocketAddr>(name, given)?),
        "advertise" => live.advertise(given.extract::<String>()?),
        "peers" => {
            given.try_iter()?.try_fold(live, |live, peer| Ok::<_, PyErr>(live.peer(peer?.extract::<String>()?)))?
        }
        "certificates" => live.certificates(given.extract::<PathBuf>()?),
        "insecure" if given.is_truthy()? => live.insecure(),
        "insecure" => live,
        "max_drift" => live.max_drift(duration(name, given)?),
        "redis" => live.with_redis(given.extract::<String>()?),
        "redis_root_certificates" => live.redis_root_certificates(given.extract::<Vec<u8>>()?),
        "redis_client_certificate" => {
            let (chain, key): (Vec<u8>, Vec<u8>) = given.extract()?;
            live.redis_client_certificate(chain, key)
        }
        _ => return Err(unexpected(name)),
    })
}

/// A change as the library makes it.
pub(crate) fn change(
    tide: &Tidegate,
    operation: &str,
    flag_key: &str,
    operand: &Bound<'_, PyAny>,
    options: &Bound<'_, PyDict>,
) -> PyResult<Change> {
    let mut change = match operation {
        "activate" => tide.activate(flag_key),
        "deactivate" => tide.deactivate(flag_key),
        "activate_percentage" => tide.activate_percentage(flag_key, percentage(operand)?),
        "clear" => tide.clear(flag_key),
        "define" => tide.define(flag_key, &entry(operand)?),
        "remove" => tide.remove(flag_key),
        operation => return Err(PyTypeError::new_err(format!("there is no change '{operation}'"))),
    };
    for (name, given) in options {
        change = set_of_change(change, &name.extract::<PyBackedStr>()?, &given)?;
    }
    Ok(change)
}

fn set_of_change(change: Change, name: &str, given: &Bound<'_, PyAny>) -> PyResult<Change> {
    Ok(match name {
        "actor" => change.actor(given.extract::<String>()?),
        "reason" => change.reason(given.extract::<String>()?),
        "until" => change.until(instant(given)?),
        "ack" => change.ack(parsed::<Level>(name, given)?),
        "timeout" => change.timeout(duration(name, given)?),
        "existing" if given.is_truthy()? => change.existing(),
        "elsewhere" if given.is_truthy()? => change.elsewhere(),
        "existing" | "elsewhere" => change,
        "if_stamp" if given.is_none() => change.if_stamp(None),
        "if_stamp" => change.if_stamp(Some(parsed::<Stamp>(name, given)?)),
        _ => return Err(unexpected(name)),
    })
}

/// A percentage: a number of any type, or its text. The library says what is wrong with anything else.
pub(crate) fn percentage(given: &Bound<'_, PyAny>) -> PyResult<Percentage> {
    match given.cast::<PyFloat>() {
        Ok(number) => Ok(Percentage::from(number.extract::<f64>()?)),
        Err(_) => Ok(Percentage::from(&*given.str()?.extract::<PyBackedStr>()?)),
    }
}

/// An entry: its JSON text, or what `json.loads` makes of that.
fn entry(given: &Bound<'_, PyAny>) -> PyResult<PyBackedStr> {
    if given.is_instance_of::<PyString>() { given.extract() } else { dumps(given) }
}

/// What the library reads from a text.
pub(crate) fn parsed<T: FromStr<Err: std::fmt::Display>>(name: &str, given: &Bound<'_, PyAny>) -> PyResult<T> {
    let text: PyBackedStr = given.extract()?;
    text.parse().map_err(|problem| PyValueError::new_err(format!("{name}: {problem}")))
}

pub(crate) fn unexpected(name: &str) -> PyErr {
    PyTypeError::new_err(format!("unexpected keyword argument '{name}'"))
}
