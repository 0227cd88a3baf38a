//! A change of a flag that is about to be made: who makes it and why, and how sure it is to be.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use tidegate_engine::{FlagKey, Micros};
use tidegate_replica::{Expected, Level, Stamp};
use tokio::sync::oneshot;

use super::change_error::ChangeError;
use super::change_request::{ChangeRequest, FlagTags, Operation, Target};
use super::driver_handle::{DriverHandle, to_timeout};
use super::receipt::{Done, Receipt};
use super::request::{Refusal, Request};
use crate::registry::Registry;

/// A change that is about to be made; by [`Tidegate::activate`](crate::Tidegate::activate) and its like. Nothing
/// happens before it is sent.
///
/// ```
/// use tidegate::{Level, Live, Tidegate};
///
/// let tide = Tidegate::builder().live(Live::in_memory()).without_locks().connect()?;
/// let receipt = tide.activate("blog_post_comments").actor("dana").reason("ready").ack(Level::Local).send()?;
/// assert!(receipt.is_reached);
/// assert!(tide.is_active("blog_post_comments"), "seen here before `send` returns");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a change does nothing until it is sent"]
pub struct Change {
    /// Taken out when the change is sent.
    pub(super) driver: Option<Arc<DriverHandle>>,
    pub(super) request: ChangeRequest,
    /// The server that the instance follows.
    pub(super) server: Option<String>,
}

impl Change {
    pub(crate) fn new(driver: Option<Arc<DriverHandle>>, flag_key: &str, operation: Operation) -> Self {
        Self { driver, request: ChangeRequest::new(FlagKey::parse(flag_key), operation), server: None }
    }

    /// A change that is refused, because the instance follows this server.
    pub(crate) fn refused(server: String, flag_key: &str, operation: Operation) -> Self {
        Self { server: Some(server), ..Self::new(None, flag_key, operation) }
    }

    /// Who makes the change, for the history; at most 1,024 bytes. Default: an empty name.
    pub fn actor(mut self, actor: impl Into<String>) -> Self {
        self.request.actor = actor.into().into();
        self
    }

