// SPDX-License-Identifier: GPL-2.0

//! The pages of an area, against a model that counts everything.

use proptest::prelude::*;
use shared_area::area::format::Digest;
use shared_area::area::store::{Gone, Grant, Page, Store, Totals, Use, Violation, Want};
use std::collections::{BTreeMap, BTreeSet};

type Plain = Store<Vec<Page>, Vec<Grant>>;

const PAGES: usize = 6;
const GRANTS: usize = 8;
const MEMBERS: u32 = 3;

fn store() -> Plain {
    Store::new(
        vec![Page::default(); PAGES],
        vec![Grant::default(); GRANTS],
        9,
    )
}

/// Contents whose first bytes, by which they are spread, are partly the same.
fn digest(content: u8) -> Digest {
    let mut digest = [0; 32];
    digest[0] = content / 3;
    digest[31] = content;
    digest
}

#[derive(Clone, Debug)]
enum Step {
    Add(u8),
    Hold(u8),
    Offer(u8, u32),
    Remove(prop::sample::Index),
    Want(u32, prop::sample::Index),
    Filled(prop::sample::Index, bool),
    Granted(prop::sample::Index, bool),
    Release(u32, prop::sample::Index),
    Leave(u32),
    Empty(prop::sample::Index),
    Thin(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let which = any::<prop::sample::Index>;
    prop_oneof![
        5 => (0..9u8).prop_map(Step::Add),
        2 => (0..9u8).prop_map(Step::Hold),
        3 => (0..9u8, 0..4u32).prop_map(|(content, most)| Step::Offer(content, most)),
        4 => which().prop_map(Step::Remove),
        6 => (0..MEMBERS, which()).prop_map(|(member, page)| Step::Want(member, page)),
        4 => (which(), prop::bool::weighted(0.8)).prop_map(|(page, success)| Step::Filled(page, success)),
        5 => (which(), prop::bool::weighted(0.8)).prop_map(|(at, success)| Step::Granted(at, success)),
        4 => (0..MEMBERS, which()).prop_map(|(member, page)| Step::Release(member, page)),
        1 => (0..MEMBERS).prop_map(Step::Leave),
        2 => which().prop_map(Step::Empty),
        1 => (0..4u32).prop_map(Step::Thin),
    ]
}

#[derive(Debug, Default)]
struct Model {
    /// Each page's content.
    pages: BTreeMap<u32, u8>,
    references: BTreeMap<u32, u64>,
    /// Pages that no tree has ever had.
    offered: BTreeSet<u32>,
    filling: BTreeSet<u32>,
    here: BTreeSet<u32>,
    /// Which page a member has, by which grant, for how many blocks.
    grants: BTreeMap<(u32, u32), (u32, u32)>,
    /// Members that wait for a grant of a page.
    waiting: Vec<(u32, u32)>,
    /// The next grant reference.
    next: u32,
}

impl Model {
    fn is_over(&self, page: u32) -> bool {
        !self.references.contains_key(&page) && !self.filling.contains(&page) && !self.is_read(page)
    }

    fn is_read(&self, page: u32) -> bool {
        self.grants.keys().any(|&(_, of)| of == page)
    }

    fn is_spare(&self, page: u32) -> bool {
        self.here.contains(&page) && !self.is_read(page)
    }

    /// Takes note of a page that is over, and checks that it should be.
    fn sweep(&mut self, page: u32, over: bool) {
        let should = self.pages.contains_key(&page) && self.is_over(page);
        assert_eq!(over, should);
        if over {
            self.pages.remove(&page);
            self.here.remove(&page);
            self.offered.remove(&page);
        }
    }

    /// Any page number, of which some are of no page.
    fn page(&self, index: &prop::sample::Index) -> u32 {
        index.index(PAGES + 2) as u32
    }

