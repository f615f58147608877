// SPDX-License-Identifier: GPL-2.0

//! Messages and the text of a rendezvous, as bytes.

use proptest::prelude::*;
use socket_link::link::packet::{footprint, Header};
use socket_link::link::segment::Size;
use socket_link::link::slots::{Side, Slot};
use socket_link::link::wire::{
    parse_path, Connect, Direction, Malformed, Message, Offer, Path, Reason, Rendezvous, Segments,
    Socket, HEAD_MAX,
};

fn slot() -> impl Strategy<Value = Slot> {
    (0..4096u32).prop_map(|number| Slot::new(number).unwrap())
}

fn direction() -> impl Strategy<Value = Direction> {
    prop_oneof![Just(Direction::FromOpener), Just(Direction::ToOpener)]
}

fn reason() -> impl Strategy<Value = Reason> {
    prop::sample::select(vec![
        Reason::Other,
        Reason::NoListener,
        Reason::Denied,
        Reason::Busy,
        Reason::NoMemory,
        Reason::Closed,
        Reason::Broken,
        Reason::Cancelled,
        Reason::Limit,
    ])
}

fn connect() -> impl Strategy<Value = Connect> {
    let socket = prop_oneof![Just(Socket::Stream), Just(Socket::SeqPacket)];
    let refs = prop::array::uniform16(any::<u32>());
    (slot(), socket, any::<[u32; 4]>(), [0..4u8, 0..4], refs).prop_map(
        |(slot, socket, words, orders, refs)| {
            let sizes = orders.map(|order| Size::from_order(order).unwrap());
            let (from_opener, rest) = refs.split_at(1 << orders[0]);
            let to_opener = &rest[..1 << orders[1]];
            Connect {
                slot,
                socket,
                src_port: words[0],
                dst_port: words[1],
                limit: words[2],
                page: words[3],
                segments: Segments::new(sizes, [from_opener, to_opener]).unwrap(),
            }
        },
    )
}

fn offer() -> impl Strategy<Value = Offer> {
    (slot(), direction(), 0..=12u8, any::<[u32; 4]>()).prop_map(
        |(slot, direction, order, lists)| {
            let size = Size::from_order(order).unwrap();
            let pages = (1 << order) / 1024;
            Offer::new(slot, direction, size, &lists[..pages.max(1)]).unwrap()
        },
    )
}

fn message() -> impl Strategy<Value = Message> {
    let about = (slot(), direction(), reason(), any::<[u32; 3]>(), 0..12u32);
    let other = about.prop_map(|(slot, direction, reason, words, which)| match which {
        0 | 1 => Message::Accept { slot },
        2 => Message::Refuse { slot, reason },
        3 => Message::Reset { slot, reason },
        4 => Message::Released { slot },
        5 => Message::Taken { slot, direction },
        6 => Message::Declined { slot, direction },
        7 => Message::Dropped { slot, direction },
        8 => Message::Datagram {
            src_port: words[0],
            dst_port: words[1],
            len: words[2] % 8193,
        },
        9 | 10 => {
            let size = Size::from_order((words[0] % 13) as u8).unwrap();
            match which {
                9 => Message::Want { slot, size },
                _ => Message::NoLarger { slot, size },
            }
        }
        _ => Message::Goodbye,
    });
    prop_oneof![
        connect().prop_map(Message::Connect),
        offer().prop_map(Message::Offer),
        other
    ]
}

fn decode(message: &Message) -> (Header, Vec<u8>) {
    let frame = message.encode();
    let (head, payload) = frame.bytes().split_first_chunk::<8>().unwrap();
    let header = Header::decode(*head);
    assert_eq!(Some(frame.footprint()), footprint(header.len));
    (header, payload.to_vec())
}