    /// Why it is made, for the history; at most 1,024 bytes. Default: nothing.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.request.reason = reason.into().into();
        self
    }

    /// An activation is active while now is before this; then the flag returns to its ramp, and one that is not defined to
    /// its default. Default: until it is cleared. On other changes it has no effect.
    pub fn until(mut self, until: Micros) -> Self {
        self.request.until = Some(until);
        self
    }

    /// An activation is set only for a flag that this node knows: a document, a definition, another activation or a default of
    /// this program names it. So a misspelt name is an error, [`ChangeError::UnknownFlag`], and not a new flag. On other
    /// changes it has no effect. Default: a flag that is not known becomes the boolean flag `false`/`true`, as in
    /// Rollout, and the receipt says so ([`Receipt::is_created`]).
    ///
    /// ```
    /// use tidegate::{ChangeError, Live, Tidegate};
    ///
    /// let tide = Tidegate::builder()
    ///     .text(r#"{"features": {"new_login": {"stable": false, "new": true}}}"#)
    ///     .live(Live::in_memory())
    ///     .without_locks()
    ///     .connect()?;
    /// let typo = tide.deactivate("features/new_logn").existing().send();
    /// assert!(matches!(typo, Err(ChangeError::UnknownFlag { meant: Some(_), .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn existing(mut self) -> Self {
        self.request.target = Target::Existing;
        self
    }

    /// An activation is set for a flag that other nodes know by their documents, whether or not this one does. Where no
    /// definition of it is loaded, each caller has its own default, and not a guessed boolean. On other changes it has no
    /// effect. Default: see [`Change::existing`].
    pub fn elsewhere(mut self) -> Self {
        self.request.target = Target::Elsewhere;
        self
    }

    /// How many nodes must have the change on their disks before it is acknowledged. Default: a majority of the
    /// cluster's members, which survives the loss of any minority of the disks.
    pub fn ack(mut self, level: Level) -> Self {
        self.request.level = level;
        self
    }

    /// How long to wait for that, at most a minute. Default: 500 ms, many times what a healthy cluster takes, and short
    /// enough for an operator at a kill switch. When it is over, the change stands all the same, and the
    /// receipt says so.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.request.timeout = timeout;
        self
    }

    /// Makes the change only if this is what stands there, on this node: the stamp that was seen, or none for "no such
    /// register was ever there". Another node may have written meanwhile; then the later one of the two counts.
    /// Default: whatever stands there is replaced.
    pub fn if_stamp(mut self, stamp: Option<Stamp>) -> Self {
        self.request.expected = stamp.map_or(Expected::Nothing, Expected::Stamp);
        self
    }

    /// Makes the change only if the flag has one of these tags on this node. The driver checks it in the same step in which it
    /// makes the change, so that no other change comes in between. Default: no condition.
    ///
    /// ```
    /// use tidegate::{ChangeError, FlagTags, Live, Tidegate};
    ///
    /// let tide = Tidegate::builder().live(Live::in_memory()).without_locks().connect()?;
    /// let seen = tide.cluster().expect("it was given a `Live`").flag("x")?.tag();
    /// tide.activate("x").if_match(FlagTags::OneOf(vec![seen.clone()])).send()?;
    /// let late = tide.deactivate("x").if_match(FlagTags::OneOf(vec![seen])).send();
    /// assert!(matches!(late, Err(ChangeError::NoMatch { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn if_match(mut self, tags: FlagTags) -> Self {
        self.request.if_match = Some(tags);
        self
    }

    /// Makes the change only if the flag has none of these tags on this node; with [`FlagTags::Any`], only if the register has
    /// no value yet. Default: no condition.
    pub fn if_none_match(mut self, tags: FlagTags) -> Self {
        self.request.if_none_match = Some(tags);
        self
    }

    /// Makes the change, and waits until it is acknowledged or the time is over. Reads on this node see it before this
    /// returns. It blocks the thread; in an async program use [`Change::send_async`].
    ///
    /// # Errors
    /// Nothing was changed; see [`ChangeError`]. That too few nodes have answered is no error: see [`Receipt::is_reached`].
    pub fn send(self) -> Result<Receipt, ChangeError> {
        let (about, (sender, receiver)) = (self.about(), mpsc::sync_channel(1));
        self.begin(move |answer| {
            let _ = sender.send(answer);
        })?;
        about.receipt(receiver.recv().unwrap_or(Err(ChangeError::Stopped.into())))
    }

    /// The same for an async program, in any runtime. If the future is dropped after its first poll, the change is made all
    /// the same.
    ///
    /// # Errors
    /// See [`Change::send`].
    pub async fn send_async(self) -> Result<Receipt, ChangeError> {
        let (about, (sender, receiver)) = (self.about(), oneshot::channel());
        self.begin(move |answer| {
            let _ = sender.send(answer);
        })?;
        about.receipt(receiver.await.unwrap_or(Err(ChangeError::Stopped.into())))
    }

    fn about(&self) -> About {
        About {
            flag: self.request.flag.clone(),
            registry: self.driver.as_ref().map(|driver| Arc::clone(&driver.registry)),
        }
    }

    /// Hands the change to the driver, which makes it and answers with all that the receipt needs.
    fn begin(mut self, reply: impl FnOnce(Result<Done, Refusal>) + Send + 'static) -> Result<(), ChangeError> {
        let refused = self.server.take().map_or(ChangeError::NotLive, |server| ChangeError::Follower { server });
        let driver = self.driver.take().ok_or(refused)?;
        self.request.check(driver.now())?;
        self.request.timeout = to_timeout(self.request.timeout);
        driver.intake.request(Request::Change(vec![self.request], Box::new(reply))).map_err(ChangeError::from)
    }
}

/// What is needed besides the driver's answer to say what became of a change.
struct About {
    flag: FlagKey,
    registry: Option<Arc<Registry>>,
}

impl About {
    fn receipt(self, answer: Result<Done, Refusal>) -> Result<Receipt, ChangeError> {
        match answer {
            Ok(done) => Ok(Receipt::new(self.flag, done)),
            Err(refusal) => Err(with_meant(refusal.error, self.registry.as_deref())),
        }
    }
}

/// The same error, with the flag that was probably meant.
pub(super) fn with_meant(error: ChangeError, registry: Option<&Registry>) -> ChangeError {
    match error {
        ChangeError::UnknownFlag { flag, has_documents, .. } => {
            let meant = registry.and_then(|registry| registry.instance().board.load().snapshot.nearest(&flag));
            ChangeError::UnknownFlag { flag, meant, has_documents }
        }
        error => error,
    }
}
