//! `Link`: where the next page is (RFC 8288; distribution specification 1.1, "Listing Referrers").

/// Longest header that is looked at, in bytes (ours).
const LONGEST: usize = 8_192;

/// The target of the first link whose relation is `next`.
///
/// ```
/// use countersign::edge::registry::next_page;
/// assert_eq!(next_page(r#"</v2/a/referrers/d?n=2>; rel="next""#), Some("/v2/a/referrers/d?n=2"));
/// assert_eq!(next_page(r#"</first>; rel=first"#), None);
/// ```
pub fn next_page(header: &str) -> Option<&str> {
    let mut rest = header
        .get(..header.floor_char_boundary(LONGEST))
        .unwrap_or_default();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (target, after) = rest.strip_prefix('<')?.split_once('>')?;
        let (is_next, after) = parameters(after);
        if is_next {
            return (!target.is_empty()).then_some(target);
        }
        rest = after;
    }
}

/// Whether one of the parameters is `rel` with `next` among its relations, and what follows the last of them.
fn parameters(mut rest: &str) -> (bool, &str) {
    let mut is_next = false;
    let blank = [' ', '\t'];
    loop {
        rest = rest.trim_start_matches(blank);
        let Some(parameter) = rest.strip_prefix(';') else {
            return (is_next, rest);
        };
        let end = parameter.find(['=', ';', ',']).unwrap_or(parameter.len());
        let (name, after) = parameter.split_at(end);
        let Some(after) = after.strip_prefix('=') else {
            rest = after;
            continue;
        };
        let after = after.trim_start_matches(blank);
        let (value, after) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => after.split_at(after.find([';', ',']).unwrap_or(after.len())),
        };
        let mut relations = value.split_ascii_whitespace();
        if name.trim_matches(blank).eq_ignore_ascii_case("rel") {
            is_next |= relations.any(|relation| relation.eq_ignore_ascii_case("next"));
        }
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_forms_of_rfc_8288_read() {
        for header in [
            r#"</n>; rel="next""#,
            "</n>;rel=next",
            r#"</p>; rel="prev", </n>; title="a, b"; REL = "last next""#,
            " , </p>;x;rel=prev ,</n>; rel=NEXT; n=2",
        ] {
            assert_eq!(next_page(header), Some("/n"), "{header}");
        }
    }

    #[test]
    fn everything_else_is_no_next_page() {
        for header in [
            "",
            "next",
            "<",
            "</n",
            "</n>",
            "</n>; rel",
            "</n>; rel=",
            r#"</n>; rel="nextish""#,
            "<>; rel=next",
        ] {
            assert_eq!(next_page(header), None, "{header}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_or_hangs(text in any::<String>()) {
            let _ = next_page(&text);
        }

        #[test]
        fn nothing_of_the_alphabet_hangs(text in "[<>;,=\" a-z]{0,60}") {
            let _ = next_page(&text);
        }
    }
}
