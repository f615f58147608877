// SPDX-License-Identifier: GPL-2.0

//! Who may connect to which ports, and how much of anything one peer may have.
//!
//! A list of rules, one a line; the first that fits decides:
//!
//! ```text
//! allow 5
//! allow uuid 3b5d1a7e-52a4-4e2e-9f0a-6f4be2f0f7ad, ports 1024-2047
//! deny *, ports 0-1023
//! ```

use core::fmt;

/// Whether to let a peer connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It may.
    Allow,
    /// It may not.
    Deny,
}

/// A domain's UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Uuid(pub [u8; 16]);

/// A domain that wants to connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Peer {
    /// Its number.
    pub domain: u16,
    /// Its UUID, if that is known.
    pub uuid: Option<Uuid>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    All,
    Domain(u16),
    Uuid(Uuid),
}

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rule {
    verdict: Verdict,
    who: Who,
    first: u32,
    last: u32,
}

/// Why a text is no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Misread {
    /// It begins neither with "allow" nor with "deny".
    Verdict,
    /// It does not say whom it is about.
    Who,
    /// What stands for ports is neither a port nor a range of them.
    Ports,
    /// Something follows that means nothing.
    Excess,
}

impl Misread {
    /// Returns what is wrong, for people.
    pub const fn why(self) -> &'static str {
        match self {
            Misread::Verdict => "it begins neither with \"allow\" nor with \"deny\"",
            Misread::Who => "it does not say whom it is about",
            Misread::Ports => "what stands for ports is none",
            Misread::Excess => "something follows that means nothing",
        }
    }
}

impl Rule {
    /// Returns the rule that a line says.
    pub fn parse(line: &str) -> Result<Self, Misread> {
        let (head, ports) = match line.split_once(',') {
            Some((head, tail)) => (head, Some(tail)),
            None => (line, None),
        };
        let mut words = head.split_ascii_whitespace();
        let verdict = match words.next() {
            Some("allow") => Verdict::Allow,
            Some("deny") => Verdict::Deny,
            _ => return Err(Misread::Verdict),
        };
        let who = match words.next().ok_or(Misread::Who)? {
            "*" => Who::All,
            "uuid" => Who::Uuid(uuid(words.next().ok_or(Misread::Who)?)?),
            domain => Who::Domain(number(domain).ok_or(Misread::Who)?),
        };
        if words.next().is_some() {
            return Err(Misread::Excess);
        }
        let (first, last) = ports.map_or(Ok((0, u32::MAX)), range)?;
        Ok(Self {
            verdict,
            who,
            first,
            last,
        })
    }

    /// Whether the rule is about this peer and port. As long as a peer's UUID is not known, it is
    /// taken for any that is denied, and for none that is allowed.
    fn fits(&self, peer: &Peer, port: u32) -> bool {
        let about = match self.who {
            Who::All => true,
            Who::Domain(domain) => domain == peer.domain,
            Who::Uuid(uuid) => match peer.uuid {
                Some(known) => known == uuid,
                None => self.verdict == Verdict::Deny,
            },
        };
        about && (self.first..=self.last).contains(&port)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.verdict {
            Verdict::Allow => "allow ",
            Verdict::Deny => "deny ",
        })?;
        match self.who {
            Who::All => f.write_str("*")?,
            Who::Domain(domain) => write!(f, "{domain}")?,
            Who::Uuid(uuid) => write!(f, "uuid {uuid}")?,
        }
        match (self.first, self.last) {
            (0, u32::MAX) => Ok(()),
            (first, last) => write!(f, ", ports {first}-{last}"),
        }
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl Uuid {
    /// Returns the UUID that a text of the form `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` says.
    pub fn parse(text: &str) -> Option<Self> {
        let hyphens = text.bytes().enumerate().filter(|&(_, byte)| byte == b'-');
        if text.len() != 36 || !hyphens.map(|(at, _)| at).eq([8, 13, 18, 23]) {
            return None;
        }
        let mut digits = text.chars().filter(|&digit| digit != '-');
        let mut digit = || digits.next()?.to_digit(16).map(|value| value as u8);
        let mut bytes = [0; 16];
        for byte in &mut bytes {
            *byte = (digit()? << 4) | digit()?;
        }
        Some(Self(bytes))
    }
}

/// Returns the rules of a text, one for each line that is not empty.
pub fn rules(text: &str) -> impl Iterator<Item = Result<Rule, Misread>> + '_ {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(Rule::parse)
}

/// Whether any rule is about a UUID, so that those of peers matter.
pub fn name_uuids(rules: &[Rule]) -> bool {
    rules.iter().any(|rule| matches!(rule.who, Who::Uuid(_)))
}

/// Decides whether `peer` may connect to `port`; `default` decides where no rule does.
pub fn decide(rules: &[Rule], default: Verdict, peer: &Peer, port: u32) -> Verdict {
    rules
        .iter()
        .find(|rule| rule.fits(peer, port))
        .map_or(default, |rule| rule.verdict)
}

fn uuid(text: &str) -> Result<Uuid, Misread> {
    Uuid::parse(text).ok_or(Misread::Who)
}

/// `ports 5` or `ports 5-9`
fn range(text: &str) -> Result<(u32, u32), Misread> {
    let mut words = text.split_ascii_whitespace();
    let (Some("ports"), Some(ports)) = (words.next(), words.next()) else {
        return Err(Misread::Ports);
    };
    if words.next().is_some() {
        return Err(Misread::Excess);
    }
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    match (number(first), number(last)) {
        (Some(first), Some(last)) if first <= last => Ok((first, last)),
        _ => Err(Misread::Ports),
    }
}

/// Returns a number of digits only.
pub fn number<N: core::str::FromStr>(text: &str) -> Option<N> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());

    digits.then(|| text.parse().ok()).flatten()
}

/// How much of something a peer has, and may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Share {
    used: u64,
    limit: u64,
}

impl Share {
    /// Returns the share of a peer that has nothing.
    pub const fn new(limit: u64) -> Self {
        Self { used: 0, limit }
    }

    /// Sets the limit from now on. What is in use above it stays.
    pub fn set_limit(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// Returns how much is in use.
    pub const fn used(&self) -> u64 {
        self.used
    }

    /// Takes `amount`. Returns false, and takes nothing, if that would be too much.
    pub fn take(&mut self, amount: u64) -> bool {
        match self.used.checked_add(amount) {
            Some(used) if used <= self.limit => {
                self.used = used;
                true
            }
            _ => false,
        }
    }

    /// Gives back `amount` of what was taken.
    pub fn give(&mut self, amount: u64) {
        self.used = self.used.saturating_sub(amount);
    }
}
