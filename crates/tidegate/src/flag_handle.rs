//! A flag resolved once, for the hottest of paths.

use std::fmt;
use std::sync::Arc;

use tidegate_engine::{Decision, FlagKey, Subject, Variant};

use crate::client::Tidegate;
use crate::read::cell::{CachedAnswer, FlagCell};
use crate::read::publish::Published;
use crate::read::view::{FlagView, View};

/// One flag, looked up in advance; made by [`Tidegate::flag`].
///
/// It follows every change by itself and answers "which variant", or for a boolean flag "is it on", in a few
/// nanoseconds. It is atomic for its own flag; for values, and for several flags at one version, take a
/// [`View`](crate::View), which accepts handles. Make a handle once and keep it, also across threads: it is
/// for a flag that need not exist yet. A handle keeps its instance going.
///
/// An answer that is final (an on/off flag, a ramp that is over) does not look at the clock. So when the
/// system's clock is set back, such an answer stands for up to a second longer.
///
/// ```
/// use tidegate::{Tidegate, Variant};
///
/// let tide = Tidegate::builder()
///     .text(r#"{"shop": {"new_cart": {"stable": true}}}"#)
///     .without_locks()
///     .connect()?;
/// let new_cart = tide.flag("shop", "new_cart");
/// assert!(new_cart.is_active_for("user-17"));
/// assert_eq!(new_cart.variant_for("user-17"), Some(Variant::Stable));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct FlagHandle {
    cell: Arc<FlagCell>,
    tide: Tidegate,
}

impl Tidegate {
    /// A flag resolved once, for reads in the hottest of paths. The flag need not exist yet.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// let dark = tide.flag("shop", "dark");
    /// assert!(dark.is_active_for("user-17"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flag(&self, section: &str, flag: &str) -> FlagHandle {
        let cell = self.instance().cells.get_or_create(FlagKey::new(section, flag), self.board());
        FlagHandle { cell, tide: self.clone() }
    }
}

impl View {
    /// The same for one flag, which is then looked up once. The answers are those of this view, whatever the
    /// handle itself says by now.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let dark = tide.flag("shop", "dark");
    /// # let view = tide.view();
    /// assert!(view.flag(&dark).is_active_for("user-17"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flag<'v>(&'v self, handle: &'v FlagHandle) -> FlagView<'v> {
        FlagView::new(self, handle.flag_key())
    }
}

