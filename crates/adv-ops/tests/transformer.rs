//! The operations of transformers: values and gradients against Burn's own on the same device, with every role of an argument, on
//! views, and for every number of threads.

mod common;

use adv_ops::{Adam, Decay, dropout, embedding, gelu, layer_norm, linear, masked_softmax};
use burn::tensor::{DType, Device, Gradients, Int, Tensor, TensorData, activation, module};
use common::{Pass, assert_close, panic_of, random, values};

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

/// Ids with many repetitions; some rows of a table of 40 are not among them.
fn ids(batch: usize, length: usize) -> Tensor<2, Int> {
    let ids: Vec<i64> = (0..batch * length).map(|i| (i * i % 37) as i64).collect();
    Tensor::from_data(TensorData::new(ids, [batch, length]), &Device::flex())
}

#[test]
fn embedding_has_the_bits_of_burns() {
    for (batch, length, width) in [(3, 5, 7), (1, 1, 1), (16, 40, 2000)] {
        for tracked in [true, false] {
            let pass = |ours: bool| {
                let table = leaf([40, width], 1, tracked);
                let ids = ids(batch, length);
                let y = if ours {
                    embedding(table.clone(), ids)
                } else {
                    module::embedding(table.clone(), ids)
                };
                let output = values(y.clone());
                let grad = tracked.then(|| table.grad(&backward(y)).map(values));
                (output, grad)
            };
            let (ours, burns) = (pass(true), pass(false));
            assert!(ours == burns, "{batch} {length} {width}, tracked: {tracked}");
            assert_eq!(ours.1.is_some_and(|grad| grad.is_some()), tracked);
        }
    }
    let plain = random([40, 3], 1, &Device::flex());
    let view = plain
        .slice_dim(0, 2..40)
        .transpose()
        .slice_dim(0, 1..3)
        .transpose();
    assert_eq!(
        values(embedding(view.clone().autodiff(), ids(2, 3))),
        values(module::embedding(view, ids(2, 3)))
    );
}

#[test]
fn embedding_refuses_ids_in_the_words_of_burns() {
    for id in [40, -1, i64::from(i32::MIN)] {
        let message = |tracked: bool| {
            let ids = Tensor::<2, Int>::from_data([[3, id]], &Device::flex());
            let table = leaf([40, 5], 1, tracked);
            panic_of(|| {
                if tracked {
                    embedding(table, ids)
                } else {
                    module::embedding(table.inner(), ids)
                }
            })
        };
        assert_eq!(message(true), message(false));
        assert!(message(true).contains(&id.to_string()), "{id}");
    }
}

/// Five steps: the weights and both moments.
fn adam_steps<const D: usize>(rule: Adam, shape: [usize; D], dtype: DType) -> Vec<Vec<f32>> {
    let random = |seed| random(shape, seed, &Device::flex()).cast(dtype);
    let mut weight = random(1);
    let mut moments = [weight.zeros_like(), weight.zeros_like()];
    for time in 1..=5 {
        let gradient = random(1 + time as u64);
        (weight, moments) = rule.step(0.1 / time as f64, time, weight, gradient, moments);
    }
    let [first, second] = moments;
    [weight, first, second]
        .map(|part| values(part.cast(DType::F32)))
        .into()
}

/// In float64, as PyTorch documents it.
fn adam_by_hand(rule: Adam, shape: [usize; 1]) -> Vec<Vec<f32>> {
    let device = Device::flex();
    let wide = |seed| {
        let values = values(random(shape, seed, &device));
        values.into_iter().map(f64::from).collect::<Vec<_>>()
    };
    let (mut weight, count) = (wide(1), shape[0]);
    let [mut first, mut second] = [vec![0.0; count], vec![0.0; count]];
    let [b1, b2] = rule.betas.map(f64::from);
    for time in 1..=5 {
        let rate = 0.1 / f64::from(time);
        for (i, mut g) in wide(1 + time as u64).into_iter().enumerate() {
            match rule.decay {
                Decay::Gradient(penalty) => g += f64::from(penalty) * weight[i],
                Decay::Weight(decay) => weight[i] *= 1.0 - rate * f64::from(decay),
            }
            first[i] = b1 * first[i] + (1.0 - b1) * g;
            second[i] = b2 * second[i] + (1.0 - b2) * g * g;
            let root = (second[i] / (1.0 - b2.powi(time))).sqrt();
            weight[i] -= rate * first[i] / (1.0 - b1.powi(time)) / (root + f64::from(rule.epsilon));
        }
    }
    let narrow = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect();
    [weight, first, second].map(narrow).into()
}

