//! The operations of recurrent networks: values and gradients against Burn's own on the same device, with every role of an argument,
//! on views, and for every number of threads.

mod common;

use adv_ops::{lstm, weighted_moments};
use burn::tensor::activation::sigmoid;
use burn::tensor::{DType, Device, Gradients, Tensor, TensorData, s};
use common::{Pass, assert_close, panic_of, random, values};

/// The gradients of a loss that weighs every output differently.
fn backward<const D: usize>(output: Tensor<D>) -> Gradients {
    let factors = random(output.dims(), 99, &Device::flex());
    (output * factors).sum().backward()
}

fn leaf<const D: usize>(shape: [usize; D], seed: u64, scale: f32, tracked: bool) -> Tensor<D> {
    let tensor = (random(shape, seed, &Device::flex()) * scale).autodiff();
    if tracked { tensor.require_grad() } else { tensor }
}

/// Step by step, gate by gate.
fn by_hand(gates: Tensor<3>, weight: Tensor<2>) -> Tensor<3> {
    let [batch, steps, width] = gates.dims();
    let hidden = width / 4;
    let zeros = || Tensor::<2>::zeros([batch, hidden], &gates.device());
    let (mut h, mut c, mut all) = (zeros(), zeros(), Vec::new());
    for t in 0..steps {
        let own: Tensor<3> = gates.clone().slice(s![.., t..t + 1, ..]);
        let sums = own.reshape([batch, width]) + h.matmul(weight.clone().transpose());
        let [i, f, g, o] = [0, 1, 2, 3].map(|q| sums.clone().slice(s![.., q * hidden..(q + 1) * hidden]));
        c = sigmoid(f) * c + sigmoid(i) * g.tanh();
        h = sigmoid(o) * c.clone().tanh();
        all.push(h.clone().unsqueeze_dim::<3>(1));
    }
    Tensor::cat(all, 1)
}

const SHAPES: [[usize; 3]; 6] = [
    [1, 1, 1],
    [3, 4, 5],
    [7, 1, 16],
    [2, 9, 64],
    [5, 6, 100],
    [32, 5, 256],
];

#[test]
fn lstm_agrees() {
    for [batch, steps, hidden] in SHAPES {
        for tracked in [[true, true], [true, false], [false, true]] {
            let pass = |ours: bool| {
                let gates = leaf([batch, steps, 4 * hidden], 1, 3.0, tracked[0]);
                let weight = leaf([4 * hidden, hidden], 2, 2.0 / (hidden as f32).sqrt(), tracked[1]);
                let y = match ours {
                    true => lstm(gates.clone(), weight.clone()),
                    false => by_hand(gates.clone(), weight.clone()),
                };
                let output = values(y.clone());
                let grads = backward(y);
                Pass {
                    output,
                    grads: vec![
                        gates.grad(&grads).filter(|_| tracked[0]).map(values),
                        weight.grad(&grads).filter(|_| tracked[1]).map(values),
                    ],
                }
            };
            pass(true).compare(&pass(false), &format!("{batch} {steps} {hidden} {tracked:?}"));
        }
    }
}

#[test]
fn lstm_without_gradients_is_the_same_and_takes_views() {
    for [batch, steps, hidden] in SHAPES {
        let gates = random([batch, 4 * hidden, steps], 1, &Device::flex()).swap_dims(1, 2);
        let weight = random([hidden, 4 * hidden], 2, &Device::flex()).transpose();
        let plain = values(lstm(gates.clone(), weight.clone()));
        assert_close("views", &plain, &values(by_hand(gates.clone(), weight.clone())));
        let tracked = lstm(gates.autodiff().require_grad(), weight.autodiff());
        assert_eq!(plain, values(tracked), "{batch} {steps} {hidden}");
    }
}

/// What a sequence gives does not depend on those beside it, nor on what comes later.
#[test]
fn sequences_and_times_are_apart() {
    let device = Device::flex();
    let gates = random([4, 6, 4 * 24], 1, &device);
    let weight = random([4 * 24, 24], 2, &device);
    let whole: Tensor<3> = lstm(gates.clone(), weight.clone());
    for b in 0..4 {
        let own: Tensor<3> = gates.clone().slice(s![b..b + 1, 0..3, ..]);
        let of_whole: Tensor<3> = whole.clone().slice(s![b..b + 1, 0..3, ..]);
        assert_eq!(
            values(lstm(own, weight.clone())),
            values(of_whole),
            "sequence {b}"
        );
    }
}

#[test]
fn a_nan_is_not_swallowed() {
    let mut gates = vec![0.5; 2 * 3 * 8];
    gates[8 + 5] = f32::NAN; // of the candidate, second step of the first sequence
    let gates = Tensor::<3>::from_data(TensorData::new(gates, [2, 3, 8]), &Device::flex());
    let out = values(lstm(gates, random([8, 2], 2, &Device::flex())));
    let nan: Vec<bool> = out.iter().map(|value| value.is_nan()).collect();
    let f = false;
    assert_eq!(nan, [f, f, f, true, true, true, f, f, f, f, f, f]);
}

