//! The `Date` field (RFC 9110 §6.6.1), rendered once per second and thread.

use std::cell::RefCell;
use std::time::{SystemTime, UNIX_EPOCH};

use httpdate::HttpDate;

thread_local! {
    static NOW: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
}

/// Appends the date of now.
pub(super) fn write(out: &mut Vec<u8>) {
    let now = SystemTime::now();
    // A clock before 1970 is wrong, and any date as good as another.
    let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    NOW.with_borrow_mut(|(rendered, text)| {
        if *rendered != second {
            *text = HttpDate::from(now).to_string();
            *rendered = second;
        }
        out.extend_from_slice(text.as_bytes());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_is_the_one_of_now() {
        let mut out = Vec::new();
        write(&mut out);
        let date = httpdate::parse_http_date(std::str::from_utf8(&out).unwrap()).unwrap();
        assert!(SystemTime::now().duration_since(date).unwrap().as_secs() < 5);
    }
}