#[test]
fn adam_steps_as_pytorch_documents() {
    for decay in [0.0, 0.3]
        .into_iter()
        .flat_map(|decay| [Decay::Gradient(decay), Decay::Weight(decay)])
    {
        let (betas, epsilon) = ([0.9, 0.999], 1e-8);
        let rule = Adam {
            betas,
            epsilon,
            decay,
        };
        for (count, dtype) in [
            (1, DType::F32),
            (19, DType::F32),
            (200_001, DType::F32),
            (19, DType::F64),
        ] {
            let pairs = adam_steps(rule, [count], dtype)
                .into_iter()
                .zip(adam_by_hand(rule, [count]));
            for (ours, by_hand) in pairs {
                assert_close(&format!("{decay:?}, {count} of {dtype:?}"), &ours, &by_hand);
            }
        }
    }
}

#[test]
fn adam_leaves_other_handles_alone() {
    let rule = Adam {
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        decay: Decay::Gradient(0.0),
    };
    let parts = || [1, 2, 3, 4].map(|seed| random([4, 3], seed, &Device::flex()).square());
    let step = |[weight, gradient, first, second]: [Tensor<2>; 4]| {
        let (weight, [first, second]) = rule.step(0.1, 1, weight, gradient, [first, second]);
        [weight, first, second]
    };
    let alone = step(parts()).map(values);
    let held = parts();
    let before = held.clone().map(values);
    assert_eq!(step(held.clone()).map(values), alone);
    assert_eq!(held.clone().map(values), before, "second handles");
    let turned = step(held.clone().map(Tensor::transpose));
    assert_eq!(turned.map(|part| values(part.transpose())), alone);
    assert_eq!(held.map(values), before, "views");
}

