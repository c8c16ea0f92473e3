//! The operations of transformers: values and gradients against Burn's own on the same device, with every role of an argument, on
//! views, and for every number of threads.

mod common;

use adv_ops::{dropout, gelu, layer_norm, masked_softmax};
use burn::tensor::{Device, Gradients, Tensor, TensorData, activation};
use common::{Pass, assert_close, random, values};

/// The gradients of a loss that weighs every output differently.
fn backward<const D: usize>(output: Tensor<D>) -> Gradients {
    let factors = random(output.dims(), 99, &Device::flex());
    (output * factors).sum().backward()
}

fn leaf<const D: usize>(shape: [usize; D], seed: u64, tracked: bool) -> Tensor<D> {
    let tensor = random(shape, seed, &Device::flex()).autodiff() * 3.0;
    let tensor = tensor.inner().autodiff();
    if tracked { tensor.require_grad() } else { tensor }
}

/// The normal distribution function comes out right where it is tiny, too.
#[test]
fn gelu_is_exact_in_its_tail() {
    let table = [
        (0.0, 0.0),
        (1.0, 0.841_344_746_068_542_9),
        (-1.0, -0.158_655_253_931_457_05),
        (3.0, 2.995_950_305_905_11),
        (-3.0, -0.004_049_694_094_890_1),
        (-5.0, -1.433_257_859_395_966_5e-6),
        (-8.0, -4.976_768_459_417_428e-15),
        (9.0, 9.0),
        (30.0, 30.0),
        (-30.0, 0.0),
    ];
    let x: Vec<f32> = table.iter().map(|(x, _)| *x).collect();
    let x = Tensor::<1>::from_data(TensorData::new(x, [table.len()]), &Device::flex());
    for ((x, want), got) in table.iter().zip(values(gelu(x))) {
        assert!(
            (f64::from(got) - want).abs() <= 2e-6 * want.abs(),
            "{x}: {got}, {want}"
        );
    }
    let nan = Tensor::<1>::from_data([f32::NAN], &Device::flex());
    assert!(values(gelu(nan))[0].is_nan());
}

#[test]
fn gelu_agrees() {
    let pass = |ours: bool| {
        let x = leaf([3, 50_001], 1, true);
        let y = if ours {
            gelu(x.clone())
        } else {
            activation::gelu(x.clone())
        };
        Pass {
            output: values(y.clone()),
            grads: vec![x.grad(&backward(y)).map(values)],
        }
    };
    pass(true).compare(&pass(false), "gelu");
    let plain = random([70, 9], 2, &Device::flex());
    let view = plain.clone().transpose().slice_dim(0, 2..7);
    assert_close(
        "a view",
        &values(gelu(view.clone())),
        &values(activation::gelu(view)),
    );
}

/// A mask with one to all places open.
fn mask(batch: usize, row: usize) -> Tensor<2> {
    let open = |i: usize| 1 + (i * 7) % row;
    let flags = (0..batch).flat_map(|b| (0..row).map(move |s| if s < open(b) { 1.0 } else { 0.0 }));
    let flags: Vec<f32> = flags.collect();
    Tensor::from_data(TensorData::new(flags, [batch, row]), &Device::flex())
}

#[test]
fn masked_softmax_agrees() {
    for [batch, heads, rows, row] in [[3, 2, 5, 5], [5, 3, 1, 37], [2, 12, 64, 64], [1, 1, 1, 1]] {
        let pass = |ours: bool| {
            let x = leaf([batch, heads, rows, row], 1, true);
            let (mask, scale) = (mask(batch, row), 0.37);
            let y = if ours {
                masked_softmax(x.clone(), mask, scale)
            } else {
                let bias = mask.neg().add_scalar(1.0).mul_scalar(-1e9);
                activation::softmax(x.clone() * scale + bias.reshape([batch, 1, 1, row]).autodiff(), 3)
            };
            Pass {
                output: values(y.clone()),
                grads: vec![x.grad(&backward(y)).map(values)],
            }
        };
        pass(true).compare(&pass(false), &format!("{batch} {heads} {rows} {row}"));
    }
}