proptest! {
    #[test]
    fn messages_are_understood_as_they_were_meant(message in message()) {
        let (header, head) = decode(&message);
        prop_assert!(head.len() <= HEAD_MAX && head.len() <= header.len as usize);
        prop_assert_eq!(header.kind, message.kind());
        prop_assert_eq!(Message::decode(header.kind, header.len, &head), Ok(message));
    }

    #[test]
    fn messages_of_another_length_are_none(message in message(), cut in 1..20usize) {
        let (header, mut head) = decode(&message);
        let longer: Vec<_> = head.iter().copied().chain([0; 4]).collect();
        if !matches!(message, Message::Datagram { .. }) {
            let len = longer.len() as u32;
            prop_assert_eq!(Message::decode(header.kind, len, &longer), Err(Malformed::Length));
            let unseen = Message::decode(header.kind, header.len + 4, &head);
            prop_assert_eq!(unseen, Err(Malformed::Length));
        }
        if cut <= head.len() {
            head.truncate(head.len() - cut);
            let short = Message::decode(header.kind, head.len() as u32, &head);
            prop_assert_eq!(short, Err(Malformed::Length));
        }
    }

    #[test]
    fn any_bytes_are_a_message_or_none(
        kind in 0..16u16,
        mut head in prop::collection::vec(prop_oneof![0..4u8, any::<u8>()], 0..=HEAD_MAX),
        excess in 0..3u32,
    ) {
        let len = head.len() as u32 + excess;
        if let Ok(message) = Message::decode(kind, len, &head) {
            let (header, mut same) = decode(&message);
            prop_assert_eq!(header.len, len);
            // What says nothing may be anything: reasons that are not known, lists that are not used.
            if let Message::Refuse { .. } | Message::Reset { .. } = message {
                head.truncate(4);
same.truncate(4);
            }
            if let Message::Offer(offer) = message {
                let used = 12 + 4 * offer.lists().len();
                head.truncate(used);
same.truncate(used);
            }
            if let Message::Datagram { .. } = message {
                head.truncate(8);
            }
            prop_assert_eq!(same, head);
        }
    }

    #[test]
    fn rendezvous_are_understood(header: u32, port: u32, nonce: u64) {
        let told = Rendezvous { header, port, nonce };
        let text = told.encode();
        prop_assert_eq!(text.as_str(), format!("1 {header} {port} {nonce}"));
        prop_assert_eq!(Rendezvous::parse(text.bytes()), Some(told));
    }

    #[test]
    fn any_text_may_stand_in_xenstore(text in prop::collection::vec(any::<u8>(), 0..80)) {
        Rendezvous::parse(&text);
        parse_path(&text);
    }
}

#[test]
fn values_out_of_range_are_refused() {
    let slot = Slot::new(1).unwrap();
    let refused = |kind, words: &[u32]| {
        let bytes: Vec<_> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        Message::decode(kind, bytes.len() as u32, &bytes)
    };
    assert_eq!(refused(3, &[1]), Ok(Message::Accept { slot }));
    assert_eq!(refused(3, &[4096]), Err(Malformed::Value));
    assert_eq!(refused(8, &[1, 2]), Err(Malformed::Value));
    assert_eq!(refused(7, &[1, 0, 13, 0, 0, 0, 0]), Err(Malformed::Value));
    assert_eq!(refused(7, &[1, 0, 256, 0, 0, 0, 0]), Err(Malformed::Value));
    assert_eq!(
        refused(2, &[1, 2, 0, 0, 0, 0, 0, 1, 1]),
        Err(Malformed::Value)
    );
    assert_eq!(refused(2, &[1, 0, 0, 0, 0, 0, 4]), Err(Malformed::Value));
    assert_eq!(refused(0, &[]), Err(Malformed::Kind));
    assert_eq!(refused(1, &[1, 2]), Err(Malformed::Kind));
    assert_eq!(refused(13, &[1, 13]), Err(Malformed::Value));
    assert_eq!(refused(14, &[1, 13]), Err(Malformed::Value));
    assert_eq!(refused(15, &[]), Err(Malformed::Kind));
    assert_eq!(
        refused(5, &[1, 99]),
        Ok(Message::Reset {
            slot,
            reason: Reason::Other
        })
    );
    let datagram = |len| Message::decode(11, len, &[0; 8]);
    assert!(datagram(8200).is_ok());
    assert_eq!(datagram(8201), Err(Malformed::Length));
    assert_eq!(datagram(7), Err(Malformed::Length));
}

