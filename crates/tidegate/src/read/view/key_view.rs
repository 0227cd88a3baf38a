//! A view for one key.

use std::borrow::Cow;

use serde::Deserialize;
use tidegate_engine::{Decision, Explanation, Flips, Subject};

use crate::read::misreads::Named;
use crate::read::view::View;

/// A [`View`] for one key.
///
/// ```
/// use tidegate::Tidegate;
///
/// let tide = Tidegate::builder()
///     .text(r#"{"flags": {"blue": {"stable": true}, "size": {"stable": 4}}}"#)
///     .without_locks()
///     .connect()?;
/// let view = tide.view();
/// let user = view.for_key("user-17");
/// assert!(user.is_active_for_key("blue"));
/// assert_eq!(user.get("flags", "size", 0), 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct KeyView<'v> {
    view: &'v View,
    subject: Subject<'v>,
}

impl<'v> KeyView<'v> {
    pub(super) fn new(view: &'v View, subject: Subject<'v>) -> Self {
        Self { view, subject }
    }

    /// See [`View::get`].
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let view = tide.view();
    /// # let user = view.for_key("user-17");
    /// assert_eq!(user.get("shop", "rows", 3), 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn get<T: Deserialize<'v>>(&self, section: &str, flag: &str, default: T) -> T {
        self.view.for_subject(section, flag, &self.subject, default)
    }

    /// See [`View::raw`].
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let view = tide.view();
    /// # let user = view.for_key("user-17");
    /// assert_eq!(user.raw("shop", "rows").as_deref(), Some("4"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn raw(&self, section: &str, flag: &str) -> Option<Cow<'v, str>> {
        let decision = self.decide(section, flag);
        self.view.published.note_unanswered(decision, Named::Pair(section, flag), &self.subject);
        decision.answer.to_json()
    }

    /// See [`View::decide`].
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let view = tide.view();
    /// # let user = view.for_key("user-17");
    /// assert_eq!(user.decide("shop", "rows").reason.as_str(), "STATIC");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn decide(&self, section: &str, flag: &str) -> Decision<'v> {
        self.view.decide_for(self.view.find(section, flag), &self.subject)
    }

    /// Whether a boolean flag is on for the key of this view: the same key, the same answer. See
    /// [`Tidegate::is_active_for`](crate::Tidegate::is_active_for).
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let view = tide.view();
    /// # let user = view.for_key("user-17");
    /// assert!(user.is_active_for_key("shop/dark"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_active_for_key(&self, flag_key: &str) -> bool {
        self.view.is_active_to(flag_key, &self.subject)
    }

    /// See [`View::explain`].
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let view = tide.view();
    /// # let user = view.for_key("user-17");
    /// assert_eq!(user.explain("shop", "rows").value.as_deref(), Some("4"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn explain(&self, section: &str, flag: &str) -> Explanation {
        self.view.snapshot().explain(section, flag, &self.subject, &self.view.moment())
    }

    /// See [`View::when`].
    ///
    /// ```
    /// # use tidegate::Tidegate;
    /// # let tide = Tidegate::builder()
    /// #     .text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
    /// # let view = tide.view();
    /// # let user = view.for_key("user-17");
    /// assert_eq!(user.when("shop", "dark").on, None, "it does not move");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn when(&self, section: &str, flag: &str) -> Flips {
        self.view.when(section, flag, self.subject.clone())
    }
}
