//! Range requests (RFC 9110, section 14): one range of bytes, or the whole.

/// What a `Range` header asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Everything: no header, another unit, a malformed header or several ranges, all of which RFC 9110 lets a server
    /// answer with the whole.
    Whole,
    /// Bytes from `start` on, `length` of them, at least one.
    Part {
        /// First byte.
        start: u64,
        /// Number of bytes.
        length: u64,
    },
    /// Well formed, and outside the content: 416.
    Outside,
}

/// Reads a `Range` header against content of `size` bytes.
pub fn wanted(header: Option<&str>, size: u64) -> Wanted {
    let Some(spec) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else {
        return Wanted::Whole;
    };
    let Some((first, last)) = spec.split_once('-') else { return Wanted::Whole };
    let (first, last) = (first.trim(), last.trim());
    if spec.contains(',') {
        return Wanted::Whole;
    }
    match (number(first), number(last)) {
        (Some(start), Some(end)) if start > end => Wanted::Whole,
        (Some(start), _) if start >= size && (last.is_empty() || number(last).is_some()) => Wanted::Outside,
        (Some(start), Some(end)) => Wanted::Part { start, length: end.min(size - 1) - start + 1 },
        (Some(start), None) if last.is_empty() => Wanted::Part { start, length: size - start },
        (None, Some(0)) if first.is_empty() => Wanted::Outside,
        (None, Some(_)) if first.is_empty() && size == 0 => Wanted::Outside,
        (None, Some(suffix)) if first.is_empty() => {
            let length = suffix.min(size);
            Wanted::Part { start: size - length, length }
        }
        _ => Wanted::Whole,
    }
}

fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // More digits than a u64 holds is far beyond any content, which is what the largest number says too.
    Some(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_rfc_9110_gives_as_examples() {
        let part = |start, length| Wanted::Part { start, length };
        for (header, expected) in [
            ("bytes=0-499", part(0, 500)),
            ("bytes=500-999", part(500, 500)),
            ("bytes=-500", part(9_500, 500)),
            ("bytes=9500-", part(9_500, 500)),
            ("bytes=0-0", part(0, 1)),
            ("bytes=9999-99999999999999999999", part(9_999, 1)),
            ("bytes=-99999", part(0, 10_000)),
            ("bytes=10000-", Wanted::Outside),
            ("bytes=-0", Wanted::Outside),
            ("bytes=0-1,5-6", Wanted::Whole),
            ("bytes=5-1", Wanted::Whole),
            ("items=0-1", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
        ] {
            assert_eq!(wanted(Some(header), 10_000), expected, "{header}");
        }
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Outside);
        assert_eq!(wanted(None, 5), Wanted::Whole);
    }
}
