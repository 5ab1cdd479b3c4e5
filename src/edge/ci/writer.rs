//! The one place that prints: data to standard output, words to standard error.
//!
//! Whatever is printed passes through here, so that nothing from outside becomes a command of the host or of the
//! terminal: controls go, and on hosts that read commands out of logs the beginnings of commands are broken up.
//! Source: `actions/runner`, `src/Runner.Common/ActionCommand.cs`: `::name` counts where a line begins, leading white
//! space aside; `##[name]` counts anywhere in a line; both on both streams.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _, Write};

use super::{Environment, Host, github, gitlab, terminal};
use crate::base::failure::Cause;
use crate::base::foreign::obeyed;
use crate::domain::report::Event;
use crate::seams::{Clock, Observer};

/// Whether colours are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shade {
    /// Where they are seen.
    Auto,
    /// Always.
    Coloured,
    /// Never.
    Plain,
}

/// How much is said on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Loudness {
    Quiet,
    Line,
    Plain,
    Verbose,
}

/// Prints for one host.
#[derive(Debug)]
pub struct Writer {
    commands: bool,
    data_coloured: bool,
    words_coloured: bool,
    loudness: Loudness,
    columns: usize,
    progress: RefCell<Progress>,
    grouping: Grouping,
    groups: RefCell<BTreeMap<usize, Group>>,
}

/// How the host folds the lines of one target together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grouping {
    Not,
    GitHub,
    GitLab,
}

/// The lines of a target that is being worked on: groups do not nest, and targets run side by side.
#[derive(Debug, Default)]
struct Group {
    title: String,
    lines: Vec<String>,
    began: i64,
}

/// What the progress line shows.
#[derive(Debug, Default)]
struct Progress {
    shown: bool,
    of: usize,
    image: String,
    done: usize,
}

impl Writer {
    /// A writer for this host and taste.
    pub fn new(host: Host, environment: &Environment, shade: Shade, verbose: bool, quiet: bool) -> Self {
        let dumb = environment.get("TERM") == Some("dumb");
        let allowed = environment.get("NO_COLOR").is_none() && !dumb;
        let coloured = |terminal: bool| match shade {
            Shade::Coloured => true,
            Shade::Plain => false,
            Shade::Auto => allowed && terminal,
        };
        let live = io::stderr().is_terminal() && host == Host::Terminal && !dumb;
        Self {
            commands: host.reads_commands(),
            data_coloured: coloured(io::stdout().is_terminal() || host.shows_colours()),
            words_coloured: coloured(io::stderr().is_terminal() || host.shows_colours()),
            loudness: match (quiet, verbose) {
                (true, _) => Loudness::Quiet,
                (false, true) => Loudness::Verbose,
                (false, false) if live => Loudness::Line,
                (false, false) => Loudness::Plain,
            },
            columns: terminal::columns(environment),
            progress: RefCell::default(),
            grouping: match host {
                _ if quiet => Grouping::Not,
                Host::GitHub => Grouping::GitHub,
                Host::GitLab => Grouping::GitLab,
                Host::CodeBuild | Host::Bitbucket | Host::Jenkins | Host::Terminal => Grouping::Not,
            },
            groups: RefCell::default(),
        }
    }

    /// Says commands of our own to the host, one line each.
    pub(super) fn commands(&self, commands: &[String]) {
        self.clear();
        for command in commands {
            Self::raw(&format!("{command}\n"));
        }
    }

    /// Says what is known of targets that nobody said to be done.
    pub fn close_groups(&self) {
        for (target, group) in self.groups.take() {
            Self::raw(&self.folded(target, &group));
        }
    }

    /// Notes what happened to a target, to be said when it is done; false where this host has no groups.
    fn grouped(&self, event: &Event) -> bool {
        if self.grouping == Grouping::Not {
            return false;
        }
        let mut groups = self.groups.borrow_mut();
        match event {
            Event::TargetStarted { target, image, .. } => {
                let title = image.clone();
                let began = Clock::System.now().unix();
                groups.insert(
                    *target,
                    Group {
                        title,
                        lines: Vec::new(),
                        began,
                    },
                );
            }
            Event::StepDone { target, step, what } => {
                let colon = if what.is_empty() { "" } else { ": " };
                let line = format!("  {step}{colon}{what}");
                groups.entry(*target).or_default().lines.push(line);
            }
            Event::TargetDone { target } => {
                if let Some(group) = groups.remove(target) {
                    Self::raw(&self.folded(*target, &group));
                }
            }
            Event::StepStarted { .. } | Event::Request { .. } => {}
            Event::Retry { .. } => return false,
        }
        true
    }

