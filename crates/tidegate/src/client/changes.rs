//! Live changes, made through the handle that programs hold.

use std::sync::Arc;

use tidegate_engine::FlagKey;

use crate::client::Tidegate;
use crate::follow::{Feed, Follower};
use crate::live::{Change, ChangeSet, Cluster, ClusterError, Entry, FlagRecord, FlagState, Operation, Percentage};
use crate::read::view::View;

/// Live changes, of an instance that was given a [`Live`](crate::Live). Each is made when it is sent, and every node of the
/// cluster agrees on it; of two changes of one register the later one counts. A flag is named by its key, `section/flag`.
impl Tidegate {
    /// Turns a flag on for everyone: sets its activation to 100 %. A flag that has no definition becomes the boolean flag
    /// `false`/`true`.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// let receipt = tide.activate("shop/banner").actor("dana").send()?;
    /// assert!(receipt.is_created && tide.is_active_for("shop/banner", "user-17"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn activate(&self, flag_key: &str) -> Change {
        self.activate_percentage(flag_key, 100)
    }

    /// Turns a flag off for everyone: sets its activation to 0 %.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// tide.deactivate("shop/banner").reason("INC-1234").send()?;
    /// assert!(!tide.is_active_for("shop/banner", "user-17"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn deactivate(&self, flag_key: &str) -> Change {
        self.activate_percentage(flag_key, 0)
    }

    /// Sets the activation of a flag: this percentage of keys has `new`, whatever the ramp says. Raising it takes `new` from no
    /// key. From 0 to 100 with at most six decimals.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// tide.activate_percentage("shop/banner", 20).send()?;
    /// assert_eq!(tide.explain("shop", "banner", "user-17").share.unwrap().to_string(), "20");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn activate_percentage(&self, flag_key: &str, percentage: impl Into<Percentage>) -> Change {
        self.change(flag_key, Operation::Activate(percentage.into()))
    }

    /// Removes the activation; the flag follows its ramp again, and a flag without a definition its default.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// tide.activate("shop/banner").send()?;
    /// tide.clear("shop/banner").send()?;
    /// assert!(!tide.is_active_for("shop/banner", "user-17"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn clear(&self, flag_key: &str) -> Change {
        self.change(flag_key, Operation::Clear)
    }

    /// Defines a flag by its entry, as it would stand in a document, or replaces its definition. Without a `salt` in it, its flag key
    /// is its salt. A flag that a document defines is refused, and so is a `lease`.
    ///
    /// ```
    /// use tidegate::{Live, Tidegate};
    ///
    /// let tide = Tidegate::builder().live(Live::in_memory()).without_locks().connect()?;
    /// tide.define("banner/text", r#"{"stable": "Hello", "new": "Welcome"}"#).send()?;
    /// tide.activate_percentage("banner/text", 100).send()?;
    /// assert_eq!(tide.get("banner", "text", "user-17", String::new()), "Welcome");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn define(&self, flag_key: &str, entry: &str) -> Change {
        self.change(flag_key, Operation::Define(Entry::Text(entry.to_owned())))
    }

    /// Removes a definition that was made by [`Tidegate::define`]. Its activation stays.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// tide.define("shop/title", r#"{"stable": "Shop"}"#).send()?;
    /// tide.remove("shop/title").send()?;
    /// assert_eq!(tide.raw("shop", "title", "user-17"), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn remove(&self, flag_key: &str) -> Change {
        self.change(flag_key, Operation::Remove)
    }

    /// Makes several changes as one: all of them or none, with one receipt. They are those of this instance, at most 1,000, and no two of
    /// the same activation or definition.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// let release = [tide.activate("shop/banner"), tide.deactivate("shop/old_banner")];
    /// let receipt = tide.apply(release).send()?;
    /// assert!(receipt.is_reached && tide.is_active("shop/banner"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn apply(&self, changes: impl IntoIterator<Item = Change>) -> ChangeSet {
        let driver = self.threads.live.as_ref().map(|live| Arc::clone(live.driver()));
        ChangeSet::new(driver, changes.into_iter().collect())
    }

    /// The cluster as this node sees it; none where the instance takes no live changes.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// assert_eq!(tide.cluster().unwrap().status()?.node.name, "one");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cluster(&self) -> Option<Cluster> {
        self.threads.live.as_ref().map(|live| Cluster::new(Arc::clone(live.driver())))
    }

    /// The server that this instance follows; none where it follows none.
    ///
    /// ```no_run
    /// # use tidegate::Tidegate;
    /// let tide = Tidegate::builder().follow("https://flags.internal")?.connect()?;
    /// assert!(tide.follower().is_some_and(|follower| follower.status().is_connected));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn follower(&self) -> Option<Follower> {
        self.threads.follower.as_ref().map(|follower| Follower::new(Arc::clone(follower.shared())))
    }

    /// What followers of this instance get; none where it may have none. For the server of the same version.
    #[doc(hidden)]
    pub fn feed(&self) -> Option<Feed> {
        self.threads.feed.clone()
    }

    /// A flag as this node has it now: where it is defined, its values, its activation, its share and the next change of that.
    /// None for a flag that this node does not know.
    ///
    /// ```
    /// # use tidegate::{FlagSource, Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// tide.activate_percentage("shop/banner", 20).actor("dana").send()?;
    /// let banner = tide.flag_state("shop/banner")?.expect("it is known");
    /// assert_eq!((banner.source, banner.new.as_deref()), (FlagSource::Activation, Some("true")));
    /// assert_eq!((banner.share.to_string(), banner.activation.unwrap().actor), ("20".into(), "dana".into()));
    /// assert!(tide.flag_state("shop/baner")?.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The thread of live changes has ended.
    pub fn flag_state(&self, flag_key: &str) -> Result<Option<FlagState>, ClusterError> {
        let records = self.records(&[FlagKey::parse(flag_key)])?;
        // Taken after the records: a tag must not be newer than what it is sent with.
        let view = self.view();
        Ok(records.iter().find_map(|record| FlagState::new(&view, record)))
    }

    /// The same of several flags at the instant of a view, in their order, without those that are not known. What live changes
    /// say of them is that of now.
    ///
    /// ```
    /// # use tidegate::{FlagKey, Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// tide.activate("shop/banner").send()?;
    /// let states = tide.flag_states(&tide.view(), &[FlagKey::parse("shop/banner"), FlagKey::parse("shop/baner")])?;
    /// assert_eq!(states.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The thread of live changes has ended.
    pub fn flag_states(&self, view: &View, flags: &[FlagKey]) -> Result<Vec<FlagState>, ClusterError> {
        let records = self.records(flags)?;
        Ok(records.iter().filter_map(|record| FlagState::new(view, record)).collect())
    }

    fn change(&self, flag_key: &str, operation: Operation) -> Change {
        if let Some(follower) = self.follower() {
            return Change::refused(follower.server(), flag_key, operation);
        }
        let driver = self.threads.live.as_ref().map(|live| Arc::clone(live.driver()));
        Change::new(driver, flag_key, operation)
    }

    /// What live changes say of these flags; without live changes only which of them the documents define.
    fn records(&self, flags: &[FlagKey]) -> Result<Vec<FlagRecord>, ClusterError> {
        if let Some(cluster) = self.cluster() {
            return cluster.records(flags);
        }
        if let Some(follower) = self.follower() {
            return Ok(follower.records(flags));
        }
        let (snapshot, source) = (self.snapshot(), self.status().source);
        let is_defined = |flag: &FlagKey| {
            let index = snapshot.find(flag.section(), flag.flag());
            index.is_some_and(|index| snapshot.flag(index).is_defined())
        };
        let record = |flag: &FlagKey| {
            let document = is_defined(flag).then(|| source.clone());
            FlagRecord { document, ..FlagRecord::empty(flag.clone()) }
        };
        Ok(flags.iter().map(record).collect())
    }
}
