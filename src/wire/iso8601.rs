//! Times as text, the way JavaScript's `Date.toISOString` writes them.
//!
//! Belongs here: the two directions between RFC 3339 text and Unix milliseconds. Does not: clocks,
//! time zones other than an offset, leap seconds.

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Unix milliseconds as `2025-09-20T01:55:14.123Z`.
pub fn format_ms(unix_ms: u64) -> String {
    let day_ms = DAY_MS.unsigned_abs();
    let (days, ms) = (unix_ms / day_ms, unix_ms % day_ms);
    let (year, month, day) = date(i64::try_from(days).unwrap_or(i64::MAX / 2));
    let (second, ms) = (ms / 1000, ms % 1000);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// Unix milliseconds of an RFC 3339 time (section 5.6), `None` for anything else. Digits below the
/// millisecond are cut off; a leap second is none of Unix time's and is refused.
pub fn parse_ms(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let fixed: &[u8; 19] = bytes.first_chunk()?;
    for (at, mark) in [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')] {
        if fixed[at] != mark {
            return None;
        }
    }
    if !matches!(fixed[10], b'T' | b't' | b' ') {
        return None;
    }
    let (year, month, day) = (digits(&fixed[..4])?, digits(&fixed[5..7])?, digits(&fixed[8..10])?);
    let (hour, minute, second) =
        (digits(&fixed[11..13])?, digits(&fixed[14..16])?, digits(&fixed[17..])?);
    let days = days(year, month, day);
    // A day that the month does not have comes back as another date.
    if date(days) != (year, month, day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (ms, zone) = fraction(&bytes[19..])?;
    let minutes = offset_minutes(zone)?;
    Some(days * DAY_MS + ((hour * 60 + minute - minutes) * 60 + second) * 1000 + ms)
}

/// Milliseconds of `.123456`, and what follows. No fraction is 0.
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some(rest) = rest.strip_prefix(b".") else { return Some((0, rest)) };
    let len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let ms =
        [100, 10, 1].iter().zip(&rest[..len]).map(|(unit, digit)| unit * i64::from(digit - b'0'));
    (len > 0).then(|| (ms.sum(), &rest[len..]))
}

/// Minutes east of Greenwich of `Z` or `+02:00`.
fn offset_minutes(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (hours, minutes) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
            let east = (hours <= 23 && minutes <= 59).then_some(hours * 60 + minutes)?;
            Some(if *sign == b'-' { -east } else { east })
        }
        _ => None,
    }
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
    })
}

/// Days since 1970-01-01 of a date of the Gregorian calendar. The year is counted from March, so
/// that the leap day is its last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

/// The date (year, month, day) of a number of days since 1970-01-01.
fn date(days: i64) -> (i64, i64, i64) {
    // 146,097 days are 400 years, after which the calendar repeats.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = (from_march + 2) % 12 + 1;
    let year = era * 400 + year + i64::from(month <= 2);
    (year, month, day_of_year - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_are_read() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2000-02-29T12:00:00.5Z", 951_825_600_500),
            ("2025-09-20T01:55:14.123Z", 1_758_333_314_123),
            ("2025-09-20T03:55:14.123999+02:00", 1_758_333_314_123),
            ("2025-09-19 20:25:14.123-05:30", 1_758_333_314_123),
            ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        ] {
            assert_eq!(parse_ms(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_such_time_is_refused() {
        for text in [
            "",
            "now",
            "2025-09-20",
            "2025-09-20T01:55:14",
            "2025-09-20T01:55:14.Z",
            "2025-09-20T01:55:14.1",
            "2025-09-20T01:55:14+2:00",
            "2025-09-20T01:55:14+0200",
            "2025-09-20T01:55:14+24:00",
            "2025-09-20T01:55:14Z ",
            "2025-09-20T01:55:60Z",
            "2025-09-20T24:00:00Z",
            "2025-13-01T00:00:00Z",
            "2025-00-10T00:00:00Z",
            "2025-02-29T00:00:00Z",
            "2025-04-31T00:00:00Z",
            "2025-04-00T00:00:00Z",
            "+025-04-01T00:00:00Z",
            "2025-04-01T0a:00:00Z",
            "２025-04-01T00:00:00Z",
        ] {
            assert_eq!(parse_ms(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_of_eight_hundred_years_comes_back() {
        for day in 0..292_194_u64 {
            let ms = day * DAY_MS.unsigned_abs() + day % 86_400_000;
            let text = format_ms(ms);
            assert_eq!(parse_ms(&text).map(i64::unsigned_abs), Some(ms), "{text}");
        }
        assert_eq!(format_ms(1_758_333_314_123), "2025-09-20T01:55:14.123Z");
        // Never a panic, even for what no clock says.
        assert!(!format_ms(u64::MAX).is_empty());
    }
}
