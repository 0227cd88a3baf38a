//! Several reads at one version and one instant.
//!
//! Between two reads by name the document may change and a ramp may pass a key. A request that must not see
//! half of a change takes a view first, and reads everything through it.

mod flag_view;
mod key_view;

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use tidegate_engine::{
    Decision, Explanation, FlagIndex, Flips, Micros, Moment, Scalar, Snapshot, StoredValue, Subject,
};

use crate::read::misreads::Named;
use crate::read::publish::Published;
use crate::read::typed;
use crate::read::wants::{Wants, wants};

pub use flag_view::FlagView;
pub use key_view::KeyView;

/// One snapshot and one instant. Everything read through it belongs together.
///
/// It is cheap to make, can be sent to other threads and held across `await`; the snapshot it was made from
/// lives as long as it does, so don't keep one for longer than a request.
///
/// ```
/// use tidegate::Tidegate;
///
/// let tide = Tidegate::builder()
///     .text(r#"{"shop": {"title": {"stable": "Shop"}, "columns": {"stable": 3}}}"#)
///     .without_locks()
///     .connect()?;
/// let view = tide.view();
/// let title: String = view.get("shop", "title", "user-17", "?".to_owned());
/// let columns: u8 = view.get("shop", "columns", "user-17", 1);
/// assert_eq!((title.as_str(), columns), ("Shop", 3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct View {
    published: Arc<Published>,
    now: Micros,
}

impl View {
    pub(crate) fn new(published: Arc<Published>, now: Micros) -> Self {
        Self { published, now }
    }

