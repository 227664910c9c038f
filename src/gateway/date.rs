//! The `Date` field (RFC 9110 §6.6.1), rendered once per second and thread.

use std::cell::RefCell;
use std::time::{Duration, UNIX_EPOCH};

use http::HeaderValue;
use httpdate::HttpDate;
use rustix::time::{ClockId, clock_gettime};

thread_local! {
    static NOW: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
}

/// Appends the date of now.
pub(super) fn write(out: &mut Vec<u8>) {
    with_text(|text| out.extend_from_slice(text.as_bytes()));
}

/// The date of now.
pub(super) fn value() -> HeaderValue {
    // A date is ASCII.
    with_text(|text| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("")))
}

fn with_text<T>(give: impl FnOnce(&str) -> T) -> T {
    // Coarse is milliseconds, and a glance. A clock before 1970 is wrong, and any date as good as another.
    let second = u64::try_from(clock_gettime(ClockId::RealtimeCoarse).tv_sec).unwrap_or(0);
    NOW.with_borrow_mut(|(rendered, text)| {
        if *rendered != second {
            *text = HttpDate::from(UNIX_EPOCH + Duration::from_secs(second)).to_string();
            *rendered = second;
        }
        give(text)
    })
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn the_date_is_the_one_of_now() {
        let mut out = Vec::new();
        write(&mut out);
        let date = httpdate::parse_http_date(std::str::from_utf8(&out).unwrap()).unwrap();
        assert!(SystemTime::now().duration_since(date).unwrap().as_secs() < 5);
        assert_eq!(value().len(), out.len());
    }
}
