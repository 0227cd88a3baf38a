//! The application's environment as calls of the builder. What is not given stays the library's default.

use std::net::SocketAddr;
use std::time::Duration;

use rustler::{Atom, Decoder, Term};
use tidegate::{Builder, Live, Source, Tidegate};

use crate::error::Problem;
use crate::write::percentage;

/// A builder with these options.
pub(crate) fn builder(given: Vec<(Atom, Term<'_>)>) -> Result<Builder, Problem> {
    let named = given.into_iter().map(|(name, value)| {
        let name = name.to_term(value.get_env()).atom_to_string();
        name.map(|name| (name, value)).map_err(|_| Problem::invalid(&"the name of an option is not valid UTF-8"))
    });
    let named = named.collect::<Result<Vec<_>, _>>()?;
    let given = |option: &str| named.iter().find(|(name, _)| name == option).map(|(_, value)| *value);
    let folder = given("data_folder");
    let mut live = match folder {
        Some(folder) if !is_memory(folder) => Live::at(text("data_folder", folder)?),
        _ => Live::in_memory(),
    };
    // A follower has what its server has. What else is given of a node, the library refuses.
    let is_follower = given("follow").is_some() && !NODE.iter().any(|option| given(option).is_some());
    let mut builder = Tidegate::builder();
    for (name, value) in named {
        let name = name.as_str();
        live = match name {
            "data_folder" => live,
            "name" => live.name(text(name, value)?),
            "cluster" => live.cluster(text(name, value)?),
            "listen" => live.listen(address(name, value)?),
            "advertise" => live.advertise(text(name, value)?),
            "peers" => texts(name, value)?.into_iter().fold(live, Live::peer),
            "certificates" => live.certificates(text(name, value)?),
            "insecure" => {
                if flag(name, value)? {
                    live.insecure()
                } else {
                    live
                }
            }
            "max_drift" => live.max_drift(milliseconds(name, value)?),
            _ => {
                builder = set(builder, name, value)?;
                live
            }
        };
    }
    Ok(if is_follower { builder } else { builder.live(live) })
}

/// The options of a node of a cluster.
const NODE: &[&str] =
    &["data_folder", "name", "cluster", "listen", "advertise", "peers", "certificates", "insecure", "max_drift"];

fn set(builder: Builder, name: &str, value: Term<'_>) -> Result<Builder, Problem> {
    Ok(match name {
        "follow" => texts(name, value)?.into_iter().try_fold(builder, |builder, server| {
            builder.follow(&server).map_err(|problem| Problem::invalid(&problem))
        })?,
        "sources" => texts(name, value)?
            .into_iter()
            .try_fold(builder, |builder, place| Ok::<_, Problem>(builder.additional_source(source(&place)?)))?,
        "document" => builder.additional_source(Source::text(text(name, value)?)),
        "defaults" => decoded::<Vec<(String, Term<'_>)>>(name, "percentages by flag keys", value)?
            .into_iter()
            .fold(builder, |builder, (flag, default)| builder.default_percentage(&flag, percentage(default))),
        "cache_name" => builder.cache_name(text(name, value)?),
        "cache_folder" => builder.cache_dir(text(name, value)?),
        "cache" => {
            if flag(name, value)? {
                builder
            } else {
                builder.without_cache()
            }
        }
        "poll_interval" => builder.poll_interval(milliseconds(name, value)?),
        "locks_file" => builder.locks_file(text(name, value)?),
        "locks" => {
            if flag(name, value)? {
                builder
            } else {
                builder.without_locks()
            }
        }
        "startup_wait" => builder.startup_wait(milliseconds(name, value)?),
        _ => return Err(Problem::invalid(&format!("the application `tidegate` has no option `{name}`"))),
    })
}

/// A URL, or the path of a file.
fn source(place: &str) -> Result<Source, Problem> {
    let is_url = place.starts_with("http://") || place.starts_with("https://");
    if is_url { Source::http(place).map_err(|problem| Problem::invalid(&problem)) } else { Ok(Source::file(place)) }
}

fn is_memory(value: Term<'_>) -> bool {
    value.atom_to_string().is_ok_and(|name| name == "memory" || name == "nil")
}

fn address(name: &str, value: Term<'_>) -> Result<SocketAddr, Problem> {
    text(name, value)?.parse().map_err(|_| wrong(name, "an address such as \"0.0.0.0:7947\"", value))
}

fn milliseconds(name: &str, value: Term<'_>) -> Result<Duration, Problem> {
    decoded(name, "a number of milliseconds", value).map(Duration::from_millis)
}

fn flag(name: &str, value: Term<'_>) -> Result<bool, Problem> {
    if value.is_atom() {
        decoded(name, "`true` or `false`", value)
    } else {
        Err(wrong(name, "`true` or `false`", value))
    }
}

fn texts(name: &str, value: Term<'_>) -> Result<Vec<String>, Problem> {
    decoded(name, "a list of texts", value)
}

fn text(name: &str, value: Term<'_>) -> Result<String, Problem> {
    decoded(name, "a text", value)
}

fn decoded<'a, T: Decoder<'a>>(name: &str, what: &str, value: Term<'a>) -> Result<T, Problem> {
    value.decode().map_err(|_| wrong(name, what, value))
}

fn wrong(name: &str, what: &str, value: Term<'_>) -> Problem {
    Problem::invalid(&format!("`{name}` is {value:?}; it has to be {what}"))
}
