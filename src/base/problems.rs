//! Everything that is wrong with one text, told at once and within bounds.

use std::fmt;

/// Problems of one text that are kept; more are counted (ours).
const KEPT: usize = 1_000;

/// Problems shown in one message; more are counted (ours).
const SHOWN: usize = 20;

/// The problems of one text: the first thousand are kept, twenty are told, the others are counted.
///
/// Written plainly it is one line, for whoever quotes it; the alternate form has a line for each problem.
///
/// ```
/// use countersign::base::problems::Problems;
/// let mut problems = Problems::from("line 1: one");
/// assert_eq!(format!("{problems:#}"), "line 1: one");
/// problems.push("line 2: two");
/// assert_eq!(problems.to_string(), "line 1: one; line 2: two");
/// assert_eq!(format!("{problems:#}"), "2 problems\nline 1: one\nline 2: two");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems<P> {
    kept: Vec<P>,
    more: usize,
}

impl<P> Default for Problems<P> {
    fn default() -> Self {
        Self {
            kept: Vec::new(),
            more: 0,
        }
    }
}

impl<P> From<P> for Problems<P> {
    fn from(only: P) -> Self {
        Self {
            kept: vec![only],
            more: 0,
        }
    }
}

impl<P> Problems<P> {
    /// Notes one more.
    pub fn push(&mut self, problem: P) {
        if self.kept.len() < KEPT {
            self.kept.push(problem);
        } else {
            self.more += 1;
        }
    }

    /// Notes those of a text inside this one, each as it is to be told here.
    pub fn append<Q>(&mut self, others: Problems<Q>, told: impl FnMut(Q) -> P) {
        self.more += others.more;
        for problem in others.kept.into_iter().map(told) {
            self.push(problem);
        }
    }

    /// Puts those that are kept into order; equal ones stay as they were noted.
    pub fn sort_by_key<K: Ord>(&mut self, key: impl FnMut(&P) -> K) {
        self.kept.sort_by_key(key);
    }

    /// Those that are kept.
    pub fn kept(&self) -> &[P] {
        &self.kept
    }

    /// Those that a message tells.
    pub fn shown(&self) -> &[P] {
        self.kept.get(..SHOWN).unwrap_or(&self.kept)
    }

    /// How many there are, kept or not.
    pub fn count(&self) -> usize {
        self.kept.len() + self.more
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The only one, where there is no other.
    ///
    /// # Errors
    /// All of them, where there are more or none.
    pub fn only(mut self) -> Result<P, Self> {
        match (self.count(), self.kept.pop()) {
            (1, Some(only)) => Ok(only),
            (_, last) => {
                self.kept.extend(last);
                Err(self)
            }
        }
    }
}

impl<P: fmt::Display> fmt::Display for Problems<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let several_lines = f.alternate();
        if several_lines && self.count() > 1 {
            writeln!(f, "{} problems", self.count())?;
        }
        let between = if several_lines { "\n" } else { "; " };
        for (index, problem) in self.shown().iter().enumerate() {
            write!(f, "{}{problem}", if index == 0 { "" } else { between })?;
        }
        match self.count() - self.shown().len() {
            0 => Ok(()),
            1 => write!(f, "{between}and 1 more problem"),
            more => write!(f, "{between}and {more} more problems"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_told_is_counted() {
        let mut problems = Problems::default();
        for number in 0..KEPT + 5 {
            problems.push(number);
        }
        assert_eq!((problems.kept().len(), problems.count()), (KEPT, KEPT + 5));
        let told = format!("{problems:#}");
        assert_eq!(told.lines().count(), 1 + SHOWN + 1);
        assert_eq!(told.lines().next(), Some("1005 problems"));
        assert_eq!(told.lines().last(), Some("and 985 more problems"));
        let mut both = Problems::from(7);
        both.append(problems, |number| number);
        assert_eq!((both.kept().len(), both.count()), (KEPT, KEPT + 6));
    }

    #[test]
    fn one_more_is_one_problem() {
        let mut problems = Problems::default();
        for number in 0..=SHOWN {
            problems.push(number);
        }
        assert!(
            problems.to_string().ends_with("19; and 1 more problem"),
            "{problems}"
        );
        assert_eq!(Problems::from(1).only(), Ok(1));
        assert_eq!(problems.clone().only(), Err(problems));
    }
}