fn shares(rows: usize) -> Tensor<1> {
    let counts: Vec<f32> = (0..rows)
        .map(|row| ((row * 7) % 5) as f32 + if row == 0 { 1.0 } else { 0.0 })
        .collect();
    let sum: f32 = counts.iter().sum();
    let shares: Vec<f32> = counts.iter().map(|count| count / sum).collect();
    Tensor::from_data(TensorData::new(shares, [rows]), &Device::flex())
}

#[test]
fn weighted_moments_agree() {
    for [rows, width] in [[1, 1], [7, 3], [300, 33], [1025, 64]] {
        let pass = |ours: bool| {
            // Far from zero: squares that are not centred would lose all digits.
            let table = leaf([rows, width], 1, 2.0, true);
            let far = table.clone() + 100.0;
            let moments = match ours {
                true => weighted_moments(far, shares(rows)),
                false => {
                    let shares = shares(rows).reshape([rows, 1]).autodiff();
                    let mean = (far.clone() * shares.clone()).sum_dim(0);
                    let variance = ((far - mean.clone()).square() * shares).sum_dim(0);
                    Tensor::cat(vec![mean, variance], 0)
                }
            };
            let output = values(moments.clone());
            Pass {
                output,
                grads: vec![table.grad(&backward(moments)).map(values)],
            }
        };
        pass(true).compare(&pass(false), &format!("{rows} x {width}"));
        let plain = random([width, rows], 3, &Device::flex()).transpose();
        let tracked = weighted_moments(plain.clone().autodiff().require_grad(), shares(rows));
        assert_eq!(values(weighted_moments(plain, shares(rows))), values(tracked));
    }
}

#[test]
fn other_tensors_fall_back() {
    let pass = |device: Device, dtype: DType| {
        let leaf = |shape: [usize; 2], seed| random(shape, seed, &device).cast(dtype).require_grad();
        let narrow = |tensor: Tensor<2>| values(tensor.cast(DType::F32));
        let (gates, weight) = (leaf([3 * 4, 4 * 5], 1), leaf([4 * 5, 5], 2));
        let y: Tensor<3> = lstm(gates.clone().reshape([3, 4, 4 * 5]), weight.clone());
        let table = y.reshape([3 * 4, 5]);
        let moments = weighted_moments(table.clone(), shares(12).cast(dtype));
        assert_eq!(moments.dtype(), dtype);
        let output = [narrow(table), narrow(moments.clone())].concat();
        let grads = backward(moments.cast(DType::F32));
        Pass {
            output,
            grads: [gates, weight].map(|leaf| leaf.grad(&grads).map(narrow)).to_vec(),
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
    for [batch, steps, hidden] in [[0, 2, 3], [2, 0, 3], [2, 3, 0], [0, 0, 0]] {
        for tracked in [true, false] {
            let gates = leaf([batch, steps, 4 * hidden], 1, 1.0, tracked);
            let y = lstm(gates, leaf([4 * hidden, hidden], 2, 1.0, tracked));
            assert_eq!(y.dims(), [batch, steps, hidden]);
        }
    }
    let moments = weighted_moments(leaf([3, 0], 1, 1.0, true), shares(3));
    assert_eq!(moments.dims(), [2, 0]);
}

#[test]
fn shapes_that_do_not_fit_are_refused() {
    let device = Device::flex();
    for ([gates, weight], message) in [
        (
            [10, 10],
            "gates [B,T,4H] and a weight [4H,H], not [2, 3, 10] and [10, 2]",
        ),
        (
            [8, 1],
            "gates [B,T,4H] and a weight [4H,H], not [2, 3, 8] and [1, 2]",
        ),
        (
            [12, 8],
            "gates [B,T,4H] and a weight [4H,H], not [2, 3, 12] and [8, 2]",
        ),
    ] {
        let text = panic_of(|| lstm(random([2, 3, gates], 1, &device), random([weight, 2], 2, &device)));
        assert_eq!(text, message);
    }
    let text = panic_of(|| weighted_moments(random([4, 3], 1, &device), random([1], 2, &device)));
    assert!(text.contains("a share for each row"), "{text}");
}

/// Both in a row; gradients of everything.
fn step() -> Vec<Vec<f32>> {
    let gates = leaf([32, 7, 4 * 200], 1, 2.0, true);
    let weight = leaf([4 * 200, 200], 2, 0.1, true);
    let y = lstm(gates.clone(), weight.clone());
    let table = y.clone().reshape([32 * 7 * 2, 100]).repeat_dim(0, 10);
    let moments = weighted_moments(table, shares(4480));
    let grads = backward(moments.clone());
    let mut all = vec![values(y), values(moments)];
    all.extend(gates.grad(&grads).map(values));
    all.extend(weight.grad(&grads).map(values));
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
