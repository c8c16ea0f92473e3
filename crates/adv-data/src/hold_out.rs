//! Holding images back, class by class.

use crate::error::{DataError, Result};
use crate::image_set::ImageSet;
use crate::order::permutation;

/// Parts `n` images from a set: (the rest, the held-back ones), both in the order of the set.
///
/// Stratified: each class gives its share of `n`, rounded by largest remainder (ties to the lower class), so shares
/// are off by less than one image. Which ones is decided by `seed` alone.
///
/// # Errors
///
/// [`DataError::TooFewImages`] if the set has fewer than `n` images.
pub fn hold_out(set: &ImageSet, n: usize, seed: u64) -> Result<(ImageSet, ImageSet)> {
    if n > set.len() {
        return Err(DataError::TooFewImages {
            name: set.name().to_string(),
            wanted: n,
            len: set.len(),
        });
    }
    let classes = set.indices_by_class();
    let sizes: Vec<usize> = classes.iter().map(Vec::len).collect();
    let mut is_held = vec![false; set.len()];
    for (class, (members, share)) in classes.iter().zip(shares(&sizes, n)).enumerate() {
        let order = permutation(members.len(), seed, class as u64, *b"adv-data: holdbk");
        for &place in &order[..share] {
            is_held[members[place]] = true;
        }
    }
    let (held, rest): (Vec<usize>, Vec<usize>) = (0..set.len()).partition(|&index| is_held[index]);
    Ok((set.select(&rest)?, set.select(&held)?))
}

/// Parts `n` among classes in proportion to their sizes, by largest remainder. No share exceeds its class.
fn shares(sizes: &[usize], n: usize) -> Vec<usize> {
    let total = sizes.iter().sum::<usize>().max(1) as u128;
    let exact = |size: usize| size as u128 * n as u128;
    let mut shares: Vec<usize> = sizes.iter().map(|&size| (exact(size) / total) as usize).collect();
    let mut classes: Vec<usize> = (0..sizes.len()).collect();
    classes.sort_by_key(|&class| std::cmp::Reverse(exact(sizes[class]) % total));
    let missing = n - shares.iter().sum::<usize>();
    for &class in &classes[..missing] {
        shares[class] += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_the_largest_remainder() {
        let check = |sizes: &[usize], n: usize, expected: &[usize]| assert_eq!(shares(sizes, n), expected);
        check(&[10, 10, 10], 6, &[2, 2, 2]);
        check(&[10, 10, 10], 4, &[2, 1, 1]);
        check(&[1, 2, 7], 5, &[1, 1, 3]);
        check(&[0, 5], 5, &[0, 5]);
        check(&[3, 3], 0, &[0, 0]);
        check(&[], 0, &[]);
    }
}