#[test]
fn adam_refuses_what_would_make_no_numbers() {
    let step = |betas: [f32; 2], time| {
        let rule = Adam {
            betas,
            epsilon: 1e-8,
            decay: Decay::Gradient(0.0),
        };
        let part = |seed| random([3], seed, &Device::flex());
        panic_of(|| rule.step(0.1, time, part(1), part(2), [part(3), part(4)]))
    };
    assert_eq!(step([0.9, 0.999], 0), "updates count from 1");
    let message = "moments keep shares in [0, 1), not [0.9, 1.0]";
    assert_eq!(step([0.9, 1.0], 1), message);
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

/// The argument is needed once more, behind the operation that works in its memory where it can.
#[test]
fn residuals_have_their_gradients() {
    let normal = |ours: bool| {
        let x = leaf([30, 24], 1, true);
        let (gamma, beta) = (leaf([24], 2, false), leaf([24], 3, false));
        let y = if ours {
            layer_norm(x.clone(), gamma, beta, 1e-5)
        } else {
            let centred = x.clone() - x.clone().mean_dim(1);
            let variance = centred.clone().square().mean_dim(1);
            centred / variance.add_scalar(1e-5).sqrt() * gamma.unsqueeze() + beta.unsqueeze()
        };
        let y = y + x.clone();
        Pass {
            output: values(y.clone()),
            grads: vec![x.grad(&backward(y)).map(values)],
        }
    };
    normal(true).compare(&normal(false), "layer norm");
    let shares = |ours: bool| {
        let x = leaf([3, 2, 5, 7], 1, true);
        let y = if ours {
            masked_softmax(x.clone(), mask(3, 7), 0.37)
        } else {
            let bias = mask(3, 7).neg().add_scalar(1.0).mul_scalar(-1e9);
            activation::softmax(x.clone() * 0.37 + bias.reshape([3, 1, 1, 7]).autodiff(), 3)
        };
        let y = y + x.clone();
        Pass {
            output: values(y.clone()),
            grads: vec![x.grad(&backward(y)).map(values)],
        }
    };
    shares(true).compare(&shares(false), "masked softmax");
}

#[test]
fn other_tensors_fall_back() {
    let pass = |device: Device, dtype: DType| {
        let leaf = |shape: [usize; 2], seed| random(shape, seed, &device).cast(dtype).require_grad();
        let narrow = |tensor: Tensor<2>| values(tensor.cast(DType::F32));
        let (x, table) = (leaf([6, 8], 1), leaf([40, 8], 2));
        let wide = |seed| random([8], seed, &device).cast(dtype);
        let y = x.clone() + embedding(table.clone(), ids(2, 3)).reshape([6, 8]);
        let y = layer_norm(y, wide(3), wide(4), 1e-5);
        let y = dropout(gelu(y), 0.3, draws).reshape([3, 2, 2, 4]);
        let y = masked_softmax(y, mask(3, 4).cast(dtype), 0.37).reshape([12, 4]);
        assert_eq!(y.dtype(), dtype);
        let grads = backward(y.clone().cast(DType::F32));
        Pass {
            output: narrow(y),
            grads: [x, table].map(|leaf| leaf.grad(&grads).map(narrow)).to_vec(),
        }
    };
    let device = Device::flex().autodiff();
    let ours = pass(device.clone(), DType::F32);
    ours.compare(&pass(device.clone(), DType::F64), "float64");
    let checkpointing = device.gradient_checkpointing();
    ours.compare(&pass(checkpointing, DType::F32), "checkpointing");
}

#[test]
fn empty_arguments_have_empty_results() {
    for tracked in [true, false] {
        for empty in 0..4 {
            let mut shape = [2, 3, 4, 5];
            shape[empty] = 0;
            let [batch, _, _, row] = shape;
            let mask = random([batch, row], 2, &Device::flex());
            let shares = masked_softmax(leaf(shape, 1, tracked), mask, 1.0);
            assert_eq!(shares.dims(), shape);
        }
        for [rows, width] in [[0, 3], [3, 0]] {
            let wide = |seed| leaf([width], seed, tracked);
            let normal = layer_norm(leaf([rows, width], 1, tracked), wide(2), wide(3), 1e-5);
            assert_eq!(normal.dims(), [rows, width]);
        }
        let table = leaf([40, 0], 1, tracked);
        assert_eq!(embedding(table.clone(), ids(2, 3)).dims(), [2, 3, 0]);
        assert_eq!(gelu(table.clone()).dims(), [40, 0]);
        assert_eq!(dropout(table, 0.5, draws).dims(), [40, 0]);
    }
}

/// All of them in a row; gradients of everything.
fn step() -> Vec<Vec<f32>> {
    let x = leaf([64, 512], 1, true);
    let (gamma, beta) = (leaf([512], 2, true), leaf([512], 3, true));
    let y = layer_norm(x.clone(), gamma.clone(), beta.clone(), 1e-12);
    let y = dropout(gelu(y), 0.1, draws);
    let shares = masked_softmax(y.clone().reshape([16, 4, 8, 64]), mask(16, 64), 0.125);
    let (weight, bias) = (leaf([64, 300], 4, true), leaf([300], 5, true));
    let wide = linear(shares.reshape([512, 64]), weight.clone(), Some(bias.clone()));
    let table = leaf([40, 10_000], 6, true);
    let rows = embedding(table.clone(), ids(2, 20)).reshape([40 * 10_000]);
    let grads = backward(Tensor::cat(vec![wide.reshape([512 * 300]), rows], 0));
    let mut all = vec![values(y)];
    all.extend(
        [x, weight, table]
            .into_iter()
            .filter_map(|leaf| leaf.grad(&grads).map(values)),
    );
    all.extend(
        [gamma, beta, bias]
            .into_iter()
            .filter_map(|leaf| leaf.grad(&grads).map(values)),
    );
    assert_eq!(all.len(), 7);
    let rule = Adam {
        betas: [0.9, 0.999],
        epsilon: 1e-8,
        decay: Decay::Weight(0.1),
    };
    all.extend(adam_steps(rule, [3, 100_000], DType::F32));
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
