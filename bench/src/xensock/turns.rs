// SPDX-License-Identifier: GPL-2.0
//! Whose turn it is, by Williams' Latin squares ("Experimental designs balanced for the estimation of residual
//! effects of treatments", Australian Journal of Scientific Research A 2, 1949): what a run leaves behind, in caches
//! and in the emulator's translations, is then no one's advantage.

/// Who comes when in round `round` of `count`, counted from 0. In `count` rounds everybody comes once at each place
/// and, where `count` is even, once right after each other one.
pub fn order(count: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |place| {
        let step = place.div_ceil(2);
        let ahead = if place % 2 == 1 { step } else { count - step };
        (round + ahead) % count
    })
}

#[cfg(test)]
mod tests {
    use super::order;
    use std::collections::HashSet;

    #[test]
    fn everybody_is_at_each_place_once() {
        for count in 1..7 {
            let squares = (0..count).flat_map(|round| order(count, round).enumerate());
            assert_eq!(squares.collect::<HashSet<_>>().len(), count * count);
        }
    }

    #[test]
    fn everybody_follows_each_other_one_once() {
        for count in [2, 4, 6] {
            let rounds = (0..count).map(|round| order(count, round).collect::<Vec<_>>());
            let pairs = rounds.flat_map(|order| {
                let pairs = order.windows(2).map(|pair| (pair[0], pair[1]));
                pairs.collect::<Vec<_>>()
            });
            assert_eq!(pairs.collect::<HashSet<_>>().len(), count * (count - 1));
        }
    }
}