#[test]
fn segments_and_lists_have_as_many_pages_as_their_size_says() {
    let [one, two] = [0, 1].map(|order| Size::from_order(order).unwrap());
    assert!(Segments::new([two; 2], [&[1, 2], &[3, 4]]).is_some());
    assert!(Segments::new([two; 2], [&[1], &[3, 4, 5]]).is_none());
    assert!(Segments::new([two, one], [&[1], &[3, 4]]).is_none());
    assert!(Segments::new([Size::from_order(4).unwrap(); 2], [&[0; 16]; 2]).is_none());
    let segments = Segments::new([two, one], [&[1, 2], &[3]]).unwrap();
    assert_eq!(segments.refs(Direction::FromOpener), [1, 2]);
    assert_eq!(segments.refs(Direction::ToOpener), [3]);
    let slot = Slot::new(0).unwrap();
    let offer = |size, lists| Offer::new(slot, Direction::ToOpener, size, lists);
    assert!(offer(Size::MAX, &[1, 2, 3, 4]).is_some());
    assert!(offer(Size::MAX, &[1, 2, 3]).is_none());
    assert!(offer(Size::MIN, &[]).is_none());
}

#[test]
fn directions_go_from_who_writes() {
    let (here, there) = (Side::Initiator, Side::Acceptor);
    assert_eq!(Direction::written_by(here, here), Direction::FromOpener);
    assert_eq!(Direction::written_by(there, here), Direction::ToOpener);
    assert_eq!(
        Direction::written_by(there, here).other(),
        Direction::FromOpener
    );
    assert_eq!(here.other(), there);
}

#[test]
fn only_a_rendezvous_is_one() {
    for text in [
        "",
        "1",
        "1 2 3",
        "1 2 3 4 ",
        " 1 2 3 4",
        "1  2 3 4",
        "2 2 3 4",
        "1 2 3 4 5",
        "1 -2 3 4",
        "1 +2 3 4",
        "1 02 3 4",
        "1 4294967296 3 4",
        "1 2 3 18446744073709551616",
        "1 2 3 0x4",
        "1 2 3 4\n",
    ] {
        assert_eq!(Rendezvous::parse(text.as_bytes()), None, "{text:?}");
    }
}

#[test]
fn only_the_path_of_a_rendezvous_is_one() {
    let path = |text: &str| parse_path(text.as_bytes());
    assert_eq!(
        path("/local/domain/0/data/xsock/7"),
        Some(Path { from: 0, to: 7 })
    );
    assert_eq!(
        path("/local/domain/32751/data/xsock/0"),
        Some(Path { from: 32751, to: 0 })
    );
    for text in [
        "/local/domain/0/data/xsock",
        "/local/domain/0/data/xsock/",
        "/local/domain/0/data/xsock/7/",
        "/local/domain/0/data/xsock/7/x",
        "/local/domain//data/xsock/7",
        "/local/domain/00/data/xsock/7",
        "/local/domain/0/data/xsocks/7",
        "/local/domain/0/device/xsock/7",
        "/local/domain/32752/data/xsock/7",
        "/local/domain/0/data/xsock/32752",
        "/local/domain/70000/data/xsock/7",
        "/local/domain/0/data/xsock/+7",
        "local/domain/0/data/xsock/7",
        "/vm/domain/0/data/xsock/7",
    ] {
        assert_eq!(path(text), None, "{text}");
    }
}
