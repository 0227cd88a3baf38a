//! Every entry of the list that is shared with the tests of the whole library.

use tidegate_origin::{Blame, Reply, misbehaviours};

use super::*;

#[test]
fn each_misbehaviour_is_noticed_by_whom_it_should_be() {
    let origin = Origin::start();
    let options = FetchOptions { timeout: Duration::from_millis(300), ..quick() };
    let patient = FetchOptions { timeout: Duration::from_secs(30), ..quick() };
    for bad in misbehaviours(GOOD, options.body_bytes_max) {
        let mut client = Client::at(
            &origin.url("/flags.json"),
            if bad.blame == Blame::Time { options.clone() } else { patient.clone() },
        );
        origin.script([Reply::document(GOOD).tag("\"good\""), bad.reply]);
        let (_, tag) = client.changed(None);
        let outcome = client.fetch(tag.as_ref());
        let is_as_expected = match &outcome {
            Ok(answer) => {
                bad.blame == Blame::Document
                    && matches!(&answer.fetched, Fetched::Changed { body, .. } if body != GOOD.as_bytes())
            }
            Err(FetchError::TimedOut { .. }) => bad.blame == Blame::Time,
            Err(_) => bad.blame == Blame::Transport,
        };
        assert!(is_as_expected, "{}: {outcome:?}", bad.name);
        origin.always(Reply::document(GOOD).tag("\"good\""));
        client.unchanged(tag.as_ref());
    }
}
