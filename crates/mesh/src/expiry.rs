//! When to warn that a certificate ends.

/// Warns once a day from the last month on, and once an hour on the last day.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    last: Option<u64>,
}

impl Watch {
    /// What to say now, in seconds since 1970, of a certificate that ends then.
    pub(crate) fn warning(&mut self, expires: u64, now: u64) -> Option<String> {
        let left = expires.saturating_sub(now);
        let period = if left < DAY { HOUR } else { DAY };
        let is_due = self.last.is_none_or(|last| now.abs_diff(last) >= period);
        if left >= WARNED_BEFORE || !is_due {
            return None;
        }
        self.last = Some(now);
        Some(match left {
            0 => expired(),
            left if left < DAY => format!("the certificate of this node expires in {} hours; {REMEDY}", left / HOUR),
            left => format!("the certificate of this node expires in {} days; {REMEDY}", left / DAY),
        })
    }
}

/// The message for an expired certificate.
pub(crate) fn expired() -> String {
    format!("the certificate of this node has expired, and no other node accepts it; {REMEDY}")
}

const REMEDY: &str =
    "make a new one with `tidegate cluster init --renew` and put it into its place; no restart is needed";

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// This long before the end it is time to act: an operator may be on holiday.
const WARNED_BEFORE: u64 = 30 * DAY;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_warning_while_more_than_30_days_are_left() {
        assert_eq!(Watch::default().warning(100 * DAY, 70 * DAY), None);
    }

    #[test]
    fn warnings_are_daily_in_the_last_month_and_hourly_on_the_last_day() {
        let mut watch = Watch::default();
        let minutes = (70 * DAY..100 * DAY).step_by(60);
        let said: Vec<_> = minutes.filter_map(|now| Some((now, watch.warning(100 * DAY, now)?))).collect();
        assert_eq!(said.len(), 30 + 23);
        assert!(said[0].1.contains("expires in 29 days"), "{}", said[0].1);
        assert!(said[40].1.contains(" hours; make a new one"), "{}", said[40].1);
    }

    #[test]
    fn an_expired_certificate_is_a_warning_too() {
        assert!(Watch::default().warning(5, 6).unwrap().contains("has expired"));
    }
}
