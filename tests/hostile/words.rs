// SPDX-License-Identifier: GPL-2.0

//! Words of a ring that are wrong for a moment.

use crate::{
    mutate,
    ring::{
        Field,
        Lines, //
    },
    wrong::What, //
};

/// What each end of a ring writes.
const PRODUCERS: [Field; 5] = [
    Field::Prod,
    Field::ProdFlags,
    Field::ProdGen,
    Field::SwitchAt,
    Field::SpaceEvent,
];
const CONSUMERS: [Field; 5] = [
    Field::Cons,
    Field::ConsFlags,
    Field::ConsGen,
    Field::DataEvent,
    Field::Limit,
];

/// Has words of the end that writes `field` wrong for a moment each.
pub(crate) fn flicker(lines: &impl Lines, field: Field) {
    let of_producer = PRODUCERS.contains(&field);
    let fields = if of_producer { PRODUCERS } else { CONSUMERS };
    for _ in 0..mutate::moments(What::Moment) {
        let field = mutate::one_of(&fields, field);
        let right = lines.load(field);
        lines.store(field, mutate::instead_of(right));
        lines.store(field, right);
    }
}
