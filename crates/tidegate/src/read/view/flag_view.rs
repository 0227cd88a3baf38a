//! A view of one flag.

use std::borrow::Cow;

use serde::Deserialize;
use tidegate_engine::{Decision, Explanation, FlagIndex, FlagKey, Flips, Subject, Variant};

use crate::read::misreads::Named;
use crate::read::typed;
use crate::read::view::View;
use crate::read::wants::{Wants, wants};

/// A [`View`] of one flag.
///
/// ```
/// use tidegate::Tidegate;
///
/// let tide = Tidegate::builder()
///     .text(r#"{"shop": {"columns": {"stable": 3}}}"#)
///     .without_locks()
///     .connect()?;
/// let columns = tide.flag("shop", "columns");
/// let view = tide.view();
/// assert_eq!(view.flag(&columns).get("user-17", 1), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct FlagView<'v> {
    view: &'v View,
    index: Option<FlagIndex>,
    flag: &'v FlagKey,
}

impl<'v> FlagView<'v> {
    pub(crate) fn new(view: &'v View, flag: &'v FlagKey) -> Self {
        Self { view, index: view.find(flag.section(), flag.flag()), flag }
    }

    /// See [`View::get`].
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let dark = tide.flag("shop", "dark");
    /// # let (rows, view) = (tide.flag("shop", "rows"), tide.view());
    /// # let (dark, rows) = (view.flag(&dark), view.flag(&rows));
    /// assert_eq!(rows.get("user-17", 3), 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get<'k, T: Deserialize<'v>>(&self, key: impl Into<Subject<'k>>, default: T) -> T {
        let (view, subject) = (self.view, key.into());
        let (published, named) = (&view.published, Named::Pair(self.flag.section(), self.flag.flag()));
        // A handle may be made before its flag, so one that is unknown is no misread.
        match wants::<T>() {
            Wants::Scalar => {
                let Some(scalar) = view.scalar_at(self.index, &subject) else { return default };
                return typed::read_scalar(scalar).unwrap_or_else(|| {
                    published.note_wrong_type(named);
                    default
                });
            }
            Wants::Text => {
                if let Some(value) = view.text_at(self.index, &subject).and_then(typed::read_text) {
                    return value;
                }
            }
            Wants::Other => {}
        }
        published.known_value(view.decide_for(self.index, &subject), named).unwrap_or(default)
    }

    /// See [`View::raw`].
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let dark = tide.flag("shop", "dark");
    /// # let (rows, view) = (tide.flag("shop", "rows"), tide.view());
    /// # let (dark, rows) = (view.flag(&dark), view.flag(&rows));
    /// assert_eq!(rows.raw("user-17").as_deref(), Some("4"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn raw<'k>(&self, key: impl Into<Subject<'k>>) -> Option<Cow<'v, str>> {
        self.decide(key).answer.to_json()
    }

    /// See [`View::decide`].
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let dark = tide.flag("shop", "dark");
    /// # let (rows, view) = (tide.flag("shop", "rows"), tide.view());
    /// # let (dark, rows) = (view.flag(&dark), view.flag(&rows));
    /// assert_eq!(rows.decide("user-17").reason.as_str(), "STATIC");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn decide<'k>(&self, key: impl Into<Subject<'k>>) -> Decision<'v> {
        self.view.decide_for(self.index, &key.into())
    }

    /// See [`Tidegate::is_active_for`](crate::Tidegate::is_active_for).
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let dark = tide.flag("shop", "dark");
    /// # let (rows, view) = (tide.flag("shop", "rows"), tide.view());
    /// # let (dark, rows) = (view.flag(&dark), view.flag(&rows));
    /// assert!(dark.is_active_for("user-17"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_active_for<'k>(&self, key: impl Into<Subject<'k>>) -> bool {
        self.is_true(&key.into())
    }

    /// Draws at random whether the flag is on for this call; see [`Tidegate::is_active`](crate::Tidegate::is_active).
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let dark = tide.flag("shop", "dark");
    /// # let (rows, view) = (tide.flag("shop", "rows"), tide.view());
    /// # let (dark, rows) = (view.flag(&dark), view.flag(&rows));
    /// assert!(dark.is_active());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_active(&self) -> bool {
        self.is_true(&self.view.published.reader_state.draw())
    }

    /// Which of the flag's values a key has; none for the caller's default and for a value pinned on this host.
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let dark = tide.flag("shop", "dark");
    /// # let (rows, view) = (tide.flag("shop", "rows"), tide.view());
    /// # let (dark, rows) = (view.flag(&dark), view.flag(&rows));
    /// assert_eq!(dark.variant_for("user-17"), Some(tidegate::Variant::Stable));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn variant_for<'k>(&self, key: impl Into<Subject<'k>>) -> Option<Variant> {
        self.decide(key).variant
    }

    /// See [`View::explain`].
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let dark = tide.flag("shop", "dark");
    /// # let (rows, view) = (tide.flag("shop", "rows"), tide.view());
    /// # let (dark, rows) = (view.flag(&dark), view.flag(&rows));
    /// assert_eq!(rows.explain("user-17").value.as_deref(), Some("4"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn explain<'k>(&self, key: impl Into<Subject<'k>>) -> Explanation {
        self.view.explain(self.flag.section(), self.flag.flag(), key)
    }

    /// See [`View::when`].
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let dark = tide.flag("shop", "dark");
    /// # let (rows, view) = (tide.flag("shop", "rows"), tide.view());
    /// # let (dark, rows) = (view.flag(&dark), view.flag(&rows));
    /// assert_eq!(dark.when("user-17").on, None, "it does not move");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn when<'k>(&self, key: impl Into<Subject<'k>>) -> Flips {
        self.view.when(self.flag.section(), self.flag.flag(), key)
    }

    fn is_true(&self, subject: &Subject<'_>) -> bool {
        let decision = self.view.decide_for(self.index, subject);
        self.view.published.is_true_of(decision, self.flag)
    }
}