    fn folded(&self, target: usize, group: &Group) -> String {
        let lines: String = group
            .lines
            .iter()
            .map(|line| neutral(&format!("{}\n", one_line(line)), false, self.commands))
            .collect();
        let title = neutral(&one_line(&group.title), false, self.commands);
        if self.grouping == Grouping::GitHub {
            return format!("::group::{}\n{lines}::endgroup::\n", github::escape_data(&title));
        }
        let start = gitlab::section_start(group.began, target, &title);
        let end = gitlab::section_end(Clock::System.now().unix(), target);
        format!("{start}{lines}{end}")
    }

    /// Whether text for [`Writer::text`] should be coloured.
    pub fn data_coloured(&self) -> bool {
        self.data_coloured
    }

    /// Columns that text for [`Writer::text`] may fill.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Prints text to standard output; its own colours stay where colours are used.
    ///
    /// # Errors
    /// What the system says; a reader that went away is no error.
    pub fn text(&self, text: &str) -> io::Result<()> {
        self.clear();
        put(
            io::stdout().lock(),
            &neutral(text, self.data_coloured, self.commands),
        )
    }

    /// Prints JSON to standard output, unchanged in meaning.
    ///
    /// # Errors
    /// As [`Writer::text`].
    pub fn json(&self, json: &str) -> io::Result<()> {
        self.clear();
        let harmless = if self.commands {
            json.replace("##[", "#\\u0023[")
        } else {
            json.to_owned()
        };
        put(io::stdout().lock(), &harmless)
    }

    /// Says why something failed, and what to do about it: further lines of the message are told below it, and each
    /// line of the hint is one of its own.
    pub fn error(&self, cause: &Cause) {
        let (first, further) = cause.message.split_once('\n').unwrap_or((&cause.message, ""));
        self.say("error", RED, first);
        for line in further.lines() {
            Self::raw(&neutral(&format!("  {}\n", one_line(line)), false, self.commands));
        }
        for hint in cause.hint.iter().flat_map(|hint| hint.lines()) {
            self.say("hint", CYAN, hint);
        }
    }

    /// Says something that is not an error.
    pub fn warning(&self, words: &str) {
        if self.loudness != Loudness::Quiet {
            self.say("warning", YELLOW, words);
        }
    }

    /// Says something worth knowing.
    pub fn note(&self, words: &str) {
        if self.loudness != Loudness::Quiet {
            self.say("note", CYAN, words);
        }
    }

    /// Takes the progress line away.
    pub fn clear(&self) {
        let mut progress = self.progress.borrow_mut();
        if progress.shown {
            progress.shown = false;
            Self::raw("\r\u{1b}[K");
        }
    }

    fn say(&self, kind: &str, colour: &str, words: &str) {
        self.clear();
        let words = one_line(words);
        let line = if self.words_coloured {
            format!("{colour}{kind}:{RESET} {words}\n")
        } else {
            format!("{kind}: {words}\n")
        };
        Self::raw(&neutral(&line, self.words_coloured, self.commands));
    }

    /// Words that cannot be said change nothing.
    fn raw(text: &str) {
        let _ = put(io::stderr().lock(), text);
    }

    fn step(&self, words: &str) {
        match self.loudness {
            Loudness::Verbose => Self::raw(&neutral(&format!("{words}\n"), false, self.commands)),
            Loudness::Line => {
                let mut progress = self.progress.borrow_mut();
                progress.shown = true;
                let line = neutral(&progress.line(words), false, false).replace('\n', " ");
                let line: String = line.chars().take(self.columns - 1).collect();
                Self::raw(&format!("\r{line}\u{1b}[K"));
            }
            Loudness::Quiet | Loudness::Plain => {}
        }
    }
}

impl Progress {
    fn line(&self, words: &str) -> String {
        let Self { of, image, done, .. } = self;
        if *of > 1 {
            format!("[{done}/{of}] {image}: {words}")
        } else {
            format!("{image}: {words}")
        }
    }
}

