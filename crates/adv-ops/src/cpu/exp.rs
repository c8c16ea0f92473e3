//! The exponential function in a form that vectorises.

/// Below this the result is 0: `exp` of it is no normal number.
const LEAST: f32 = -87.0;

/// `exp(x)` for `x <= 0`, to about two units in the last place; exactly 1 at 0 and exactly 0 below -87. NaN stays.
#[inline(always)]
pub(crate) fn exp_of_negative(x: f32) -> f32 {
    // Adding it rounds to a whole number, which then stands in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first with few bits, so that its multiples are exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN_2_HIGH - n * LN_2_LOW;
    // Taylor's series; |r| <= ln 2 / 2.
    let series = 1.0
        + r * (1.0
            + r * (1.0 / 2.0
                + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0 + r / 5040.0))))));
    let power = f32::from_bits((shifted.to_bits() << 23).wrapping_add(1.0f32.to_bits()));
    if x < LEAST { 0.0 } else { series * power }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_exponential_function() {
        for i in 0..=870_000 {
            let x = -(i as f32) * 1e-4;
            let (got, want) = (f64::from(exp_of_negative(x)), f64::from(x).exp());
            assert!((got - want).abs() <= 3e-7 * want, "{x}: {got}, {want}");
        }
        assert_eq!(exp_of_negative(0.0), 1.0);
        for x in [-88.0, -1e9, f32::NEG_INFINITY] {
            assert_eq!(exp_of_negative(x), 0.0);
        }
        assert!(exp_of_negative(f32::NAN).is_nan());
    }
}