    fn step(&mut self, store: &mut Plain, step: &Step) {
        match step {
            Step::Add(content) => self.add(store, *content),
            Step::Hold(content) => {
                let known = self.page_of(*content);
                assert_eq!(store.hold(&digest(*content)), known);
                self.refer(known);
            }
            Step::Offer(content, most) => self.offer(store, *content, *most),
            Step::Remove(at) => {
                let page = self.page(at);
                if let Some(references) = self.references.get_mut(&page) {
                    *references -= 1;
                    if *references == 0 {
                        self.references.remove(&page);
                    }
                    let over = store.remove(page);
                    self.sweep(page, over);
                } else {
                    assert!(!store.remove(page));
                }
            }
            Step::Want(member, at) => self.want(store, *member, self.page(at)),
            Step::Filled(at, success) => {
                let page = self.page(at);
                let known = self.filling.remove(&page);
                if known && *success {
                    self.here.insert(page);
                }
                let over = store.filled(page, *success);
                assert!(known || !over);
                if known {
                    self.sweep(page, over);
                }
            }
            Step::Granted(at, success) if !self.waiting.is_empty() => {
                let at = at.index(self.waiting.len());
                let (member, page) = self.waiting.swap_remove(at);
                self.granted(store, member, page, *success);
            }
            Step::Granted(..) => (),
            Step::Release(member, at) => {
                let page = self.page(at);
                let found = store.release(*member, page);
                self.release(*member, page, found);
            }
            Step::Empty(at) => {
                let page = self.page(at);
                let spare = self.is_spare(page);
                assert_eq!(store.empty(page), spare);
                if spare {
                    self.here.remove(&page);
                }
            }
            Step::Thin(most) => {
                let spare = self.here.iter().filter(|&&page| self.is_spare(page));
                let wanted = (*most).min(spare.count() as u32);
                let mut freed = Vec::new();
                assert_eq!(store.thin(*most, |page| freed.push(page)), wanted);
                assert_eq!(freed.len() as u32, wanted);
                for page in freed {
                    assert!(self.is_spare(page) && self.here.remove(&page));
                }
            }
            Step::Leave(member) => {
                let mut left = BTreeMap::new();
                store.leave(*member, |page, gone| {
                    assert!(left.insert(page, gone).is_none())
                });
                let had: Vec<_> = self
                    .grants
                    .iter()
                    .filter(|(key, _)| key.0 == *member)
                    .collect();
                let had: Vec<_> = had
                    .into_iter()
                    .map(|(key, grant)| (key.1, grant.0))
                    .collect();
                assert_eq!(left.len(), had.len());
                for (page, reference) in had {
                    self.grants.remove(&(*member, page));
                    assert_eq!(left[&page].reference, Some(reference));
                    self.sweep(page, left[&page].page);
                }
            }
        }
    }

    fn page_of(&self, content: u8) -> Option<u32> {
        let known = self.pages.iter().find(|(_, has)| **has == content);
        known.map(|(&page, _)| page)
    }

    fn refer(&mut self, page: Option<u32>) {
        if let Some(page) = page {
            *self.references.entry(page).or_default() += 1;
        }
    }

    fn offer(&mut self, store: &mut Plain, content: u8, most: u32) {
        let known = self.page_of(content);
        let full = self.pages.len() == PAGES || self.offered.len() as u32 >= most;
        let page = store.hold_offered(&digest(content), most);
        match known {
            Some(_) => assert_eq!(page, known),
            None => assert_eq!(page.is_none(), full),
        }
        if let (None, Some(page)) = (known, page) {
            assert!(self.pages.insert(page, content).is_none());
            assert!(self.offered.insert(page));
        }
        self.refer(page);
    }

    fn add(&mut self, store: &mut Plain, content: u8) {
        let known = self.page_of(content);
        match store.add(&digest(content)) {
            Some(page) => {
                assert!(known.is_none_or(|known| known == page));
                if known.is_none() {
                    assert!(self.pages.insert(page, content).is_none());
                }
                self.refer(Some(page));
                self.offered.remove(&page);
            }
            None => assert!(known.is_none() && self.pages.len() == PAGES),
        }
    }

    fn want(&mut self, store: &mut Plain, member: u32, page: u32) {
        let full = self.grants.len() == GRANTS;
        match store.want(member, page) {
            Want::Has(reference) => {
                let grant = self.grants.get_mut(&(member, page)).unwrap();
                assert_eq!(grant.0, reference);
                grant.1 += 1;
                return;
            }
            Want::Grant => {
                assert!(self.here.contains(&page) && !full);
                self.waiting.push((member, page));
            }
            Want::Fill => {
                assert!(!self.here.contains(&page) && self.pages.contains_key(&page));
                assert!(self.filling.insert(page));
            }
            Want::Wait => assert!(self.filling.contains(&page)),
            Want::Never => {
                let no_room = full && self.here.contains(&page);
                assert!(no_room || !self.pages.contains_key(&page));
            }
        }
        assert!(!self.grants.contains_key(&(member, page)));
    }

    fn granted(&mut self, store: &mut Plain, member: u32, page: u32, success: bool) {
        if !success {
            return;
        }
        self.next += 1;
        let fits = self.here.contains(&page)
            && self.grants.len() < GRANTS
            && !self.grants.contains_key(&(member, page));
        assert_eq!(store.granted(member, page, self.next), fits);
        if fits {
            self.grants.insert((member, page), (self.next, 1));
        }
    }

    fn release(&mut self, member: u32, page: u32, found: Result<Gone, Violation>) {
        let Some(grant) = self.grants.get_mut(&(member, page)) else {
            assert_eq!(found, Err(Violation));
            return;
        };
        let gone = found.unwrap();
        grant.1 -= 1;
        if grant.1 > 0 {
            assert_eq!(gone, Gone::default());
            return;
        }
        assert_eq!(gone.reference, Some(grant.0));
        self.grants.remove(&(member, page));
        self.sweep(page, gone.page);
    }

