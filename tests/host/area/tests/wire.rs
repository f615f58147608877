// SPDX-License-Identifier: GPL-2.0

//! Messages and paths, as bytes.

use proptest::prelude::*;
use shared_area::area::wire::{
    parse_path, ContentList, Label, Malformed, Message, Path, Reason, RefList, RunList, Uuid,
    BATCH, DIGESTS_MAX, MESSAGE_MAX, NO_GRANT, RUNS_MAX, SUPPLIES_MAX,
};

const REASONS: [Reason; 7] = [
    Reason::Other,
    Reason::NoArea,
    Reason::NoTree,
    Reason::Limit,
    Reason::NoMemory,
    Reason::Retired,
    Reason::NoOffers,
];

/// What messages are made of.
#[derive(Clone, Debug)]
struct Parts {
    words: [u32; 3],
    long: u64,
    uuid: [u8; 16],
    digest: [u8; 32],
    runs: RunList,
    refs: RefList,
    digests: ContentList,
    supplies: ContentList,
    contents: Vec<(u32, [u8; 32])>,
    blocks: Vec<u32>,
    grants: Vec<Option<u32>>,
    labels: [Label; 2],
    reason: Reason,
}

fn label() -> impl Strategy<Value = Label> {
    "[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}".prop_map(|text| Label::new(text.as_bytes()).unwrap())
}

fn parts() -> impl Strategy<Value = Parts> {
    let runs = prop::collection::vec((any::<u32>(), 1..9u32), 1..20);
    let grants = prop::collection::vec(prop::option::of(0..NO_GRANT), 1..=BATCH as usize);
    (
        any::<[u32; 3]>(),
        any::<u64>(),
        any::<[u8; 16]>(),
        any::<[u8; 32]>(),
        runs,
        grants,
        prop::collection::vec(any::<(u32, [u8; 32])>(), 1..20),
        [label(), label()],
        prop::sample::select(&REASONS[..]),
    )
        .prop_map(
            |(words, long, uuid, digest, given, grants, contents, labels, reason)| {
                let (mut runs, mut refs) = (RunList::new(), RefList::new());
                let blocks = given.iter().flat_map(|&(first, count)| {
                    let end = first.saturating_add(count);
                    first..end
                });
                let blocks: Vec<_> = blocks
                    .chain([7])
                    .filter(|&block| runs.push(block))
                    .collect();
                assert!(grants.iter().all(|&grant| refs.push(grant)));
                let (mut digests, mut supplies) = (ContentList::new(), ContentList::new());
                for (at, (reference, digest)) in contents.iter().enumerate() {
                    assert_eq!(digests.push(digest), at < DIGESTS_MAX);
                    assert_eq!(supplies.supply(*reference, digest), at < SUPPLIES_MAX);
                }
                Parts {
                    words,
                    long,
                    uuid,
                    digest,
                    runs,
                    refs,
                    digests,
                    supplies,
                    contents,
                    blocks,
                    grants,
                    labels,
                    reason,
                }
            },
        )
}

impl Parts {
    fn messages(&self) -> [Message<'_>; 17] {
        let [tree, request, pages] = self.words;
        let (generation, digest) = (self.long, &self.digest);
        let area = Uuid(self.uuid);
        let runs = self.runs.runs().unwrap();
        let reason = self.reason;
        [
            Message::Hello { version: 1, pages },
            Message::Attach {
                request,
                area: self.labels[0],
                tree: if pages & 1 == 0 {
                    Label::NONE
                } else {
                    self.labels[1]
                },
            },
            Message::Again {
                request,
                area,
                digest,
            },
            Message::Attached {
                request,
                tree,
                generation,
                area,
                digest,
            },
            Message::Refused { request, reason },
            Message::Fetch {
                tree,
                request,
                runs,
            },
            Message::Granted {
                request,
                refs: self.refs.refs().unwrap(),
            },
            Message::Release { tree, runs },
            Message::Withdraw {
                tree,
                request,
                runs,
            },
            Message::Withdrawn { request },
            Message::Retire { tree },
            Message::Detach { tree },
            Message::Goodbye,
            Message::Offer {
                request,
                area: self.labels[0],
                digests: self.digests.digests().unwrap(),
            },
            Message::Supply {
                request,
                area: self.labels[0],
                supplies: self.supplies.supplies().unwrap(),
            },
            Message::Return {
                area: self.labels[0],
                digests: self.digests.digests().unwrap(),
            },
            Message::Recall {
                request,
                area: self.labels[0],
            },
        ]
    }
}

