//! Rows cut into folds.

use super::TransferError;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The places of the rows of each fold, in order: every row is in one, each class is spread evenly, and the seed decides the rest.
///
/// Errors: fewer rows than folds, or a single class.
pub fn folds(classes: &[u32], count: usize, seed: u64) -> Result<Vec<Vec<usize>>, TransferError> {
    let rows = classes.len();
    if count < 2 || rows < count {
        return Err(TransferError::TooFew { rows, folds: count });
    }
    if classes.iter().all(|class| *class == classes[0]) {
        return Err(TransferError::OneClass { rows });
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut places: Vec<usize> = (0..rows).collect();
    // Fisher and Yates.
    for last in (1..rows).rev() {
        places.swap(last, below(&mut rng, last as u64 + 1) as usize);
    }
    places.sort_by_key(|&place| classes[place]);
    let mut folds = vec![Vec::new(); count];
    for (turn, place) in places.into_iter().enumerate() {
        folds[turn % count].push(place);
    }
    for fold in &mut folds {
        fold.sort_unstable();
    }
    Ok(folds)
}

/// A number below `bound`, each as likely as the others up to 2^-32 of it.
fn below(rng: &mut ChaCha8Rng, bound: u64) -> u64 {
    ((u128::from(rng.next_u64()) * u128::from(bound)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_a_partition_with_classes_spread_evenly() {
        let classes: Vec<u32> = (0..103).map(|row| u32::from(row % 5 == 0)).collect();
        let cut = folds(&classes, 10, 1).unwrap();
        let mut all = cut.concat();
        all.sort_unstable();
        assert_eq!(all, (0..103).collect::<Vec<_>>());
        for fold in &cut {
            let ones = fold.iter().filter(|&&place| classes[place] == 1).count();
            assert!(
                (2..=3).contains(&ones) && (10..=11).contains(&fold.len()),
                "{fold:?}"
            );
        }
        assert_eq!(folds(&classes, 10, 1).unwrap(), cut);
        assert_ne!(folds(&classes, 10, 2).unwrap(), cut);
        assert!(matches!(
            folds(&classes[..3], 10, 1),
            Err(TransferError::TooFew { rows: 3, folds: 10 })
        ));
        assert!(matches!(
            folds(&[1; 20], 10, 1),
            Err(TransferError::OneClass { rows: 20 })
        ));
    }
}
