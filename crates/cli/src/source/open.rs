//! Makes an instance of the library for a command.

use std::sync::Arc;

use tidegate::{Builder, ConnectError, Fetched, SourceError, Tidegate};

use crate::args::{Header, Location, SourceOptions, read_headers};
use crate::exit::{Exit, Failure, chain};
use crate::files;
use crate::output::Output;
use crate::text::escape;

use super::{duration, read};

/// A source, ready to be connected to.
pub(crate) struct Opened {
    pub(crate) builder: Builder,
    /// The text, where it can be read only once: of standard input or a pipe.
    pub(crate) text: Option<Arc<[u8]>>,
}

/// Prepares a source with the options of the command line.
pub(crate) fn open(place: &Location, options: &SourceOptions, output: &mut Output) -> Result<Opened, Failure> {
    let timeout = duration(options.timeout);
    let mut builder = Tidegate::builder().timeout(timeout).connect_timeout(timeout.min(CONNECT_TIMEOUT));
    let mut text = None;
    match place {
        Location::Url(url) => {
            let made = at_url(builder, url);
            builder = made.map_err(|error| {
                Failure::usage(format_args!("`{}`: {}", escape(&without_credentials(url)), chain(&error)))
            })?;
            builder = builder.offline(options.offline);
            if let Some(pem) = options.extra_roots()? {
                builder = builder.root_certificates(pem);
            }
        }
        Location::Follow(servers) => {
            for server in servers {
                let url = if server.contains("://") { server.clone() } else { format!("http://{server}") };
                let made = builder.follow(&url);
                builder =
                    made.map_err(|error| Failure::usage(format_args!("`{}`: {}", escape(server), chain(&error))))?;
            }
            builder = builder.offline(options.offline);
            if let Some(pem) = options.extra_roots()? {
                builder = builder.root_certificates(pem);
            }
        }
        Location::Path(path) if !files::is_stream(path) => builder = builder.file(path),
        Location::Path(_) | Location::Stdin => {
            let bytes: Arc<[u8]> = read(place, options, output)?.into();
            text = Some(Arc::clone(&bytes));
            builder = builder.callback(move |_| Ok(Fetched::Changed { body: bytes.to_vec(), tag: None }));
        }
    }
    builder = with_zookeeper_credentials(trusting(builder, options)?, options)?;
    if let Some(name) = &options.cache {
        builder = builder.cache_name(name);
    }
    for header in headers(options, output)? {
        builder = builder.header(header.name, header.value);
    }
    Ok(Opened { builder, text })
}

/// A URL without user and password, also where it is not a valid one.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let servers = authority.rsplit_once('@').map_or(authority, |(_, servers)| servers);
    format!("{scheme}://{servers}{path}")
}

/// The same builder, with the document at a URL.
fn at_url(builder: Builder, url: &str) -> Result<Builder, SourceError> {
    #[cfg(feature = "zookeeper")]
    if url.split_once("://").is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("zk")) {
        return builder.zookeeper(url);
    }
    builder.http(url)
}

/// The same builder, with the user and the password in a file.
#[cfg(feature = "zookeeper")]
fn with_zookeeper_credentials(builder: Builder, options: &SourceOptions) -> Result<Builder, Failure> {
    let Some(file) = &options.zookeeper_auth_file else { return Ok(builder) };
    let unusable = |error: &dyn std::fmt::Display| {
        let name = file.display().to_string();
        Failure::usage(format_args!("cannot use the credentials in `{}`: {error}", escape(&name)))
    };
    let text = files::read(file, files::SMALL_BYTES_MAX).map_err(|error| unusable(&error))?;
    let text = String::from_utf8(files::without_mark(text)).map_err(|_| unusable(&"they are not UTF-8"))?;
    builder.zookeeper_digest(text.trim_end_matches(['\r', '\n'])).map_err(|error| unusable(&error))
}

#[cfg(not(feature = "zookeeper"))]
fn with_zookeeper_credentials(builder: Builder, _: &SourceOptions) -> Result<Builder, Failure> {
    Ok(builder)
}

/// The same builder, with the keys and the environment of the command line.
pub(crate) fn trusting(mut builder: Builder, options: &SourceOptions) -> Result<Builder, Failure> {
    for file in &options.trusted_keys {
        let unusable = |error: &dyn std::fmt::Display| {
            Failure::usage(format_args!("cannot use the key in `{}`: {error}", escape(&file.display().to_string())))
        };
        let text = files::read(file, files::SMALL_BYTES_MAX).map_err(|error| unusable(&error))?;
        let text = files::without_mark(text);
        builder = builder.trusted_key(&String::from_utf8_lossy(&text)).map_err(|error| unusable(&error))?;
    }
    Ok(match &options.environment {
        Some(name) => builder.environment(name),
        None => builder,
    })
}

/// Makes the instance.
pub(crate) fn connect(builder: Builder) -> Result<Tidegate, Failure> {
    builder.connect().map_err(|error| connect_failure(&error))
}

/// The error for an instance that cannot be made: of a source that is described wrongly, by an argument or by a variable such as
/// `HTTP_PROXY`, it is wrong usage.
pub(crate) fn connect_failure(error: &ConnectError) -> Failure {
    let is_local =
        !matches!(error, ConnectError::Source(_)) || matches!(error, ConnectError::Source(SourceError::Client { .. }));
    Failure::new(if is_local { Exit::Failed } else { Exit::Usage }, escape(&chain(error)))
}

/// The headers of the command line and of the file.
fn headers(options: &SourceOptions, output: &mut Output) -> Result<Vec<Header>, Failure> {
    let mut headers = options.headers.clone();
    for header in headers.iter().filter(|header| header.is_secret()) {
        output.warning(format_args!(
            "other users of this host can see the value of `{}` in the list of processes; use --header-file",
            header.name
        ));
    }
    if let Some(file) = &options.header_file {
        let read = read_headers(file)
            .map_err(|error| Failure::usage(format_args!("cannot use the headers in `{}`: {error}", file.display())))?;
        headers.extend(read);
    }
    Ok(headers)
}

/// The library's own default; a shorter --timeout shortens it.
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(3);