#[test]
fn shares_of_masked_places_are_zero_and_a_nan_is_not_swallowed() {
    let scores = Tensor::<4>::from_data([[[[1e30, 2.0, f32::NAN], [0.5, -1e30, 3.0]]]], &Device::flex());
    let open = |flags: [f32; 3]| Tensor::<2>::from_data([flags], &Device::flex());
    let shares = values(masked_softmax(scores.clone(), open([0.0, 1.0, 0.0]), 1.0));
    assert_eq!(shares, [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
    let shares = values(masked_softmax(scores, open([0.0, 1.0, 1.0]), 1.0));
    assert!(shares[1].is_nan() && shares[2].is_nan());
    assert_eq!(shares[3..], [0.0, 0.0, 1.0]);
}

#[test]
fn layer_norm_agrees() {
    for (rows, width) in [(1, 1), (3, 7), (200, 384), (65, 33)] {
        for tracked in [
            [true; 3],
            [true, false, false],
            [false, true, false],
            [false, false, true],
        ] {
            let pass = |ours: bool| {
                let x = leaf([rows, width], 1, tracked[0]);
                let gamma = leaf([width], 2, tracked[1]);
                let beta = leaf([width], 3, tracked[2]);
                let y = if ours {
                    layer_norm(x.clone(), gamma.clone(), beta.clone(), 1e-5)
                } else {
                    let centred = x.clone() - x.clone().mean_dim(1);
                    let variance = centred.clone().square().mean_dim(1);
                    let normal = centred / variance.add_scalar(1e-5).sqrt();
                    normal * gamma.clone().unsqueeze() + beta.clone().unsqueeze()
                };
                let output = values(y.clone());
                let grads = backward(y);
                let pick = |there: bool, grad: Option<Vec<f32>>| grad.filter(|_| there);
                Pass {
                    output,
                    grads: vec![
                        pick(tracked[0], x.grad(&grads).map(values)),
                        pick(tracked[1], gamma.grad(&grads).map(values)),
                        pick(tracked[2], beta.grad(&grads).map(values)),
                    ],
                }
            };
            pass(true).compare(&pass(false), &format!("{rows} x {width}, {tracked:?}"));
        }
    }
    let plain = random([20, 6], 1, &Device::flex());
    let (gamma, beta) = (random([6], 2, &Device::flex()), random([6], 3, &Device::flex()));
    let whole = values(layer_norm(plain.clone(), gamma.clone(), beta.clone(), 1e-5));
    let view = plain.transpose().slice_dim(1, 4..9).transpose();
    assert_eq!(values(layer_norm(view, gamma, beta, 1e-5)), whole[24..54]);
}

/// Draws that depend on the entry alone.
fn draws(first: usize, out: &mut [u16]) {
    for (i, draw) in out.iter_mut().enumerate() {
        *draw = ((first + i) as u32).wrapping_mul(2_654_435_761).to_be_bytes()[..2]
            .iter()
            .fold(0, |all, byte| all << 8 | u16::from(*byte));
    }
}

#[test]
fn dropout_multiplies_with_its_factors() {
    let (count, probability) = (70_000, 0.25);
    let mut drawn = vec![0; count];
    draws(0, &mut drawn);
    let factors: Vec<f32> = drawn
        .iter()
        .map(|draw| if *draw < 16_384 { 0.0 } else { 1.0 / 0.75 })
        .collect();
    let share = factors.iter().filter(|factor| **factor == 0.0).count() as f64 / count as f64;
    assert!((share - probability).abs() < 0.01, "{share}");

    let x = leaf([2, count / 2], 1, true);
    let before = values(x.clone());
    let y = dropout(x.clone(), probability, draws);
    let expected: Vec<f32> = before.iter().zip(&factors).map(|(x, f)| x * f).collect();
    assert_eq!(values(y.clone()), expected);
    assert_eq!(values(x.clone()), before, "the argument is still in use");
    let weights = values(random([2, count / 2], 99, &Device::flex()));
    let expected: Vec<f32> = weights.iter().zip(&factors).map(|(w, f)| w * f).collect();
    assert_eq!(x.grad(&backward(y)).map(values), Some(expected));
}

/// All of them in a row; gradients of everything.
fn step() -> Vec<Vec<f32>> {
    let x = leaf([64, 512], 1, true);
    let (gamma, beta) = (leaf([512], 2, true), leaf([512], 3, true));
    let y = layer_norm(x.clone(), gamma.clone(), beta.clone(), 1e-12);
    let y = dropout(gelu(y), 0.1, draws);
    let shares = masked_softmax(y.clone().reshape([16, 4, 8, 64]), mask(16, 64), 0.125);
    let grads = backward(shares);
    let mut all = vec![values(y)];
    all.extend(x.grad(&grads).map(values));
    all.extend(
        [gamma, beta]
            .into_iter()
            .filter_map(|leaf| leaf.grad(&grads).map(values)),
    );
    assert_eq!(all.len(), 4);
    all
}

#[test]
fn bit_identical_for_every_number_of_threads() {
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let all = pool.expect("a thread pool").install(step);
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        all.into_iter().map(bits).collect::<Vec<_>>()
    };
    let one = on(1);
    for threads in [2, 3, 5] {
        assert!(one == on(threads), "{threads} threads");
    }
}
