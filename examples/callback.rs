//! A callback: the document comes from somewhere that the library does not know, here a table with revisions.
//!
//!     cargo run -p tidegate --example callback
//!
//! The callback runs on a thread of its own and may block. It is given the tag of the document at hand, so that
//! an unchanged one need not be read again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidegate::{BoxError, Fetched, Tag, Tidegate};

/// Stands for a database.
#[derive(Default)]
struct Table(Mutex<(u64, String)>);

impl Table {
    fn write(&self, document: &str) {
        let mut row = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *row = (row.0 + 1, document.to_owned());
    }

    fn read(&self) -> (u64, String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the library calls, once for each poll. An error leaves the last good document active.
fn fetch(table: &Table, at_hand: Option<&Tag>) -> Result<Fetched, BoxError> {
    let (revision, document) = table.read();
    if revision == 0 {
        return Err("the table is empty".into());
    }
    let tag = Tag::new(format!("revision {revision}"))?;
    if at_hand == Some(&tag) {
        return Ok(Fetched::Unchanged);
    }
    Ok(Fetched::Changed { body: document.into_bytes(), tag: Some(tag) })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let table = Arc::new(Table::default());
    table.write(r#"{"mail": {"daily": {"stable": false}}}"#);
    let tide = {
        let table = Arc::clone(&table);
        Tidegate::builder()
            .callback(move |at_hand| fetch(&table, at_hand))
            .poll_interval(Duration::from_millis(100))
            .without_locks()
            .connect()?
    };
    say(&tide, "at first");

    let mut changes = tide.subscribe();
    table.write(r#"{"mail": {"daily": {"stable": true}}}"#);
    changes.recv_timeout(Duration::from_secs(10))?;
    say(&tide, "after a change");

    table.write(r#"{"mail": {"daily": {"stable": true, "start_time": "tomorrow"}}}"#);
    changes.recv_timeout(Duration::from_secs(10))?;
    say(&tide, "after a mistake");
    Ok(())
}

#[expect(clippy::print_stdout, reason = "an example talks to the terminal")]
fn say(tide: &Tidegate, when: &str) {
    let status = tide.status();
    let daily = tide.is_active_for("mail/daily", "user-1");
    println!("{when}: daily mail is {daily}, health {}, tag {:?}", status.health.as_str(), status.tag);
    if let Some(refused) = status.refused {
        println!("  refused: {}", refused.message);
    }
}
