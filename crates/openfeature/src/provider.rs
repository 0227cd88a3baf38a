//! The provider: the SDK's questions, answered from memory.

use open_feature::provider::{FeatureProvider, ProviderMetadata, ProviderStatus, ResolutionDetails};
use open_feature::{EvaluationContext, EvaluationErrorCode, EvaluationResult, StructValue, async_trait};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use tidegate::engine::FlagIndex;
use tidegate::{Attribute, FlagKey, Health, Subject, Tidegate, View};

use crate::attributes::Arena;
use crate::resolution;
use crate::value::Typed;

/// Evaluates flags for the OpenFeature SDK with an instance of Tidegate in this process.
///
/// It waits for nothing: an evaluation reads memory, and the future that the SDK awaits is ready at once. A clone of the
/// instance, kept by the program, gives the status and the changes that OpenFeature's API does not have.
///
/// ```
/// use open_feature::OpenFeature;
/// use tidegate::Tidegate;
/// use tidegate_openfeature::TidegateProvider;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tide = Tidegate::builder().text(r#"{"flags": {"rows": {"stable": 20}}}"#).without_locks().connect_async().await?;
/// let mut api = OpenFeature::singleton_mut().await;
/// api.set_provider(TidegateProvider::new(tide.clone())).await;
/// assert_eq!(api.create_client().get_int_value("rows", None, None).await, Ok(20));
/// assert!(tide.is_ready());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TidegateProvider {
    tide: Tidegate,
    section: Option<String>,
    metadata: ProviderMetadata,
}

impl TidegateProvider {
    /// A provider for all flags of this instance; flags are asked for by their keys, `section/flag`.
    pub fn new(tide: Tidegate) -> Self {
        Self { tide, section: None, metadata: ProviderMetadata::new(PROVIDER_NAME) }
    }

    /// A provider for the flags of one section, which are asked for by their bare names. Register it under a name of its own
    /// (`set_named_provider`) where a program reads several sections.
    ///
    /// ```
    /// use open_feature::OpenFeature;
    /// use tidegate::Tidegate;
    /// use tidegate_openfeature::TidegateProvider;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tide = Tidegate::builder().text(r#"{"shop": {"title": {"stable": "Shop"}}}"#).without_locks().connect()?;
    /// let mut api = OpenFeature::singleton_mut().await;
    /// api.set_named_provider("shop", TidegateProvider::section(tide, "shop")).await;
    /// let flags = api.create_named_client("shop");
    /// assert_eq!(flags.get_string_value("title", None, None).await.as_deref(), Ok("Shop"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn section(tide: Tidegate, section: impl Into<String>) -> Self {
        Self { section: Some(section.into()), ..Self::new(tide) }
    }

    /// Evaluates a flag.
    fn resolve<T: Typed>(&self, name: &str, context: &EvaluationContext) -> EvaluationResult<ResolutionDetails<T>> {
        let view = self.tide.view();
        let index = self.find(&view, name);
        let flag = index.map(|index| view.snapshot().flag(index));
        let arena = Arena::new(context);
        let attributes: Vec<(&str, Attribute<'_>)> = match flag.and_then(|flag| flag.targeting()) {
            Some(_) => arena.attributes(context),
            None => Vec::new(),
        };
        // Some SDKs send an empty key where a program has set none; one position for all of them would be wrong.
        let key = context.targeting_key.as_deref().filter(|key| !key.is_empty());
        let subject = Subject::from(key).with_attributes(&attributes);
        let resolved = match flag {
            Some(flag) => {
                let decision = view.snapshot().evaluate(index, &subject, &view.moment());
                resolution::resolution(&flag, decision, &view)
            }
            None => Err(resolution::not_found(&self.key(name), view.snapshot())),
        };
        resolved.map_err(|error| {
            let key = flag.map_or_else(|| self.key(name), |flag| flag.key());
            // The library knows which reads without an answer are misreads, counts those and logs each flag once.
            let Misread = view.get(key.section(), key.flag(), subject, Misread);
            let is_early = error.code == EvaluationErrorCode::FlagNotFound && !self.tide.is_ready();
            if is_early { resolution::not_ready(&key) } else { error }
        })
    }

    fn find(&self, view: &View, name: &str) -> Option<FlagIndex> {
        match &self.section {
            Some(section) => view.snapshot().find(section, name),
            None => view.snapshot().find_key(name),
        }
    }

    fn key(&self, name: &str) -> FlagKey {
        match &self.section {
            Some(section) => FlagKey::new(section, name),
            None => FlagKey::parse(name),
        }
    }
}

/// A type that no value is read as.
struct Misread;

impl<'de> Deserialize<'de> for Misread {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("no value has this type"))
    }
}

#[async_trait]
impl FeatureProvider for TidegateProvider {
    fn status(&self) -> ProviderStatus {
        if !self.tide.is_ready() {
            return ProviderStatus::NotReady;
        }
        let status = self.tide.status();
        let mut sources = std::iter::once(status.health).chain(status.additional_sources.iter().map(|one| one.health));
        let is_stale = sources.any(|health| matches!(health, Health::Stale | Health::Refused));
        if is_stale { ProviderStatus::STALE } else { ProviderStatus::Ready }
    }

    fn metadata(&self) -> &ProviderMetadata {
        &self.metadata
    }

    async fn resolve_bool_value(
        &self,
        flag_key: &str,
        context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<bool>> {
        self.resolve(flag_key, context)
    }

    async fn resolve_int_value(
        &self,
        flag_key: &str,
        context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<i64>> {
        self.resolve(flag_key, context)
    }

    async fn resolve_float_value(
        &self,
        flag_key: &str,
        context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<f64>> {
        self.resolve(flag_key, context)
    }

    async fn resolve_string_value(
        &self,
        flag_key: &str,
        context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<String>> {
        self.resolve(flag_key, context)
    }

    async fn resolve_struct_value(
        &self,
        flag_key: &str,
        context: &EvaluationContext,
    ) -> EvaluationResult<ResolutionDetails<StructValue>> {
        self.resolve(flag_key, context)
    }
}

/// The provider's name in OpenFeature's metadata.
pub const PROVIDER_NAME: &str = "tidegate";
