//! Chapter 4: the program's hooks run around an evaluation, and the provider sees what they change.

use std::sync::{Arc, Mutex};

use open_feature::{
    EvaluationContext, EvaluationDetails, EvaluationError, Hook, HookContext, HookHints, Value, async_trait,
};

use crate::support::flags;

/// Notes what it is told, and sets the attribute `plan`.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<String>>>);

impl Recorder {
    fn note(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

#[async_trait]
impl Hook for Recorder {
    async fn before<'a>(
        &self,
        context: &HookContext<'a>,
        _: Option<&'a HookHints>,
    ) -> Result<Option<EvaluationContext>, EvaluationError> {
        self.note(format!("before {} by {}", context.flag_key, context.provider_metadata.name));
        Ok(Some(context.evaluation_context.clone().with_custom_field("plan", "premium")))
    }

    async fn after<'a>(
        &self,
        _: &HookContext<'a>,
        details: &EvaluationDetails<Value>,
        _: Option<&'a HookHints>,
    ) -> Result<(), EvaluationError> {
        self.note(format!("after {:?} {:?}", details.value, details.variant));
        Ok(())
    }

    async fn error<'a>(&self, _: &HookContext<'a>, error: &EvaluationError, _: Option<&'a HookHints>) {
        self.note(format!("error {}", error.code));
    }

    async fn finally<'a>(&self, _: &HookContext<'a>, details: &EvaluationDetails<Value>, _: Option<&'a HookHints>) {
        self.note(format!("finally {:?}", details.reason));
    }
}

/// 4.3.2, 4.3.4, 4.3.6, 4.3.7, 4.3.8.
#[tokio::test]
async fn hooks_see_decisions_and_errors_and_can_change_the_context() {
    let recorder = Recorder::default();
    let flags = flags(
        r#"{"flags": {"rows": {"stable": 1, "new": 2, "rules": [
            {"name": "r", "when": {"attribute": "plan", "is": "premium"}, "serve": "new"}]}}}"#,
    )
    .await
    .with_hook(recorder.clone());
    assert_eq!(flags.get_int_value("rows", None, None).await, Ok(2));
    let expected = ["before rows by tidegate", "after Int(2) Some(\"new\")", "finally Some(TargetingMatch)"];
    assert_eq!(recorder.take(), expected);
    assert!(flags.get_bool_value("rows", None, None).await.is_err());
    assert_eq!(recorder.take(), ["before rows by tidegate", "error TYPE_MISMATCH", "finally Some(Error)"]);
}