    /// The instant at which this view stands still.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let view = tide.view();
    /// assert_eq!(view.now(), view.clone().now());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn now(&self) -> Micros {
        self.now
    }

    /// The same version at another instant: what everything that is known now says of then.
    ///
    /// ```
    /// # use tidegate::{Tidegate, parse_time};
    /// # let tide = Tidegate::builder().text(
    /// #     r#"{"shop": {"dark": {"stable": false, "new": true, "start_time": "2039-01-01 00:00Z", "duration": "1d"}}}"#,
    /// # ).without_locks().connect()?;
    /// let view = tide.view();
    /// assert!(!view.is_active_for("shop/dark", "user-17"));
    /// let later = view.at(parse_time("2039-01-02T00:00:00Z").unwrap());
    /// assert!(later.is_active_for("shop/dark", "user-17") && later.version() == view.version());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn at(&self, now: Micros) -> Self {
        Self { published: Arc::clone(&self.published), now }
    }

    /// Which version of everything active this view sees: two views of one instance with the same version answer alike at the
    /// same instant. It means nothing in another instance or after a restart.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// assert_eq!(tide.view().version(), tide.view().version());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn version(&self) -> u64 {
        self.published.generation()
    }

    /// All flags, as this view sees them.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let view = tide.view();
    /// assert_eq!(view.snapshot().len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn snapshot(&self) -> &Snapshot {
        &self.published.snapshot
    }

    /// The same for one key, which is then hashed at most once for all flags without a salt.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let view = tide.view();
    /// let user = view.for_key("user-17");
    /// assert!(user.is_active_for_key("shop/dark"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn for_key<'v>(&'v self, key: impl Into<Subject<'v>>) -> KeyView<'v> {
        KeyView::new(self, key.into())
    }

    /// See [`Tidegate::get`](crate::Tidegate::get). A `&str` is borrowed from the view; a text that has escapes in the document
    /// cannot be borrowed and counts as another type, so ask for a `String` where the document may have one.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let view = tide.view();
    /// assert_eq!(view.get("shop", "rows", "user-17", 3), 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get<'v, 'k, T: Deserialize<'v>>(
        &'v self,
        section: &str,
        flag: &str,
        key: impl Into<Subject<'k>>,
        default: T,
    ) -> T {
        self.for_subject(section, flag, &key.into(), default)
    }

    /// The value as JSON text, compact and as it stands in the document; none where it is up to the caller.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let view = tide.view();
    /// assert_eq!(view.raw("shop", "rows", "user-17").as_deref(), Some("4"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn raw<'k>(&self, section: &str, flag: &str, key: impl Into<Subject<'k>>) -> Option<Cow<'_, str>> {
        let subject = key.into();
        let decision = self.decide_for(self.find(section, flag), &subject);
        self.published.note_unanswered(decision, Named::Pair(section, flag), &subject);
        decision.answer.to_json()
    }

    /// The value with its variant and the reason for it.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let view = tide.view();
    /// let decision = view.decide("shop", "dark", "user-17");
    /// assert_eq!(decision.reason.as_str(), "STATIC");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn decide<'k>(&self, section: &str, flag: &str, key: impl Into<Subject<'k>>) -> Decision<'_> {
        self.decide_for(self.find(section, flag), &key.into())
    }

    /// See [`Tidegate::is_active_for`](crate::Tidegate::is_active_for).
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let view = tide.view();
    /// assert!(view.is_active_for("shop/dark", "user-17"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_active_for<'k>(&self, flag_key: &str, key: impl Into<Subject<'k>>) -> bool {
        self.is_active_to(flag_key, &key.into())
    }

    /// Draws at random whether a boolean flag is on for this call; see [`Tidegate::is_active`](crate::Tidegate::is_active).
    /// Two calls on one view are two draws.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let view = tide.view();
    /// assert!(view.is_active("shop/dark"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_active(&self, flag_key: &str) -> bool {
        self.is_active_to(flag_key, &self.published.reader_state.draw())
    }

    /// What a flag answers, and everything that led to it.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let view = tide.view();
    /// assert_eq!(view.explain("shop", "rows", "user-17").value.as_deref(), Some("4"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn explain<'k>(&self, section: &str, flag: &str, key: impl Into<Subject<'k>>) -> Explanation {
        self.published.snapshot.explain(section, flag, &key.into(), &self.moment())
    }

    /// When a key comes to `new` and when it leaves again, by ramp and rollback alone.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let view = tide.view();
    /// assert_eq!(view.when("shop", "dark", "user-17").on, None, "it does not move");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn when<'k>(&self, section: &str, flag: &str, key: impl Into<Subject<'k>>) -> Flips {
        let index = self.find(section, flag);
        index.map(|index| self.snapshot().flag(index).flips(&key.into(), &self.moment())).unwrap_or_default()
    }

    /// The instant, with the clocks of leased ramps: what the engine's own functions ask for.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let view = tide.view();
    /// assert_eq!(view.moment().now, view.now());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn moment(&self) -> Moment<'_> {
        self.published.moment(self.now)
    }

    fn find(&self, section: &str, flag: &str) -> Option<FlagIndex> {
        self.published.snapshot.find(section, flag)
    }

    fn decide_for(&self, index: Option<FlagIndex>, subject: &Subject<'_>) -> Decision<'_> {
        self.published.snapshot.evaluate_now(index, subject, self.now, || self.moment())
    }

    fn is_active_to(&self, flag_key: &str, subject: &Subject<'_>) -> bool {
        let decision = self.decide_for(self.published.snapshot.find_key(flag_key), subject);
        self.published.is_true(decision, Named::Key(flag_key), subject)
    }

    /// The number or the boolean that a subject has, or that its value is neither; `None` for the caller's default.
    #[inline(never)]
    fn scalar(&self, section: &str, flag: &str, subject: &Subject<'_>) -> Option<Scalar> {
        match self.settled(section, flag, subject) {
            Ok(value) => Some(value.scalar()),
            Err(index) => self.published.scalar(self.decide_for(index, subject), Named::Pair(section, flag), subject),
        }
    }

    /// The same of a flag that need not exist.
    #[inline(never)]
    fn scalar_at(&self, index: Option<FlagIndex>, subject: &Subject<'_>) -> Option<Scalar> {
        match index.and_then(|index| self.snapshot().settled_value_at(index, subject, self.now)) {
            Some(value) => Some(value.scalar()),
            None => self.decide_for(index, subject).answer.scalar(),
        }
    }

    /// The text that a subject has, if it can be borrowed.
    #[inline(never)]
    fn text(&self, section: &str, flag: &str, subject: &Subject<'_>) -> Option<&str> {
        match self.settled(section, flag, subject) {
            Ok(value) => value.as_text(),
            Err(index) => self.decide_for(index, subject).answer.as_text(),
        }
    }

    #[inline(never)]
    fn text_at(&self, index: Option<FlagIndex>, subject: &Subject<'_>) -> Option<&str> {
        match index.and_then(|index| self.snapshot().settled_value_at(index, subject, self.now)) {
            Some(value) => value.as_text(),
            None => self.decide_for(index, subject).answer.as_text(),
        }
    }

    /// The value of a flag that no longer moves, where that is simple; otherwise where the flag is.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    fn settled(&self, section: &str, flag: &str, subject: &Subject<'_>) -> Result<&StoredValue, Option<FlagIndex>> {
        self.published.snapshot.settled_value(section, flag, subject, self.now)
    }

    fn for_subject<'v, T: Deserialize<'v>>(
        &'v self,
        section: &str,
        flag: &str,
        subject: &Subject<'_>,
        default: T,
    ) -> T {
        let (published, named) = (&self.published, Named::Pair(section, flag));
        match wants::<T>() {
            Wants::Scalar => {
                let Some(scalar) = self.scalar(section, flag, subject) else { return default };
                return typed::read_scalar(scalar).unwrap_or_else(|| {
                    published.note_wrong_type(named);
                    default
                });
            }
            Wants::Text => {
                if let Some(value) = self.text(section, flag, subject).and_then(typed::read_text) {
                    return value;
                }
                // Another type, a text with escapes or the caller's default: the rest says which, and counts it.
            }
            Wants::Other => {}
        }
        published.value(self.decide_for(self.find(section, flag), subject), named, subject).unwrap_or(default)
    }
}
