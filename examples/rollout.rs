//! Everything that the README of Rollout, the Elixir library, shows, line by line: what is quoted stands there, what
//! follows is its counterpart here.
//!
//! Run it twice: the second run finds what the first has left.
//!
//! ```text
//! cargo run -p tidegate --features cluster --example rollout -- /tmp/rollout
//! ```
#![expect(clippy::print_stdout, reason = "it is what the example shows")]

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use tidegate::{Level, Live, Tidegate};

fn main() -> Result<(), Box<dyn Error>> {
    let folder =
        std::env::args_os().nth(1).map_or_else(|| std::env::temp_dir().join("tidegate-rollout"), PathBuf::from);

    // "Flags are *not* maintained in between node restarts."
    // Here they are: a node has a folder, and what was acknowledged is in it.
    //
    // "You can mitigate this problem by setting defaults for each flag in your `Application.start/2` callback."
    // A default stands below every change. It overwrites none, at whichever start.
    let tide = Tidegate::builder()
        .live(Live::at(folder).name("example").cluster("rollout"))
        .default_percentage("beta_banner", 0)
        .without_locks()
        .connect()?;
    println!("at the start: {}", tide.is_active("blog_post_comments"));

    // "Check if a feature is active": Rollout.active?(:blog_post_comments), which is false for an unknown one.
    println!("unheard of: {}", tide.is_active("unheard_of"));

    // "Activate the feature": Rollout.activate(:blog_post_comments)
    let receipt = tide.activate("blog_post_comments").actor("dana").reason("comments are moderated now").send()?;
    println!("on: {}, by {}", tide.is_active("blog_post_comments"), receipt.stamp);

    // "De-activate the feature": Rollout.deactivate(:blog_post_comments)
    tide.deactivate("blog_post_comments").actor("dana").send()?;
    println!("off: {}", tide.is_active("blog_post_comments"));

    // "You can also activate a feature a certain percentage of the time."
    // Rollout.activate_percentage(:blog_post_comments, 20)
    tide.activate_percentage("blog_post_comments", 20).actor("dana").send()?;
    let calls = (0..10_000).filter(|_| tide.is_active("blog_post_comments")).count();
    println!("of 10,000 calls: {calls}");
    // A percentage of the time is a percentage of calls. More often one wants a percentage of users, each of whom keeps
    // the answer, also when the percentage is raised.
    let user = "user-17";
    let first = tide.is_active_for("blog_post_comments", user);
    println!(
        "always the same for {user}: {}",
        (0..1_000).all(|_| tide.is_active_for("blog_post_comments", user) == first)
    );

    // "A feature flag can be any term." Here it is a section and a name, as texts.
    tide.activate("search/new ranking").send()?;

    // "updates to feature flags may not be instantaneous across the cluster"
    // That is so. A receipt says how far a change has come, and one may ask for more.
    let receipt = tide.activate("search/new ranking").ack(Level::All).timeout(Duration::from_secs(2)).send()?;
    let have_it: Vec<&str> = receipt.durable_on.iter().map(|node| node.name.as_str()).collect();
    println!("on the disks of {have_it:?}, all of them: {}", receipt.is_reached);

    // "When merging registers across the cluster we always take register with the latest HLC."
    // So do we; and the history has what was replaced, who did it and why, and what has lost a race.
    let cluster = tide.cluster().ok_or("it was given a `Live`")?;
    for change in cluster.history("blog_post_comments", None, 4)?.changes {
        let value = change.value.map_or_else(|| "cleared".to_owned(), |value| value.to_string());
        println!("{} {} {value} {}", change.at, change.actor, change.reason);
    }
    println!("{} changes are held", cluster.status()?.node.registers);
    Ok(())
}
