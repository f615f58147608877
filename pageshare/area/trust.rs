// SPDX-License-Identifier: GPL-2.0

//! Who may attach to an area: nobody, but whom a rule allows.
//!
//! All members of an area are one trust group. A page is matched with pages of the same area only:
//! who is not a member cannot tell from the time that anything takes what is in it.
//!
//! Rules are those of xensock, without ports; the first that fits decides:
//!
//! ```text
//! allow 5
//! deny uuid 3b5d1a7e-52a4-4e2e-9f0a-6f4be2f0f7ad
//! allow *
//! ```

use super::policy::{
    self,
    Misread,
    Peer,
    Rule,
    Verdict, //
};

/// Returns the rules of a text, one for each line that is not empty.
pub fn rules(text: &str) -> impl Iterator<Item = Result<Rule, Misread>> + '_ {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(rule)
}

fn rule(line: &str) -> Result<Rule, Misread> {
    if line.contains(',') {
        return Err(Misread::Excess);
    }
    Rule::parse(line)
}

/// Whether a domain may attach.
pub fn may_attach(rules: &[Rule], domain: &Peer) -> bool {
    policy::decide(rules, Verdict::Deny, domain, 0) == Verdict::Allow
}
