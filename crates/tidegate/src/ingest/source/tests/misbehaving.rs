//! Every entry of the list that is shared with the tests of the whole library.

use tidegate_origin::{Blame, Reply, misbehaviours};

use super::*;

#[test]
fn each_misbehaviour_is_noticed_by_whom_it_should_be() {
    let origin = Origin::start();
    let url = origin.url("/flags.json");
    for bad in misbehaviours(GOOD, quick().body_bytes_max) {
        let is_slow = bad.blame == Blame::Time;
        origin.always(Reply::document(GOOD).tag("\"good\""));
        let mut client = Client::at(&url, quick());
        let (_, tag) = client.changed(None);
        if is_slow {
            client = Client::at(&url, impatient());
        }
        origin.always(bad.reply);
        let outcome = client.fetch(tag.as_ref());
        let is_as_expected = match &outcome {
            Ok(Answer { fetched: Fetched::Changed { body, .. }, .. }) => {
                bad.blame == Blame::Document && body != GOOD.as_bytes()
            }
            Ok(_) => false,
            Err(FetchError::TimedOut { .. }) => is_slow,
            Err(_) => bad.blame == Blame::Transport,
        };
        assert!(is_as_expected, "{}: {outcome:?}", bad.name);
        origin.always(Reply::document(GOOD).tag("\"good\""));
        client.recovers();
    }
}