proptest! {
    #[test]
    fn messages_are_understood_as_they_were_meant(parts in parts()) {
        // Nobody has ever sent 11.
        let kinds = (1..).filter(|&kind| kind != 11);
        for (message, kind) in parts.messages().into_iter().zip(kinds) {
            let mut bytes = [0; MESSAGE_MAX];
            let payload = message.encode(&mut bytes);
            prop_assert_eq!(message.kind(), kind);
            prop_assert_eq!(Message::decode(kind, payload), Ok(message));
        }
        let runs = parts.runs.runs().unwrap();
        prop_assert_eq!(runs.blocks().collect::<Vec<_>>(), &parts.blocks[..]);
        prop_assert_eq!(runs.count() as usize, parts.blocks.len());
        let refs = parts.refs.refs().unwrap();
        prop_assert_eq!(refs.iter().collect::<Vec<_>>(), &parts.grants[..]);
        prop_assert_eq!(refs.count() as usize, parts.grants.len());
        let digests = parts.digests.digests().unwrap();
        let most = parts.contents.len().min(DIGESTS_MAX);
        prop_assert_eq!(digests.count() as usize, most);
        prop_assert!(digests.iter().eq(parts.contents[..most].iter().map(|(_, digest)| digest)));
        let supplies = parts.supplies.supplies().unwrap();
        let most = parts.contents.len().min(SUPPLIES_MAX);
        prop_assert_eq!(supplies.count() as usize, most);
        let given = parts.contents[..most].iter().map(|(reference, digest)| (*reference, digest));
        prop_assert!(supplies.iter().eq(given));
    }

    #[test]
    fn messages_of_another_length_are_none(parts in parts(), cut in 1..4usize) {
        // Nobody has ever sent 11.
        let kinds = (1..).filter(|&kind| kind != 11);
        for (message, kind) in parts.messages().into_iter().zip(kinds) {
            let mut bytes = [0; MESSAGE_MAX];
            let payload = message.encode(&mut bytes);
            let longer = [payload, &[0; 3][..cut]].concat();
            prop_assert!(Message::decode(kind, &longer).is_err());
            if let Some(len) = payload.len().checked_sub(cut) {
                prop_assert!(Message::decode(kind, &payload[..len]).is_err());
            }
        }
    }

    #[test]
    fn any_bytes_are_a_message_or_none(
        kind in 0..20u16,
        payload in prop::collection::vec(prop_oneof![Just(0), 0..4u8, any::<u8>()], 0..200),
    ) {
        if let Ok(message) = Message::decode(kind, &payload) {
            let mut bytes = [0; MESSAGE_MAX];
            let same = message.encode(&mut bytes);
            // A reason that is not known may be any.
            let used = if kind == 5 { 4 } else { payload.len() };
            prop_assert_eq!(&same[..used], &payload[..used]);
            prop_assert_eq!(same.len(), payload.len());
        }
    }

    #[test]
    fn lists_have_room_for_a_batch(blocks in prop::collection::vec(0..300u32, 0..300)) {
        let mut list = RunList::new();
        let mut model: Vec<(u32, u32)> = Vec::new();
        for block in blocks {
            let full = list.count() == BATCH;
            let continues = model.last().is_some_and(|&(first, count)| first + count == block);
            let fits = !full && (continues || model.len() < RUNS_MAX);
            prop_assert_eq!(list.push(block), fits);
            match model.last_mut().filter(|_| continues) {
                _ if !fits => (),
                Some((_, count)) => *count += 1,
                None => model.push((block, 1)),
            }
        }
        let found: Vec<_> = list.runs().into_iter().flat_map(|runs| runs.iter()).collect();
        prop_assert_eq!(found, model);
    }

    #[test]
    fn any_text_may_stand_in_xenstore(text in prop::collection::vec(any::<u8>(), 0..80)) {
        parse_path(&text);
        parse_path(&[b"/local/domain/", &text[..]].concat());
    }
}

fn decode(kind: u16, words: &[u32]) -> Result<(), Malformed> {
    let bytes: Vec<_> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    Message::decode(kind, &bytes).map(|_| ())
}