impl FlagHandle {
    /// The flag.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let dark = tide.flag("shop", "dark");
    /// assert_eq!(dark.flag_key().to_string(), "shop/dark");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn flag_key(&self) -> &FlagKey {
        self.cell.flag()
    }

    /// See [`Tidegate::is_active_for`].
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let dark = tide.flag("shop", "dark");
    /// assert!(dark.is_active_for("user-17"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn is_active_for(&self, key: &str) -> bool {
        match self.cell.instant() {
            Some(active) => active,
            None => self.is_active_by_key(key),
        }
    }

    /// Whether the flag is on for a subject, whose attributes its rules read; as [`is_active_for`](Self::is_active_for) for
    /// subjects without attributes.
    ///
    /// ```
    /// # use tidegate::{Attribute, Subject, Tidegate};
    /// # let tide = Tidegate::builder().text(r#"{"shop": {"dark": {"stable": false, "new": true, "rules": [
    /// #     {"name": "paying", "when": {"attribute": "plan", "is": "premium"}, "serve": "new"}]}}}"#)
    /// #     .without_locks().connect()?;
    /// # let dark = tide.flag("shop", "dark");
    /// let attributes = [("plan", Attribute::from("premium"))];
    /// assert!(dark.is_active_to(&Subject::key("user-17").with_attributes(&attributes)));
    /// assert!(!dark.is_active_to(&Subject::key("user-17")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_active_to(&self, subject: &Subject<'_>) -> bool {
        match self.cell.instant() {
            Some(active) => active,
            None => self.ask(subject),
        }
    }

    /// Draws at random whether the flag is on for this call; see [`Tidegate::is_active`].
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let dark = tide.flag("shop", "dark");
    /// assert!(dark.is_active());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn is_active(&self) -> bool {
        match self.cell.instant() {
            Some(active) => active,
            None => self.is_active_by_draw(),
        }
    }

    /// Which of the flag's values a key has; none where it is up to the caller (an unknown or disabled flag),
    /// and for a value pinned on this host.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let dark = tide.flag("shop", "dark");
    /// assert_eq!(dark.variant_for("user-17"), Some(tidegate::Variant::Stable));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn variant_for(&self, key: &str) -> Option<Variant> {
        if let Some(variant) = self.cell.settled_variant_for(key) {
            return Some(variant);
        }
        self.variant_by_plan(key)
    }

    /// Which of the flag's values a subject has, whose attributes its rules read; as [`variant_for`](Self::variant_for) for
    /// subjects without attributes.
    ///
    /// ```
    /// # use tidegate::{Attribute, Subject, Tidegate, Variant};
    /// # let tide = Tidegate::builder().text(r#"{"shop": {"dark": {"stable": false, "new": true, "rules": [
    /// #     {"name": "paying", "when": {"attribute": "plan", "is": "premium"}, "serve": "new"}]}}}"#)
    /// #     .without_locks().connect()?;
    /// # let dark = tide.flag("shop", "dark");
    /// let attributes = [("plan", Attribute::from("premium"))];
    /// assert_eq!(dark.variant_to(&Subject::key("user-17").with_attributes(&attributes)), Some(Variant::New));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn variant_to(&self, subject: &Subject<'_>) -> Option<Variant> {
        self.ask_for_variant(subject)
    }

    /// Decides, as by name but without the look-up of the name. `read` gets the decision while the flags that it is about are held, so it
    /// must not wait. For the packages of other languages of the same version.
    #[doc(hidden)]
    pub fn decide<R>(&self, subject: &Subject<'_>, read: impl Fn(Decision<'_>) -> R) -> R {
        let board = self.tide.board();
        board.read(|published| {
            let index = self.cell.find(&published.snapshot);
            read(published.decide(index, subject, board.clock()))
        })
    }

    #[inline(never)]
    fn variant_by_plan(&self, key: &str) -> Option<Variant> {
        match self.cell.variant_for(key, self.tide.board().clock()) {
            CachedAnswer::Known(variant) => variant,
            CachedAnswer::Unknown => self.ask_for_variant(&Subject::key(key)),
        }
    }

    #[inline(never)]
    fn ask_for_variant(&self, subject: &Subject<'_>) -> Option<Variant> {
        let board = self.tide.board();
        board.read(|published| {
            let index = self.cell.find(&published.snapshot);
            published.decide(index, subject, board.clock()).variant
        })
    }

    /// The rollouts that are asked most; apart, so that they stay short.
    #[inline(never)]
    fn is_active_by_key(&self, key: &str) -> bool {
        match self.cell.settled_for(key) {
            Some(active) => active,
            None if self.cell.moves() => self.is_active_by_clock(key),
            None if self.cell.asks() => self.ask(&Subject::key(key)),
            None => self.is_active_by_plan(key),
        }
    }

    /// The ramps and rollbacks that are asked most.
    #[inline(never)]
    fn is_active_by_clock(&self, key: &str) -> bool {
        match self.cell.moving_for(key, self.tide.board().clock()) {
            Some(active) => active,
            None => self.is_active_by_plan(key),
        }
    }

    #[inline(never)]
    fn is_active_by_plan(&self, key: &str) -> bool {
        match self.cell.is_active_for(key, self.tide.board().clock()) {
            CachedAnswer::Known(active) => active,
            CachedAnswer::Unknown => self.ask(&Subject::key(key)),
        }
    }

    #[inline(never)]
    fn is_active_by_draw(&self) -> bool {
        let position = self.tide.board().reader_state().position();
        match self.cell.settled_at(position) {
            Some(active) => active,
            None => self.ask(&Subject::drawn(position)),
        }
    }

    #[inline(never)]
    fn ask(&self, subject: &Subject<'_>) -> bool {
        match self.tide.board().read_seen(|published| self.ask_of(published, subject)) {
            Some(active) => active,
            None => self.ask_unseen(subject),
        }
    }

    /// The same for a thread that has not seen what is published now.
    #[cold]
    #[inline(never)]
    fn ask_unseen(&self, subject: &Subject<'_>) -> bool {
        self.tide.board().read(|published| self.ask_of(published, subject))
    }

    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    fn ask_of(&self, published: &Published, subject: &Subject<'_>) -> bool {
        let index = self.cell.find(&published.snapshot);
        let decision = published.decide(index, subject, self.tide.board().clock());
        published.is_true_of(decision, self.flag_key())
    }
}

impl fmt::Debug for FlagHandle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "FlagHandle({})", self.flag_key())
    }
}
