//! The handle that programs hold: reads, and what there is to know about the instance.

#[cfg(feature = "cluster")]
mod changes;
mod weak;

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tidegate_engine::{Answer, Explanation, Flips, Scalar, Snapshot, Subject};

use crate::error::ShutdownError;
use crate::instance::Instance;
use crate::read::misreads::Named;
use crate::read::publish::Board;
use crate::read::subscription::Subscription;
use crate::read::typed::{self, Read};
use crate::read::view::View;
use crate::read::wants::{Wants, wants};
use crate::status::Status;
use crate::threads::Threads;

pub use weak::WeakTidegate;

/// Feature ramps, ready to be asked.
///
/// All reads are answered from memory: they never wait, never fail, and hold no lock that anything else could
/// hold. Where a flag has nothing to say the answer is the caller's default. A background thread keeps the
/// document up to date; it ends with the last clone of this handle (and of its [`FlagHandle`](crate::FlagHandle)s). Clones share
/// one instance, and two builders make two that know nothing of each other.
///
/// A `key` may be a `&str`, a `&String`, an `Option<&str>`, or a [`Subject`]. Without a key, where one is
/// needed, the answer is the value `stable`.
///
/// ```
/// use tidegate::Tidegate;
///
/// let tide = Tidegate::builder()
///     .text(r#"{"features": {"greeting": {"stable": "Hello"}, "blue": {"stable": true}}}"#)
///     .without_locks()
///     .connect()?;
/// let greeting: String = tide.get("features", "greeting", "user-17", "Hi".to_owned());
/// assert_eq!(greeting, "Hello");
/// assert!(tide.is_active_for("features/blue", "user-17"));
/// assert_eq!(tide.get("features", "unheard_of", "user-17", 5), 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Tidegate {
    board: Arc<Board>,
    threads: Arc<Threads>,
}

impl Tidegate {
    pub(crate) fn new(board: Arc<Board>, threads: Threads) -> Self {
        Self { board, threads: Arc::new(threads) }
    }

