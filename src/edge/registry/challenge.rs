//! `WWW-Authenticate`: how a registry wants to be logged in to (RFC 9110, 11.6.1; distribution, `spec/auth/token.md`).

/// Longest header that is looked at, in bytes (ours; real ones are under 500).
const LONGEST: usize = 8_192;

/// Most challenges of one header (ours).
const MOST: usize = 16;

/// One challenge as it is written: a scheme and its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The scheme, in lower case.
    pub scheme: String,
    /// The parameters, names in lower case, values unquoted.
    pub parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The value of a parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut found = self.parameters.iter().filter(|(key, _)| key == name);
        found.next().map(|(_, value)| value.as_str())
    }
}

/// Reads the challenges of one header; what cannot be read ends the list.
///
/// ```
/// use countersign::edge::registry::challenges;
/// let found = challenges(r#"Bearer realm="https://auth.example/token",service="a \"b\"""#);
/// assert_eq!(found[0].scheme, "bearer");
/// assert_eq!(found[0].parameter("realm"), Some("https://auth.example/token"));
/// assert_eq!(found[0].parameter("service"), Some("a \"b\""));
/// ```
pub fn challenges(header: &str) -> Vec<Challenge> {
    let mut reader = Reader {
        rest: header
            .get(..header.floor_char_boundary(LONGEST))
            .unwrap_or_default(),
    };
    let mut found = Vec::new();
    while found.len() < MOST {
        reader.separators();
        let Some(scheme) = reader.token() else { break };
        found.push(Challenge {
            scheme: scheme.to_ascii_lowercase(),
            parameters: reader.parameters(),
        });
    }
    found
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn skip(&mut self, of: &[char]) {
        self.rest = self.rest.trim_start_matches(of);
    }

    fn separators(&mut self) {
        self.skip(&[' ', '\t', ',']);
    }

    /// RFC 9110, 5.6.2.
    fn token(&mut self) -> Option<&'a str> {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let end = self.rest.find(|c| !is_token(c)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!token.is_empty()).then_some(token)
    }

    /// `name=value` pairs up to the next scheme, which is a token that no `=` follows.
    fn parameters(&mut self) -> Vec<(String, String)> {
        let mut parameters = Vec::new();
        loop {
            let before = self.rest;
            self.separators();
            let Some(name) = self.token() else { break };
            self.skip(&[' ', '\t']);
            let value = self.rest.strip_prefix('=').and_then(|rest| {
                self.rest = rest;
                self.skip(&[' ', '\t']);
                self.value()
            });
            let Some(value) = value else {
                // The token is the next challenge's scheme.
                self.rest = before;
                self.separators();
                break;
            };
            parameters.push((name.to_ascii_lowercase(), value));
        }
        parameters
    }

    fn value(&mut self) -> Option<String> {
        let Some(quoted) = self.rest.strip_prefix('"') else {
            return self.token().map(str::to_owned);
        };
        let mut value = String::new();
        let mut chars = quoted.char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = quoted.get(at + 1..).unwrap_or_default();
                    return Some(value);
                }
                '\\' => value.push(chars.next()?.1),
                c => value.push(c),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn the_challenges_of_real_registries_read() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull,push""#;
        let ecr = r#"Basic realm="https://111122223333.dkr.ecr.eu-west-1.amazonaws.com/",service="ecr.amazonaws.com""#;
        assert_eq!(
            challenges(hub)[0].parameter("scope"),
            Some("repository:library/alpine:pull,push")
        );
        assert_eq!(challenges(ecr)[0].scheme, "basic");
        assert_eq!(challenges(ecr)[0].parameter("service"), Some("ecr.amazonaws.com"));
    }

    #[test]
    fn several_challenges_share_a_header() {
        let found = challenges(r#"Negotiate, BASIC Realm = "x, y" , Bearer realm=plain,scope="a b""#);
        assert_eq!(
            found,
            [
                Challenge {
                    scheme: "negotiate".into(),
                    parameters: pairs(&[])
                },
                Challenge {
                    scheme: "basic".into(),
                    parameters: pairs(&[("realm", "x, y")])
                },
                Challenge {
                    scheme: "bearer".into(),
                    parameters: pairs(&[("realm", "plain"), ("scope", "a b")])
                },
            ]
        );
    }

    #[test]
    fn broken_ones_end_the_list() {
        assert_eq!(challenges(""), []);
        assert_eq!(challenges(", ,"), []);
        assert_eq!(challenges("\u{7f}"), []);
        assert_eq!(challenges(r#"Bearer realm="unended"#)[0].parameter("realm"), None);
        assert_eq!(challenges(&"Basic ".repeat(5_000)).len(), MOST);
    }

    proptest! {
        #[test]
        fn no_text_panics_or_hangs(text in any::<String>()) {
            prop_assert!(challenges(&text).len() <= MOST);
        }

        #[test]
        fn quoted_values_come_back(value in "[ -~]{0,40}") {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!("Bearer realm=\"{quoted}\",service=s");
            let found = challenges(&header);
            prop_assert_eq!(found[0].parameter("realm"), Some(value.as_str()));
            prop_assert_eq!(found[0].parameter("service"), Some("s"));
        }
    }
}
