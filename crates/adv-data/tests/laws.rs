//! Laws of orders, batches, held-back parts and prefetching.

use adv_data::{
    BatchPlan, DataError, ImageSet, LastBatch, Position, Prefetch, RawImages, epoch_order, hold_out,
};
use proptest::prelude::*;

/// A set whose image `i` is the one pixel `i % 251`, with these labels.
fn set(labels: Vec<u8>) -> ImageSet {
    let pixels = (0..labels.len()).map(|index| (index % 251) as u8).collect();
    let classes = ["a", "b", "c", "d"].map(String::from).into();
    ImageSet::new(RawImages {
        name: "law".into(),
        shape: [1, 1, 1],
        classes,
        pixels,
        white: 255,
        labels,
    })
    .expect("valid")
}

fn sorted(mut values: Vec<usize>) -> Vec<usize> {
    values.sort_unstable();
    values
}

proptest! {
    #[test]
    fn an_epochs_order_is_a_permutation(len in 0usize..2000, seed: u64, epoch: u64) {
        let order = epoch_order(len, seed, epoch);
        prop_assert_eq!(&order, &epoch_order(len, seed, epoch));
        prop_assert_eq!(sorted(order), (0..len).collect::<Vec<_>>());
    }

    #[test]
    fn batches_cut_the_order(len in 1usize..500, size in 1usize..60, seed: u64, epoch in 0u64..5, skip in 0usize..20) {
        let order = epoch_order(len, seed, epoch);
        let kept = BatchPlan::new(len, size, LastBatch::Keep, seed).expect("a batch");
        let batches: Vec<_> = kept.epoch(epoch).collect();
        prop_assert_eq!(batches.len(), kept.batches_per_epoch());
        prop_assert_eq!(kept.epoch(epoch).len(), batches.len());
        prop_assert_eq!(batches.concat(), order.clone());
        let skipped: Vec<_> = kept.epoch(epoch).skip(skip).collect();
        prop_assert_eq!(&skipped, &batches[skip.min(batches.len())..]);
        match BatchPlan::new(len, size, LastBatch::Drop, seed) {
            Ok(dropped) => {
                let full: Vec<_> = dropped.epoch(epoch).collect();
                prop_assert!(full.iter().all(|batch| batch.len() == size));
                prop_assert_eq!(full.concat(), &order[..len / size * size]);
            }
            Err(_) => prop_assert!(len < size),
        }
    }

    #[test]
    fn a_held_back_part_is_stratified(labels in prop::collection::vec(0u8..4, 1..300), share in 0.0f64..=1.0, seed: u64) {
        let set = set(labels);
        let n = (share * set.len() as f64) as usize;
        let (rest, held) = hold_out(&set, n, seed).expect("enough");
        prop_assert_eq!((rest.len(), held.len()), (set.len() - n, n));
        let (all, held_counts, rest_counts) = (set.class_counts(), held.class_counts(), rest.class_counts());
        for class in 0..4 {
            let exact = all[class] as f64 * n as f64 / set.len() as f64;
            prop_assert!((held_counts[class] as f64 - exact).abs() < 1.0);
            prop_assert_eq!(held_counts[class] + rest_counts[class], all[class]);
        }
        let again = hold_out(&set, n, seed).expect("enough").1;
        let all_of = |set: &ImageSet| set.pixels(&(0..set.len()).collect::<Vec<_>>());
        prop_assert_eq!(all_of(&again), all_of(&held));
    }
}

#[test]
fn a_position_names_the_batch() {
    let plan = BatchPlan::new(10, 4, LastBatch::Keep, 1).expect("a batch");
    assert_eq!(plan.position(0), Position::default());
    assert_eq!(plan.position(7), Position { epoch: 2, batch: 1 });
    assert_eq!(
        plan.in_order().collect::<Vec<_>>(),
        [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9]]
    );
}

#[test]
fn plans_without_a_batch_are_refused() {
    let check = |len, size, last| {
        assert!(matches!(
            BatchPlan::new(len, size, last, 0),
            Err(DataError::NoBatch { .. })
        ))
    };
    check(10, 0, LastBatch::Keep);
    check(10, 0, LastBatch::Drop);
    check(0, 1, LastBatch::Keep);
    check(3, 4, LastBatch::Drop);
}

#[test]
fn more_than_all_cannot_be_held_back() {
    assert!(matches!(
        hold_out(&set(vec![0; 5]), 6, 0),
        Err(DataError::TooFewImages {
            wanted: 6,
            len: 5,
            ..
        })
    ));
}

#[test]
fn prefetching_changes_neither_order_nor_content() {
    let set = set((0..237).map(|index| (index % 4) as u8).collect());
    let plan = BatchPlan::new(set.len(), 10, LastBatch::Keep, 3).expect("a batch");
    for (epoch, skip) in [(0, 0), (1, 0), (1, 7), (2, 24)] {
        let direct: Vec<_> = plan
            .epoch(epoch)
            .skip(skip)
            .map(|indices| set.batch(indices))
            .collect();
        let source = set.clone();
        let ahead = Prefetch::new(
            plan.epoch(epoch)
                .skip(skip)
                .map(move |indices| source.batch(indices)),
        );
        let ahead: Vec<_> = ahead
            .expect("a thread")
            .map(|batch| batch.expect("no panic"))
            .collect();
        assert_eq!(ahead, direct);
    }
}

proptest! {
    /// Every sample once, whole batches but the last, little padding, and the same again for (seed, epoch).
    #[test]
    fn batches_by_length_are_a_permutation_with_little_padding(
        lengths in proptest::collection::vec(1usize..64, 1..700),
        size in 1usize..20,
        seed in any::<u64>(),
        epoch in 0u64..5,
    ) {
        let plain = BatchPlan::new(lengths.len(), size, LastBatch::Keep, seed).expect("a batch");
        let plan = plain.clone().with_lengths(lengths.clone()).expect("a length each");
        let batches: Vec<_> = plan.epoch(epoch).collect();
        prop_assert_eq!(batches.len(), plain.batches_per_epoch());
        prop_assert!(batches.iter().rev().skip(1).all(|batch| batch.len() == size));
        let mut all = batches.concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..lengths.len()).collect::<Vec<_>>());
        prop_assert_eq!(plan.epoch(epoch).collect::<Vec<_>>(), batches.clone());

        let padded = |batches: &[Vec<usize>]| -> usize {
            let cells = |batch: &Vec<usize>| batch.len() * batch.iter().map(|&sample| lengths[sample]).max().unwrap_or(0);
            batches.iter().map(cells).sum()
        };
        // Sorting is the best cut into whole batches; a short last one, which gets the longest, may cost two batches of these.
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let slack = if lengths.len() % size == 0 { 0 } else { 2 * size * longest };
        prop_assert!(padded(&batches) <= padded(&plain.epoch(epoch).collect::<Vec<_>>()) + slack);
        prop_assert!(plain.with_lengths(vec![1; lengths.len() + 1]).is_err());
    }
}
