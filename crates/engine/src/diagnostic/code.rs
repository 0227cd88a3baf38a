//! The codes: one for each kind of finding, never reused.

use std::fmt;
use std::str::FromStr;

use super::Severity;

macro_rules! codes {
    ($($code:ident $name:ident $title:literal)*) => {
        /// The kind of a finding.
        ///
        /// A code never changes its meaning; one that is no longer found stays reserved. `E` codes are errors,
        /// `W` codes warnings, `N` codes notes.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[non_exhaustive]
        pub enum Code {
            $(#[doc = $title] $name,)*
        }

        impl Code {
            /// All codes, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable name, such as `E031`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($code),)* }
            }

            /// What it means, in a few words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    E001 DocumentTooLarge "the document is too large"
    E002 NotUtf8 "the document is not UTF-8"
    E003 NotJson "the document is not JSON"
    E004 NestedTooDeep "brackets and braces nest too deep"
    E005 NumberTooLong "a number has too many digits"
    E006 NotUnicode "a string holds half a surrogate pair"
    E007 NumberOutOfRange "a number cannot be kept exactly"
    E008 NameTwice "a name occurs twice in one object"

    E010 DocumentNotObject "the document is not an object"
    E011 SectionNotObject "a section is not an object"
    E012 FlagNotObject "a flag is not an object"
    E013 WrongType "a field has the wrong type"
    E014 UnknownWord "a field has an unknown value"
    E015 FieldMissing "a field is missing"
    E016 PatternsTooCostly "the patterns of the document are too costly"

    E020 NameTooLong "a name is too long"
    E021 NameHasControl "a name holds a control character"
    E022 TooManyFlags "there are too many flags or sections"
    E023 ValueTooLarge "a value is too large"
    E024 TooManyAdopters "there are too many early adopters"
    E025 TooManySteps "there are too many steps"
    E026 PatternUnreadable "a pattern is not a regular expression"
    E027 PatternsTooLarge "the patterns of a flag are too large"
    E028 TooManyNames "an object has too many names"
    E029 NameIsDots "a name is `.` or `..`"

    E030 StableMissing "`stable` is missing"
    E031 WindowIncomplete "the window is incomplete"
    E032 WindowContradicts "start, end and duration disagree"
    E033 WindowReversed "the window ends before it starts"
    E034 TimeUnreadable "a time cannot be read"
    E035 TimeWithoutZone "a time has no zone"
    E036 DurationUnreadable "a duration cannot be read"
    E037 DurationTooLong "a duration is too long"
    E038 PercentOutOfRange "a percentage is not between 0 and 100"
    E039 PercentTooFine "a percentage has more than six decimals"
    E040 PercentagesReversed "`end_pct` is below `start_pct`"
    E041 ExponentialFromZero "an exponential curve starts at 0"
    E042 StepsBeside "`steps` and a window exclude each other"
    E043 StepsEmpty "`steps` is empty"
    E044 StepsFall "the percentages of `steps` fall"
    E045 StepsWithoutAnchor "`steps` have neither start nor end"
    E046 StepsContradict "start, end and `steps` disagree"
    E047 InterpolateWithoutNumbers "`interpolate` needs two numbers"
    E048 LeaseZero "a lease is zero"

    E060 ConditionUnclear "a condition is of no kind, or of several"
    E061 OperatorMissing "a comparison has no test"
    E062 UnknownRuleField "a field of a rule is unknown"
    E063 OperandUnusable "a rule or a condition cannot work with a value"
    E064 SemverUnreadable "a range of versions cannot be read"
    E065 NetworkUnreadable "a network cannot be read"
    E066 SegmentUnknown "a segment is not defined"
    E067 SegmentCircle "segments name each other in a circle"
    E068 PrerequisiteCircle "prerequisites form a circle"
    E069 ConditionTooDeep "conditions nest too deep"
    E070 ConditionTooLarge "conditions are too large"
    E071 TooManyRules "there are too many rules or segments"
    E072 RuleRampInterpolated "a rule has a ramp beside `interpolate`"
    E073 RuleNameTwice "two rules of a flag have one name"

    E074 VariantUnknown "a variant is not defined"
    E075 VariantsEmpty "`variants` is empty"
    E076 TooManyVariants "there are too many variants"
    E077 ChoiceUnusable "no variant and no split stands where one has to"
    E078 WeightUnusable "a weight of a split cannot be used"
    E079 SplitEmpty "a split has no weight above 0"
    E080 VariantsInterpolated "`interpolate` stands beside `variants`"

    W101 UnknownField "a field is unknown"
    W102 WithoutWindow "a field has no effect without a window"
    W103 NewEqualsStable "`new` is equal to `stable`"
    W104 WithoutNew "a field has no effect without `new`"
    W105 PatternMatchesAll "a pattern matches every key"
    W106 NameDeceptive "a name holds an invisible character"
    W107 RollbackTooEarly "the rollback begins before the ramp"
    W108 RollbackNowhere "the rollback does not go down"
    W109 AdopterTwice "an early adopter is named twice"
    W110 NoFlags "the document has no flags"
    W111 ComparisonNeverHolds "a comparison never holds"
    W112 PrerequisiteUnknown "a prerequisite is not in the document"
    W113 VariantUnused "no key has a variant"
    W114 VariantMisnamed "a variant has the name of something else"
    W115 SplitWithoutVariants "a split stands in a flag without `variants`"

    N201 ByteOrderMark "the document begins with a byte order mark"
    N202 Comment "the document has comments"
    N203 TrailingComma "the document has trailing commas"
    N204 ValueNotInOfrep "OFREP cannot carry the value"
    N205 NameNotInUrl "a name is not safe in a URL"
    N206 SharedFate "ramps reach the same keys first"
    N207 NameEmpty "a name is empty"
    N208 IntegerNotExact "many readers round the integer"
    N209 MoreFindings "there are more findings than are shown"
    N210 NamesAlike "two names look alike"
}

impl Code {
    /// How much a finding of this kind matters.
    pub const fn severity(self) -> Severity {
        match self.as_str().as_bytes() {
            [b'E', ..] => Severity::Error,
            [b'W', ..] => Severity::Warning,
            _ => Severity::Note,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for Code {
    type Err = UnknownCode;

    /// Reads a code in either case.
    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        Self::ALL.iter().copied().find(|code| code.as_str().eq_ignore_ascii_case(text)).ok_or(UnknownCode)
    }
}

/// The text is no code.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("no such code; codes are written like `E031`, `W101` or `N201`")]
pub struct UnknownCode;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_read_back() {
        assert!(Code::ALL.iter().enumerate().all(|(index, code)| *code as usize == index));
        assert!(
            Code::ALL
                .windows(2)
                .all(|pair| { (pair[0].severity(), pair[0].as_str()) < (pair[1].severity(), pair[1].as_str()) })
        );
        for code in Code::ALL {
            assert_eq!(code.as_str().parse(), Ok(*code));
            assert_eq!(code.as_str().to_lowercase().parse(), Ok(*code));
        }
        assert_eq!("E999".parse::<Code>(), Err(UnknownCode));
    }
}
