//! Asks Sentinels where the master is.

use redis::cmd;

use super::address::Address;
use super::connection::{Connection, items, text};
use super::lost::Lost;
use super::place::Place;
use super::session::REPLY_TIMEOUT;

/// Where Redis is now: with Sentinels what the first one says that answers, otherwise the server with this number in the URL.
pub(super) async fn locate(address: &Address, turn: usize) -> Result<Place, Lost> {
    let Some(master) = &address.master else {
        let servers = address.servers();
        let place = turn.checked_rem(servers.len()).and_then(|index| servers.get(index));
        return place.cloned().ok_or_else(Lost::unexpected);
    };
    let mut why = None;
    for sentinel in address.servers() {
        match ask(sentinel, &master.name).await {
            Ok(Some(place)) => {
                return master.template.moved_to(&place, false).ok_or_else(Lost::unexpected);
            }
            Ok(None) => {
                let name = master.name.escape_debug();
                why = Some(Lost::Unreachable(format!(
                    "no Sentinel knows a master `{name}`; correct its name in the URL"
                )));
            }
            // One that does not answer does not hide what another one has said.
            Err(lost) => why = why.or(Some(lost.of_a_sentinel())),
        }
    }
    Err(why.unwrap_or_else(Lost::unexpected))
}

async fn ask(sentinel: &Place, name: &str) -> Result<Option<String>, Lost> {
    let mut connection = Connection::open(sentinel, REPLY_TIMEOUT).await?;
    let asked = connection.query(cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(name)).await?;
    let mut found = items(asked)?.into_iter();
    match (found.next(), found.next()) {
        (Some(host), Some(port)) => Ok(Some(format!("{}:{}", text(host)?, text(port)?))),
        _ => Ok(None),
    }
}
