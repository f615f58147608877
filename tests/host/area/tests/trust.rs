// SPDX-License-Identifier: GPL-2.0

//! Who may attach to an area.

use shared_area::area::policy::{Misread, Peer, Uuid};
use shared_area::area::trust::{may_attach, rules};

const UUID: &str = "3b5d1a7e-52a4-4e2e-9f0a-6f4be2f0f7ad";

fn may(text: &str, domain: u16, uuid: Option<&str>) -> bool {
    let rules: Vec<_> = rules(text).collect::<Result<_, _>>().unwrap();
    let uuid = uuid.map(|text| Uuid::parse(text).unwrap());
    may_attach(&rules, &Peer { domain, uuid })
}

#[test]
fn nobody_may_but_whom_a_rule_allows() {
    assert!(!may("", 5, None) && !may("", 0, Some(UUID)));
    assert!(may("allow 5", 5, None) && !may("allow 5", 6, None));
    assert!(may("\n deny 6 \n\nallow *", 5, None) && !may("deny 6\nallow *", 6, None));
    assert!(may("allow *\ndeny 6", 6, None));
}

#[test]
fn a_uuid_must_be_known_to_be_allowed() {
    let allowed = format!("allow uuid {UUID}");
    let other = UUID.replace('3', "4");
    assert!(may(&allowed, 5, Some(UUID)));
    assert!(!may(&allowed, 5, Some(&other)) && !may(&allowed, 5, None));
    let denied = format!("deny uuid {UUID}\nallow *");
    assert!(may(&denied, 5, Some(&other)));
    assert!(!may(&denied, 5, Some(UUID)) && !may(&denied, 5, None));
}

#[test]
fn rules_are_without_ports() {
    let misread = |text| rules(text).next().unwrap().err();
    assert_eq!(misread("allow 5, ports 1-2"), Some(Misread::Excess));
    assert_eq!(misread("permit 5"), Some(Misread::Verdict));
    assert_eq!(misread("allow"), Some(Misread::Who));
}