    /// The value that a key has, as a `T`.
    ///
    /// The default is the answer for an unknown and for a disabled flag, and for a value of another type,
    /// which is counted in the [`Status`](crate::Status). `T` is read from the JSON value by its
    /// `Deserialize`; numbers, booleans and the like cost no allocation.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// assert_eq!(tide.get("shop", "rows", "user-17", 3), 4);
    /// assert_eq!(tide.get("shop", "rows", "user-17", "three".to_owned()), "three", "a number is not a text");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get<'k, T: DeserializeOwned>(
        &self,
        section: &str,
        flag: &str,
        key: impl Into<Subject<'k>>,
        default: T,
    ) -> T {
        let subject = key.into();
        if wants::<T>() == Wants::Scalar {
            let Some(scalar) = self.scalar(section, flag, &subject) else { return default };
            return typed::read_scalar(scalar).unwrap_or_else(|| {
                self.note_wrong_type(section, flag);
                default
            });
        }
        let mut read = Read::CallerDefault;
        self.answer(section, flag, &subject, &mut |answer| {
            read = typed::read(answer);
            !matches!(read, Read::WrongType)
        });
        match read {
            Read::Value(value) => value,
            Read::CallerDefault | Read::WrongType => default,
        }
    }

    /// The value that a key has, as JSON text: compact, and spelled as in the document. None where the answer
    /// is up to the caller.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// assert_eq!(tide.raw("shop", "rows", "user-17").as_deref(), Some("4"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn raw<'k>(&self, section: &str, flag: &str, key: impl Into<Subject<'k>>) -> Option<String> {
        let mut raw = None;
        self.answer(section, flag, &key.into(), &mut |answer| {
            raw = answer.to_json().map(Into::into);
            true
        });
        raw
    }

    /// Whether a boolean flag is on for this key: per cent of keys. The same key keeps its answer, and once a
    /// ramp has come to it, it stays.
    ///
    /// The flag is named by its key, `section/flag` (see [`FlagKey`](crate::FlagKey)). An unknown or disabled flag is off, and
    /// so is a value that is not a boolean, which is counted in the [`Status`](crate::Status).
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// assert!(tide.is_active_for("shop/dark", "user-17"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_active_for<'k>(&self, flag_key: &str, key: impl Into<Subject<'k>>) -> bool {
        self.is_active_to(flag_key, &key.into())
    }

    /// Draws at random whether a boolean flag is on for this call: per cent of calls, as Rollout's `active?`. At a share of
    /// 10 % one call in ten is answered `true`, whatever its key would be; early adopters have no part in it.
    ///
    /// Otherwise as [`Tidegate::is_active_for`], which gives the same key the same answer each time.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// assert!(tide.is_active("shop/dark"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_active(&self, flag_key: &str) -> bool {
        let board = &self.board;
        board.read(|published| {
            let (flag, subject) = (published.snapshot.find_key(flag_key), published.reader_state.draw());
            let decision = published.decide(flag, &subject, board.clock());
            published.is_true(decision, Named::Key(flag_key), &subject)
        })
    }

    /// One snapshot and one instant, for reads that belong together.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// let view = tide.view();
    /// assert!(view.is_active_for("shop/dark", "user-17") && view.get("shop", "rows", "user-17", 3) == 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn view(&self) -> View {
        View::new(self.board.read(Arc::clone), self.board.clock().now())
    }

    /// What a flag answers, and everything that led to it: rule, position, share, flips, until when it holds.
    ///
    /// It is exact to the microsecond, while reads by name may see a flip a few milliseconds late.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// let explanation = tide.explain("shop", "dark", "user-17");
    /// assert_eq!(explanation.value.as_deref(), Some("true"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn explain<'k>(&self, section: &str, flag: &str, key: impl Into<Subject<'k>>) -> Explanation {
        self.view().explain(section, flag, key)
    }

    /// When a key comes to `new`, and when it leaves again, by ramp and rollback alone; neither for an unknown
    /// flag.
    ///
    /// ```
    /// # use tidegate::{Clock, Tidegate, parse_time};
    /// let clock = Clock::manual(parse_time("2040-03-01 00:00Z")?);
    /// let tide = Tidegate::builder()
    ///     .text(r#"{"shop": {"x": {"stable": false, "new": true, "start_time": "2040-03-02 00:00Z", "duration": "1d"}}}"#)
    ///     .clock(clock)
    ///     .without_locks()
    ///     .connect()?;
    /// assert!(tide.when("shop", "x", "user-17").on.unwrap() >= parse_time("2040-03-02 00:00Z")?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn when<'k>(&self, section: &str, flag: &str, key: impl Into<Subject<'k>>) -> Flips {
        self.view().when(section, flag, key)
    }

    /// All active flags, with the locks of this host laid over them.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// assert_eq!(tide.snapshot().len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::new(self.board.read(|published| published.snapshot.clone()))
    }

    /// How the instance is doing: source, age, health, what is wrong, locks.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// assert_eq!(tide.status().flags, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn status(&self) -> Status {
        let mut status = self.threads.first.status().to_status();
        let additional = &self.threads.additional_sources;
        status.additional_sources = additional.iter().map(|running| running.status().to_status()).collect();
        #[cfg(feature = "cluster")]
        if let Some(follower) = self.follower() {
            follower.complete(&mut status);
        }
        self.instance().complete(&mut status);
        self.board.read(|published| status.clone().at(self.board.clock().now(), published))
    }

    /// Whether the instance has something to answer from: each of its sources has given a document, now or before its cache was
    /// written, or there is no source. It is what the server's `/readyz` says. An unreachable source does not matter while its
    /// document is at hand; until the first one arrives, reads answer the caller's default.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidegate::Tidegate;
    ///
    /// let tide = Tidegate::builder().text("{}").without_locks().connect()?;
    /// assert!(tide.is_ready());
    /// let tide = Tidegate::builder().file("/nowhere/flags.json").startup_wait(Duration::ZERO).without_locks().connect()?;
    /// assert!(!tide.is_ready());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_ready(&self) -> bool {
        #[cfg(feature = "cluster")]
        if let Some(follower) = self.follower() {
            return follower.is_ready();
        }
        self.threads.sources().all(|running| running.status().lock().has_document())
    }

    /// Stops what runs in the background, and waits for its end at most that long: the cluster node, whose accepted changes are
    /// on the disk afterwards, then the sources. It is done for all clones. Reads go on and answer from memory; ramps move on
    /// with the clock; documents, locks and live changes stay as they are; subscriptions end; changes are refused with
    /// `ChangeError::Stopped`. Calling it again does no harm.
    ///
    /// Dropping the last handle does the same with a limit of a few seconds. It blocks; in an async program call it on a thread
    /// for blocking work.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tidegate::{Closed, Tidegate};
    ///
    /// let tide = Tidegate::builder().text(r#"{"flags": {"x": {"stable": true}}}"#).without_locks().connect()?;
    /// let mut subscription = tide.subscribe();
    /// tide.shutdown(Duration::from_secs(5))?;
    /// assert_eq!(subscription.recv(), Err(Closed));
    /// assert!(tide.is_active_for("x", "user-17"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The threads have not ended in time. They were told to and end by themselves.
    pub fn shutdown(&self, timeout: Duration) -> Result<(), ShutdownError> {
        if self.threads.shutdown(timeout) { Ok(()) } else { Err(ShutdownError) }
    }

    /// A handle that does not keep the instance alive: for caches, global registries and callbacks that the instance itself holds.
    ///
    /// ```
    /// use tidegate::Tidegate;
    ///
    /// let tide = Tidegate::builder().text("{}").without_locks().connect()?;
    /// let weak = tide.downgrade();
    /// assert!(weak.upgrade().is_some());
    /// drop(tide);
    /// assert!(weak.upgrade().is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn downgrade(&self) -> WeakTidegate {
        WeakTidegate::new(self)
    }

    /// Subscribes to changes from now on, for programs that act on one.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// let mut subscription = tide.subscribe();
    /// assert_eq!(subscription.try_recv()?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn subscribe(&self) -> Subscription {
        self.instance().notifier.subscribe()
    }

    pub(crate) fn board(&self) -> &Arc<Board> {
        &self.board
    }

    pub(crate) fn instance(&self) -> &Instance {
        &self.threads.instance
    }

    /// The number or the boolean that a key has, or that its value is neither; `None` for the caller's default.
    #[inline(never)]
    fn scalar(&self, section: &str, flag: &str, subject: &Subject<'_>) -> Option<Scalar> {
        let board = &self.board;
        match board.read_seen(|published| published.scalar_now(section, flag, subject, board.clock())) {
            Some(scalar) => scalar,
            None => self.scalar_unseen(section, flag, subject),
        }
    }

    /// The same for a thread that has not seen what is published now.
    #[cold]
    #[inline(never)]
    fn scalar_unseen(&self, section: &str, flag: &str, subject: &Subject<'_>) -> Option<Scalar> {
        let board = &self.board;
        board.read(|published| published.scalar_now(section, flag, subject, board.clock()))
    }

    #[cold]
    #[inline(never)]
    fn note_wrong_type(&self, section: &str, flag: &str) {
        self.board.read(|published| published.note_wrong_type(Named::Pair(section, flag)));
    }

    /// Hands over the answer of a flag, to be read as some type; `read` says whether it was of that type. A misread is
    /// counted. One function, whatever the type is.
    #[inline(never)]
    fn answer(&self, section: &str, flag: &str, subject: &Subject<'_>, read: &mut dyn FnMut(Answer<'_>) -> bool) {
        let read = RefCell::new(read);
        self.board.read(|published| {
            let index = published.snapshot.find(section, flag);
            let decision = published.decide(index, subject, self.board.clock());
            if matches!(decision.answer, Answer::CallerDefault) {
                published.note_unanswered(decision, Named::Pair(section, flag), subject);
            } else if !read.borrow_mut()(decision.answer) {
                published.reader_state.misreads.wrong_type(Named::Pair(section, flag));
            }
        });
    }

    #[inline(never)]
    fn is_active_to(&self, flag_key: &str, subject: &Subject<'_>) -> bool {
        self.board.read(|published| {
            let decision = published.decide(published.snapshot.find_key(flag_key), subject, self.board.clock());
            published.is_true(decision, Named::Key(flag_key), subject)
        })
    }
}

impl fmt::Debug for Tidegate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tidegate").field("snapshot", &self.snapshot()).finish_non_exhaustive()
    }
}