#[test]
fn values_out_of_range_are_refused() {
    assert_eq!(decode(0, &[]), Err(Malformed::Kind));
    assert_eq!(decode(19, &[]), Err(Malformed::Kind));
    assert_eq!(decode(14, &[0]), Err(Malformed::Length));
    assert_eq!(decode(5, &[1, 99]), Ok(()));
    // Runs: none, half of one, of no block, beyond the last block, of too many blocks, too many.
    assert_eq!(decode(6, &[1, 2, 5, 128]), Ok(()));
    assert_eq!(decode(6, &[1, 2]), Err(Malformed::Value));
    assert_eq!(decode(6, &[1, 2, 3]), Err(Malformed::Value));
    assert_eq!(decode(6, &[1, 2, 3, 0]), Err(Malformed::Value));
    assert_eq!(decode(6, &[1, 2, u32::MAX, 1]), Ok(()));
    assert_eq!(decode(6, &[1, 2, u32::MAX, 2]), Err(Malformed::Value));
    assert_eq!(decode(6, &[1, 2, 5, 129]), Err(Malformed::Value));
    assert_eq!(decode(6, &[1, 2, 0, 127, 200, 1]), Ok(()));
    assert_eq!(decode(6, &[1, 2, 0, 127, 200, 2]), Err(Malformed::Value));
    assert_eq!(
        decode(6, &[1, 2, 0, 127, 200, u32::MAX]),
        Err(Malformed::Value)
    );
    let pairs = |count| [&[1, 2][..], &[5, 1].repeat(count)].concat();
    assert_eq!(decode(6, &pairs(32)), Ok(()));
    assert_eq!(decode(6, &pairs(33)), Err(Malformed::Value));
    // Grants: none, too many.
    assert_eq!(decode(7, &[1]), Err(Malformed::Value));
    assert_eq!(decode(7, &[1; 129]), Ok(()));
    assert_eq!(decode(7, &[1; 130]), Err(Malformed::Value));
    // Contents of an area with a name: none, half of one, too many.
    let words = |first: usize, area: u8, more: usize| {
        let mut name = [0; 16];
        name[0] = area.into();
        [&[0; 1][..first], &name, &[1; 200][..more]].concat()
    };
    for (kind, first, item, most) in [(15, 1, 8, 14), (16, 1, 9, 12), (17, 0, 8, 14)] {
        assert_eq!(decode(kind, &words(first, b'a', item)), Ok(()));
        assert_eq!(decode(kind, &words(first, b'a', most * item)), Ok(()));
        for wrong in [0, item - 1, (most + 1) * item] {
            let message = words(first, b'a', wrong);
            assert_eq!(decode(kind, &message), Err(Malformed::Value));
        }
        assert_eq!(decode(kind, &words(first, 0, item)), Err(Malformed::Value));
    }
    assert_eq!(decode(18, &words(1, b'a', 0)), Ok(()));
    assert_eq!(decode(18, &words(1, b'a', 1)), Err(Malformed::Length));
    assert_eq!(decode(18, &words(1, 0, 0)), Err(Malformed::Value));
}

#[test]
fn only_labels_are_labels() {
    assert!(Label::new(b"").is_none() && Label::new(b"a/b").is_none());
    assert!(Label::new(&[b'a'; 64]).is_none());
    let label = Label::new(&[b'a'; 63]).unwrap();
    assert_eq!(label.text(), [b'a'; 63]);
    let attach = |area: &[u8], tree: &[u8]| {
        let mut bytes = [0; 132];
        bytes[4..4 + area.len()].copy_from_slice(area);
        bytes[68..68 + tree.len()].copy_from_slice(tree);
        Message::decode(2, &bytes).map(|_| ())
    };
    assert_eq!(attach(b"a", b""), Ok(()));
    assert_eq!(attach(b"a", b"b"), Ok(()));
    assert_eq!(attach(b"", b"b"), Err(Malformed::Value));
    assert_eq!(attach(b"a\0b", b""), Err(Malformed::Value));
    assert_eq!(attach(b"a", b"\0b"), Err(Malformed::Value));
    assert_eq!(attach(b"a", b".b"), Err(Malformed::Value));
    assert_eq!(attach(&[b'a'; 64], b""), Err(Malformed::Value));
}

#[test]
fn only_the_path_of_a_link_is_one() {
    let path = |text: &str| parse_path(text.as_bytes());
    let found = |member, owner| Some(Path { member, owner });
    assert_eq!(path("/local/domain/7/data/pageshare/0"), found(7, 0));
    assert_eq!(
        path("/local/domain/0/data/pageshare/32751"),
        found(0, 32751)
    );
    for text in [
        "/local/domain/7/data/pageshare",
        "/local/domain/7/data/pageshare/",
        "/local/domain/7/data/pageshare/0/",
        "/local/domain/7/data/pageshare/0/x",
        "/local/domain/07/data/pageshare/0",
        "/local/domain/7/data/pageshare/00",
        "/local/domain//data/pageshare/0",
        "/local/domain/7/data/xsock/0",
        "/local/domain/7/device/pageshare/0",
        "/local/domain/32752/data/pageshare/0",
        "/local/domain/7/data/pageshare/32752",
        "/local/domain/7/data/pageshare/+1",
        "/local/domain/70000/data/pageshare/0",
        "local/domain/7/data/pageshare/0",
    ] {
        assert_eq!(path(text), None, "{text}");
    }
}
