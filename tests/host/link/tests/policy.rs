// SPDX-License-Identifier: GPL-2.0

//! Who may connect where, and how much anybody may have.

use proptest::prelude::*;
use socket_link::link::policy::{
    decide, name_uuids, rules, Misread, Peer, Rule, Share, Uuid, Verdict,
};

const UUID: &str = "3b5d1a7e-52a4-4e2e-9f0a-6f4be2f0f7ad";

fn peer(domain: u16, uuid: Option<&str>) -> Peer {
    Peer {
        domain,
        uuid: uuid.map(|text| Uuid::parse(text).unwrap()),
    }
}

fn decided(text: &str, peer: &Peer, port: u32) -> Verdict {
    let rules: Vec<_> = rules(text).collect::<Result<_, _>>().unwrap();
    decide(&rules, Verdict::Allow, peer, port)
}

#[test]
fn the_first_rule_that_fits_decides() {
    let text = "allow 5\n\n  deny *, ports 0-1023  \nallow 6, ports 2000\ndeny 6";
    for (domain, port, verdict) in [
        (5, 22, Verdict::Allow),
        (6, 22, Verdict::Deny),
        (6, 2000, Verdict::Allow),
        (6, 2001, Verdict::Deny),
        (7, 1023, Verdict::Deny),
        (7, 1024, Verdict::Allow),
    ] {
        assert_eq!(
            decided(text, &peer(domain, None), port),
            verdict,
            "{domain} {port}"
        );
    }
    assert_eq!(decide(&[], Verdict::Deny, &peer(1, None), 1), Verdict::Deny);
}

#[test]
fn who_may_be_somebody_gets_the_worse_of_it() {
    let known = peer(5, Some(UUID));
    let other = peer(5, Some("00000000-0000-0000-0000-000000000000"));
    let unknown = peer(5, None);
    let allow = format!("allow uuid {UUID}\ndeny *");
    assert_eq!(
        [known, other, unknown].map(|peer| decided(&allow, &peer, 9)),
        [Verdict::Allow, Verdict::Deny, Verdict::Deny]
    );
    let deny = format!("deny uuid {UUID}");
    assert_eq!(
        [known, other, unknown].map(|peer| decided(&deny, &peer, 9)),
        [Verdict::Deny, Verdict::Allow, Verdict::Deny]
    );
}

#[test]
fn uuids_matter_where_a_rule_names_one() {
    let all = |text: &str| -> Vec<Rule> { rules(text).map(Result::unwrap).collect() };
    assert!(!name_uuids(&all("allow 5\ndeny *")));
    assert!(name_uuids(&all(&format!(
        "allow 5\ndeny uuid {UUID}\ndeny *"
    ))));
}

#[test]
fn what_is_no_rule_is_refused() {
    for (text, misread) in [
        ("", Misread::Verdict),
        ("permit 5", Misread::Verdict),
        ("allow", Misread::Who),
        ("allow five", Misread::Who),
        ("allow -1", Misread::Who),
        ("allow +1", Misread::Who),
        ("allow 65536", Misread::Who),
        ("allow uuid", Misread::Who),
        (
            "allow uuid 3b5d1a7e52a4-4e2e-9f0a-6f4be2f0f7ad-",
            Misread::Who,
        ),
        ("allow 5 6", Misread::Excess),
        ("allow 5,", Misread::Ports),
        ("allow 5, port 6", Misread::Ports),
        ("allow 5, ports", Misread::Ports),
        ("allow 5, ports 7-6", Misread::Ports),
        ("allow 5, ports 7-", Misread::Ports),
        ("allow 5, ports -7", Misread::Ports),
        ("allow 5, ports 1-2-3", Misread::Ports),
        ("allow 5, ports 4294967296", Misread::Ports),
        ("allow 5, ports 7, 8", Misread::Excess),
        ("allow 5, ports 7 8", Misread::Excess),
    ] {
        assert_eq!(Rule::parse(text), Err(misread), "{text:?}");
    }
}

#[test]
fn a_share_is_not_exceeded() {
    let mut share = Share::new(10);
    assert!(share.take(4) && share.take(6) && share.take(0));
    assert!(!share.take(1) && !share.take(u64::MAX));
    share.give(3);
    assert_eq!(share.used(), 7);
    share.set_limit(5);
    assert!(!share.take(0));
    share.give(100);
    assert_eq!(share.used(), 0);
    assert!(share.take(5));
}

proptest! {
    #[test]
    fn rules_are_written_as_they_are_read(
        allow: bool,
        who in prop_oneof![
            Just("*".to_string()),
            any::<u16>().prop_map(|domain| domain.to_string()),
            any::<[u8; 16]>().prop_map(|bytes| format!("uuid {}", Uuid(bytes))),
        ],
        (one, other) in any::<(u32, u32)>(),
    ) {
        let verdict = if allow { "allow" } else { "deny" };
        let text = format!("{verdict} {who}, ports {}-{}", one.min(other), one.max(other));
        let rule = Rule::parse(&text).unwrap();
        prop_assert_eq!(rule.to_string(), text);
        let all = Rule::parse(&format!("{verdict} {who}")).unwrap();
        prop_assert_eq!(Rule::parse(&all.to_string()), Ok(all));
    }

    #[test]
    fn any_text_is_a_rule_or_none(text in "(allow|deny)? ?(uuid|\\*)?[ ,0-9a-fports\\-]{0,60}") {
        if let Ok(rule) = Rule::parse(&text) {
            prop_assert_eq!(Rule::parse(&rule.to_string()), Ok(rule));
        }
    }
}
