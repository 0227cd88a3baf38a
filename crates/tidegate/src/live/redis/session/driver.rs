//! What a session asks of the driver, and hands to it. It waits for the driver, but not forever.

use std::time::Duration;

use tidegate_replica::Register;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout, timeout_at};

use super::Session;
use crate::live::inbox::Refused;
use crate::live::redis::lost::Lost;
use crate::live::redis_link::Ack;
use crate::live::request::Request;

impl Session {
    /// Everything that memory has.
    pub(super) async fn registers(&self) -> Result<Vec<Register>, Lost> {
        let (sender, receiver) = oneshot::channel();
        let look = move |view: &crate::live::driver_view::DriverView<'_>| {
            let _ = sender.send(view.replica.for_store());
        };
        self.request(|| Request::Query(Box::new(look))).await?;
        timeout(DRIVER_TIMEOUT, receiver).await.map_err(|_| busy())?.map_err(|_| Lost::Ended)
    }

    /// Hands registers to the driver, and waits until it has merged them.
    pub(super) async fn deliver(&self, registers: Vec<Register>) -> Result<(), Lost> {
        if registers.is_empty() {
            return Ok(());
        }
        let until = Instant::now() + DRIVER_TIMEOUT;
        loop {
            let (sender, receiver) = oneshot::channel();
            let reply = Box::new(move |is_merged| {
                let _ = sender.send(is_merged);
            });
            let request = Request::FromStore { registers: registers.clone(), reply };
            self.request(|| request).await?;
            match timeout_at(until, receiver).await {
                Ok(Ok(true)) => return Ok(()),
                // The disk has no room for more at the moment.
                Ok(Ok(false)) => tokio::time::sleep(BUSY_PAUSE).await,
                Ok(Err(_)) => return Err(Lost::Ended),
                Err(_) => return Err(busy()),
            }
        }
    }

    /// Tells the driver what Redis has said.
    pub(super) async fn acknowledge(&self, acks: Vec<Ack>) -> Result<(), Lost> {
        if acks.is_empty() {
            return Ok(());
        }
        self.request(|| Request::StoreAcks(acks)).await
    }

    /// Has the driver look whether Redis is loaded. If it is too busy, it looks when it is not.
    pub(in crate::live::redis) fn tell_loaded(&self) {
        let _ = self.intake.request(Request::StoreAcks(Vec::new()));
    }

    async fn request(&self, request: impl FnOnce() -> Request) -> Result<(), Lost> {
        let until = Instant::now() + DRIVER_TIMEOUT;
        while self.intake.is_full() {
            if Instant::now() >= until {
                return Err(busy());
            }
            tokio::time::sleep(BUSY_PAUSE).await;
        }
        self.intake.request(request()).map_err(|refused| match refused {
            Refused::Busy => busy(),
            Refused::Gone => Lost::Ended,
        })
    }
}

fn busy() -> Lost {
    Lost::Unreachable("this process is too busy to take what it has".to_owned())
}

/// The driver takes what it is given within this.
const DRIVER_TIMEOUT: Duration = Duration::from_secs(30);

/// Before the driver is asked again.
const BUSY_PAUSE: Duration = Duration::from_millis(10);