    fn check(&self, store: &Plain) {
        let totals = Totals {
            referenced: self.references.values().sum(),
            unique: self.pages.len() as u32,
            here: self.here.len() as u32,
            spare: self
                .here
                .iter()
                .filter(|&&page| self.is_spare(page))
                .count() as u32,
            grants: self.grants.len() as u32,
            offered: self.offered.len() as u32,
        };
        assert_eq!(*store.totals(), totals);
        for page in 0..PAGES as u32 + 2 {
            let content = self.pages.get(&page).map(|&content| digest(content));
            assert_eq!(store.digest(page).copied(), content);
            let has = |member: u32| self.grants.contains_key(&(member, page));
            assert!((0..MEMBERS).all(|member| store.has(member, page) == has(member)));
            let known = self.here.contains(&page) || self.filling.contains(&page);
            assert_eq!(store.is_bare(page), content.is_some() && !known);
            let usage = content.is_some().then(|| Use {
                here: self.here.contains(&page),
                references: self.references.get(&page).map_or(0, |&count| count as u32),
                readers: (0..MEMBERS).filter(|&member| has(member)).count() as u32,
            });
            assert_eq!(store.usage(page), usage);
        }
        for member in 0..MEMBERS {
            // Of each half of the table: nothing is missing, and nothing is there twice.
            let mut found = Vec::new();
            for entries in [0..3, 3..GRANTS as u32 + 2] {
                store.grants_of(member, entries, |reference, readers| {
                    found.push((reference, readers));
                });
            }
            let others = |page| self.grants.keys().filter(|key| key.1 == page).count() as u32;
            let of_member = self
                .grants
                .iter()
                .filter(|((reader, _), _)| *reader == member);
            let mut known: Vec<_> = of_member
                .map(|((_, page), grant)| (grant.0, others(*page)))
                .collect();
            found.sort_unstable();
            known.sort_unstable();
            assert_eq!(found, known);
        }
    }
}

proptest! {
    #[test]
    fn pages_are_counted(steps in prop::collection::vec(step(), 0..120)) {
        let (mut store, mut model) = (store(), Model::default());
        for step in &steps {
            model.step(&mut store, step);
            model.check(&store);
        }
    }
}

#[test]
fn a_page_lives_from_its_first_block_to_its_last_reader() {
    let mut store = store();
    let page = store.add(&digest(1)).unwrap();
    assert_eq!(store.add(&digest(1)), Some(page));
    assert_eq!(store.want(5, page), Want::Fill);
    assert_eq!(store.want(6, page), Want::Wait);
    assert!(!store.filled(page, true));
    assert_eq!(store.want(5, page), Want::Grant);
    assert!(store.granted(5, page, 77) && !store.granted(5, page, 78));
    assert_eq!(store.want(5, page), Want::Has(77));
    assert!(!store.remove(page) && !store.remove(page) && !store.remove(page));
    // It can come back while somebody reads it.
    assert_eq!(store.add(&digest(1)), Some(page));
    assert!(!store.remove(page));
    assert_eq!(store.release(5, page), Ok(Gone::default()));
    assert_eq!(store.release(6, page), Err(Violation));
    let over = Gone {
        reference: Some(77),
        page: true,
    };
    assert_eq!(store.release(5, page), Ok(over));
    assert_eq!(*store.totals(), Totals::default());
    assert_eq!(store.want(5, page), Want::Never);
}

#[test]
fn a_page_that_is_being_read_is_over_afterwards() {
    for success in [false, true] {
        let mut store = store();
        let page = store.add(&digest(1)).unwrap();
        assert_eq!(store.want(5, page), Want::Fill);
        assert!(!store.remove(page));
        assert!(store.filled(page, success) && !store.filled(page, success));
        assert_eq!(*store.totals(), Totals::default());
    }
}

#[test]
fn an_offered_page_lives_as_long_as_a_member_has_it() {
    let mut store = store();
    assert_eq!(store.hold(&digest(1)), None);
    assert_eq!(store.hold_offered(&digest(1), 0), None);
    let page = store.hold_offered(&digest(1), 1).unwrap();
    assert_eq!(store.hold_offered(&digest(2), 1), None);
    assert_eq!(store.want(5, page), Want::Fill);
    assert!(!store.filled(page, true) && store.granted(5, page, 77));
    assert!(!store.remove(page));
    // Another one gets it without having to supply it.
    assert_eq!(store.hold(&digest(1)), Some(page));
    assert!(store.granted(6, page, 78) && !store.remove(page));
    // Nobody can read it again from anywhere.
    assert!(!store.empty(page) && store.thin(9, |_| ()) == 0);
    assert!(!store.release(5, page).unwrap().page);
    assert!(store.release(6, page).unwrap().page);
    assert_eq!(*store.totals(), Totals::default());
}

#[test]
fn an_offered_page_that_a_tree_gets_is_the_trees() {
    let mut store = store();
    let page = store.hold_offered(&digest(1), 1).unwrap();
    assert_eq!(store.totals().offered, 1);
    assert_eq!(store.add(&digest(1)), Some(page));
    assert_eq!(store.totals().offered, 0);
    assert!(!store.remove(page) && store.remove(page));
}