impl Observer for Writer {
    fn on(&self, event: &Event) {
        if self.grouped(event) {
            return;
        }
        match event {
            Event::TargetStarted { of, image, .. } => {
                let mut progress = self.progress.borrow_mut();
                progress.of = *of;
                progress.image.clone_from(image);
                drop(progress);
                if self.loudness == Loudness::Verbose {
                    self.step(image);
                }
            }
            Event::StepStarted { step, .. } if self.loudness == Loudness::Line => self.step(step.name()),
            Event::StepDone { step, what, .. } if self.loudness == Loudness::Verbose => {
                let colon = if what.is_empty() { "" } else { ": " };
                self.step(&format!("  {step}{colon}{what}"));
            }
            Event::TargetDone { .. } => self.progress.borrow_mut().done += 1,
            Event::Retry {
                service,
                operation,
                attempt,
                wait_ms,
            } => {
                let wait = if *wait_ms > 0 {
                    format!(" in {wait_ms} ms")
                } else {
                    String::new()
                };
                self.step(&format!("{service} {operation}: attempt {attempt}{wait}"));
            }
            Event::StepStarted { .. } | Event::StepDone { .. } | Event::Request { .. } => {}
        }
    }
}

const RED: &str = "\u{1b}[1;31m";
const YELLOW: &str = "\u{1b}[1;33m";
const CYAN: &str = "\u{1b}[1;36m";
const RESET: &str = "\u{1b}[0m";

fn one_line(text: &str) -> String {
    text.replace(['\r', '\n'], " ")
}

/// Writes and flushes; a reader that went away (`| head`) has had enough.
fn put(mut to: impl Write, text: &str) -> io::Result<()> {
    match to.write_all(text.as_bytes()).and_then(|()| to.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Takes out what a terminal obeys, except line ends and, if allowed, colours; breaks up commands of the host.
fn neutral(text: &str, colours: bool, commands: bool) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let sgr = sgr_length(rest);
        let taken = match sgr {
            Some(length) => length,
            None => c.len_utf8(),
        };
        let (piece, behind) = rest.split_at_checked(taken).unwrap_or((rest, ""));
        match (sgr, c) {
            (Some(_), _) if colours => clean.push_str(piece),
            (Some(_), _) => {}
            (None, '\n' | '\t') => clean.push(c),
            (None, c) if obeyed(c) => {}
            (None, c) => clean.push(c),
        }
        rest = behind;
    }
    if commands { defused(&clean) } else { clean }
}

/// The length of a colour sequence (ECMA-48, 8.3.117, SGR) that the text begins with.
fn sgr_length(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    parameters.get(end..)?.starts_with('m').then_some(end + 3)
}

/// Breaks up `##[` anywhere and `::` where a line begins, by a blank that a reader sees.
fn defused(text: &str) -> String {
    let lines = text.split_inclusive('\n').map(|line| {
        let line = line.replace("##[", "## [");
        let words = line.trim_start();
        match words.strip_prefix("::") {
            Some(behind) => format!("{}: :{behind}", line.strip_suffix(words).unwrap_or_default()),
            None => line,
        }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ESCAPE: char = '\u{1b}';

    #[test]
    fn commands_are_broken_up_where_the_host_reads_them() {
        assert_eq!(neutral("a\n  ::error::x\n", false, true), "a\n  : :error::x\n");
        assert_eq!(
            neutral("x ##[add-mask]y ###[z", false, true),
            "x ## [add-mask]y ### [z"
        );
        assert_eq!(neutral("#\u{1b}[31m#[x", false, true), "## [x");
        assert_eq!(neutral("\u{feff}\u{b}::x", false, true), ": :x");
        assert_eq!(neutral("::x", false, false), "::x");
    }

    #[test]
    fn colours_stay_only_where_they_are_used() {
        let text = "\u{1b}[1;31mno\u{1b}[0m\u{1b}[2J\u{1b}]0;x\u{7}\r\n";
        assert_eq!(neutral(text, true, false), "\u{1b}[1;31mno\u{1b}[0m[2J]0;x\n");
        assert_eq!(neutral(text, false, false), "no[2J]0;x\n");
    }

    proptest! {
        #[test]
        fn nothing_printed_is_obeyed(text in r"[#\[: \n\t\r\x1b\u{85}\u{a0}\u{2028}\u{200b}ma-c0-9;]{0,60}", colours in any::<bool>()) {
            let out = neutral(&text, colours, true);
            let seen = neutral(&out, false, false);
            prop_assert!(!out.contains("##["));
            prop_assert!(!seen.contains("##[") || colours);
            prop_assert!(out.lines().all(|line| !line.trim_start().starts_with("::")));
            let harmless = |c: char| c == '\n' || c == '\t' || (colours && c == ESCAPE) || !obeyed(c);
            prop_assert!(out.chars().all(harmless));
        }
    }
}
