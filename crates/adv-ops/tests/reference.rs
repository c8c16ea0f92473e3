//! Values and gradients against Burn's own operations on the same device.

mod common;

use adv_ops::{conv2d, conv2d_relu, conv2d_relu_max_pool2d, linear, max_pool2d, relu};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Gradients, Tensor, activation, module};
use common::{Pass, assert_close, random, values};
use proptest::prelude::*;

/// How an argument takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// On the device without autodiff.
    Plain,
    /// On the autodiff device, a constant.
    Frozen,
    /// Wants its gradient.
    Tracked,
}
use Role::{Frozen, Plain, Tracked};

const ROLES: [Role; 3] = [Plain, Frozen, Tracked];

impl Role {
    fn leaf<const D: usize>(self, shape: [usize; D], seed: u64) -> Tensor<D> {
        let tensor = random(shape, seed, &Device::flex());
        match self {
            Plain => tensor,
            Frozen => tensor.autodiff(),
            Tracked => tensor.autodiff().require_grad(),
        }
    }

    fn grad<const D: usize>(self, leaf: &Tensor<D>, grads: &Gradients) -> Option<Vec<f32>> {
        if self == Plain {
            None
        } else {
            leaf.grad(grads).map(values)
        }
    }
}

/// The gradients of a loss that weighs every output differently.
fn backward<const D: usize>(output: Tensor<D>) -> Gradients {
    let factors = random(output.dims(), 99, &Device::flex());
    (output * factors).sum().backward()
}

#[derive(Clone, Copy, Debug)]
struct Conv {
    input: [usize; 4],
    out: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
}

fn check_conv(case: Conv, [rx, rw, rb]: [Role; 3], bias: bool) {
    let [kh, kw] = case.kernel;
    let pass = |ours: bool| {
        let x = rx.leaf(case.input, 1);
        let w = rw.leaf([case.out, case.input[1], kh, kw], 2);
        let b = bias.then(|| rb.leaf([case.out], 3));
        let y = if ours {
            conv2d(x.clone(), w.clone(), b.clone(), case.stride, case.padding)
        } else {
            let options = ConvOptions::new(case.stride, case.padding, [1, 1], 1);
            module::conv2d(x.clone(), w.clone(), b.clone(), options)
        };
        let tracked = rx == Tracked || rw == Tracked || (bias && rb == Tracked);
        let output = values(y.clone());
        let Some(grads) = tracked.then(|| backward(y)) else {
            return Pass {
                output,
                grads: vec![],
            };
        };
        let bias_grad = b.and_then(|b| rb.grad(&b, &grads));
        Pass {
            output,
            grads: vec![rx.grad(&x, &grads), rw.grad(&w, &grads), bias_grad],
        }
    };
    let ours = pass(true);
    for (grad, role) in ours.grads.iter().zip([rx, rw, rb]) {
        assert!(
            grad.is_none() || role == Tracked,
            "gradient of an untracked argument"
        );
    }
    ours.compare(&pass(false), &format!("{case:?} {:?}", [rx, rw, rb]));
}

#[test]
fn conv2d_agrees() {
    let table = [
        ([50, 1, 28, 28], 16, [4, 4], [2, 2], [1, 1]),
        ([3, 16, 14, 14], 32, [4, 4], [2, 2], [1, 1]),
        ([5, 1, 28, 28], 32, [5, 5], [1, 1], [2, 2]),
        ([2, 32, 14, 14], 64, [5, 5], [1, 1], [2, 2]),
        ([1, 3, 32, 32], 80, [3, 3], [1, 1], [1, 1]),
        ([2, 5, 7, 9], 10, [3, 2], [2, 3], [0, 1]),
        ([17, 6, 8, 8], 7, [1, 1], [1, 1], [0, 0]),
        // A stride that jumps over pixels, a kernel as large as the image, wide padding.
        ([2, 2, 9, 9], 3, [2, 2], [4, 3], [0, 0]),
        ([1, 2, 6, 5], 7, [6, 5], [1, 1], [0, 0]),
        ([2, 7, 3, 3], 5, [2, 2], [1, 2], [3, 4]),
    ];
    for (input, out, kernel, stride, padding) in table {
        let case = Conv {
            input,
            out,
            kernel,
            stride,
            padding,
        };
        check_conv(case, [Tracked; 3], true);
        check_conv(case, [Tracked; 3], false);
    }
}

#[test]
fn conv2d_gradients_for_tracked_arguments_only() {
    let case = Conv {
        input: [2, 3, 7, 6],
        out: 5,
        kernel: [3, 3],
        stride: [1, 2],
        padding: [1, 1],
    };
    for rx in ROLES {
        for rw in ROLES {
            for rb in ROLES {
                check_conv(case, [rx, rw, rb], true);
            }
            check_conv(case, [rx, rw, Plain], false);
        }
    }
}

fn check_fused(case: Conv, [rx, rw, rb]: [Role; 3], bias: bool, window: Option<[usize; 2]>) {
    let [kh, kw] = case.kernel;
    let Conv { stride, padding, .. } = case;
    let pass = |fused: bool| {
        let x = rx.leaf(case.input, 1);
        let w = rw.leaf([case.out, case.input[1], kh, kw], 2);
        let b = bias.then(|| rb.leaf([case.out], 3));
        let y = match (fused, window) {
            (true, None) => conv2d_relu(x.clone(), w.clone(), b.clone(), stride, padding),
            (true, Some(k)) => conv2d_relu_max_pool2d(x.clone(), w.clone(), b.clone(), stride, padding, k),
            (false, window) => {
                let options = ConvOptions::new(stride, padding, [1, 1], 1);
                let y = activation::relu(module::conv2d(x.clone(), w.clone(), b.clone(), options));
                match window {
                    Some(k) => module::max_pool2d(y, MaxPoolOptions::new(k).with_stride(k)),
                    None => y,
                }
            }
        };
        let output = values(y.clone());
        let tracked = rx == Tracked || rw == Tracked || (bias && rb == Tracked);
        let Some(grads) = tracked.then(|| backward(y)) else {
            return Pass {
                output,
                grads: vec![],
            };
        };
        let bias_grad = b.and_then(|b| rb.grad(&b, &grads));
        Pass {
            output,
            grads: vec![rx.grad(&x, &grads), rw.grad(&w, &grads), bias_grad],
        }
    };
    pass(true).compare(&pass(false), &format!("{case:?} then ReLU, pool {window:?}"));
}

#[test]
fn fused_operations_agree() {
    let table = [
        ([3, 16, 14, 14], 32, [4, 4], [2, 2], [1, 1]),
        ([5, 1, 28, 28], 32, [5, 5], [1, 1], [2, 2]),
        ([2, 32, 14, 14], 64, [5, 5], [1, 1], [2, 2]),
        ([1, 3, 13, 11], 10, [3, 2], [1, 1], [0, 1]),
    ];
    for (input, out, kernel, stride, padding) in table {
        let case = Conv {
            input,
            out,
            kernel,
            stride,
            padding,
        };
        for window in [None, Some([2, 2]), Some([3, 2])] {
            for roles in [
                [Tracked; 3],
                [Tracked, Plain, Frozen],
                [Plain, Tracked, Plain],
                [Plain; 3],
            ] {
                check_fused(case, roles, true, window);
            }
            check_fused(case, [Tracked; 3], false, window);
        }
    }
}

#[test]
fn fused_operations_keep_nan() {
    let device = Device::flex();
    let x = Tensor::<4>::full([1, 1, 2, 2], f32::NAN, &device);
    let w = Tensor::full([1, 1, 1, 1], 1.0, &device);
    assert!(values(conv2d_relu(x.clone(), w.clone(), None, [1, 1], [0, 0]))[3].is_nan());
    assert!(values(conv2d_relu_max_pool2d(x, w, None, [1, 1], [0, 0], [2, 2]))[0].is_nan());
}

#[test]
fn linear_agrees() {
    for (batch, inputs, outputs) in [
        (50, 1568, 100),
        (1, 7, 3),
        (128, 100, 10),
        (33, 65, 129),
        (256, 70, 64),
        (300, 129, 33),
        (1024, 64, 192),
    ] {
        for roles in [
            [Tracked; 3],
            [Tracked, Plain, Plain],
            [Plain, Tracked, Tracked],
            [Plain; 3],
        ] {
            for bias in [true, false] {
                check_linear([batch, inputs, outputs], roles, bias);
            }
        }
    }
}

fn check_linear([batch, inputs, outputs]: [usize; 3], [rx, rw, rb]: [Role; 3], bias: bool) {
    let pass = |ours: bool| {
        let x = rx.leaf([batch, inputs], 1);
        let w = rw.leaf([inputs, outputs], 2);
        let b = bias.then(|| rb.leaf([outputs], 3));
        let y = if ours {
            linear(x.clone(), w.clone(), b.clone())
        } else {
            module::linear(x.clone(), w.clone(), b.clone())
        };
        let output = values(y.clone());
        let tracked = rx == Tracked || rw == Tracked || (bias && rb == Tracked);
        let Some(grads) = tracked.then(|| backward(y)) else {
            return Pass {
                output,
                grads: vec![],
            };
        };
        let bias_grad = b.and_then(|b| rb.grad(&b, &grads));
        Pass {
            output,
            grads: vec![rx.grad(&x, &grads), rw.grad(&w, &grads), bias_grad],
        }
    };
    let name = format!("linear {batch} {inputs} {outputs} {:?}", [rx, rw, rb]);
    pass(true).compare(&pass(false), &name);
}

#[test]
fn max_pool2d_agrees() {
    let table = [
        ([50, 32, 28, 28], [2, 2], [2, 2]),
        ([2, 3, 14, 14], [2, 2], [2, 2]),
        ([1, 1, 7, 9], [2, 2], [2, 2]),
        ([2, 2, 9, 8], [3, 2], [1, 1]),
        ([2, 2, 9, 8], [2, 3], [4, 3]),
    ];
    for (input, kernel, stride) in table {
        for role in ROLES {
            check_pool(input, kernel, stride, role);
        }
    }
}

fn check_pool(input: [usize; 4], kernel: [usize; 2], stride: [usize; 2], role: Role) {
    let pass = |ours: bool| {
        let x = role.leaf(input, 1);
        // A few steps only, so that there are ties.
        let coarse = (x.clone() * 3.0).round();
        let y = if ours {
            max_pool2d(coarse, kernel, stride)
        } else {
            module::max_pool2d(coarse, MaxPoolOptions::new(kernel).with_stride(stride))
        };
        // Rounding has no gradient: take it before.
        let direct = if ours {
            max_pool2d(x.clone(), kernel, stride)
        } else {
            module::max_pool2d(x.clone(), MaxPoolOptions::new(kernel).with_stride(stride))
        };
        let mut output = values(y);
        output.extend(values(direct.clone()));
        let grads = if role == Tracked {
            vec![role.grad(&x, &backward(direct))]
        } else {
            vec![]
        };
        Pass { output, grads }
    };
    pass(true).compare(
        &pass(false),
        &format!("pool {input:?} {kernel:?} {stride:?} {role:?}"),
    );
}

#[test]
fn ties_go_to_the_first_and_relu_at_zero_is_flat() {
    let x = Tensor::<4>::from_data([[[[0.0, 2.0], [2.0, 1.0]]]], &Device::flex()).autodiff();
    let x = x.require_grad();
    let grads = max_pool2d(x.clone(), [2, 2], [2, 2]).sum().backward();
    assert_eq!(x.grad(&grads).map(values), Some(vec![0.0, 1.0, 0.0, 0.0]));

    let x = Tensor::<1>::from_data([-1.0, 0.0, -0.0, 3.0], &Device::flex())
        .autodiff()
        .require_grad();
    let grads = relu(x.clone()).sum().backward();
    assert_eq!(x.grad(&grads).map(values), Some(vec![0.0, 0.0, 0.0, 1.0]));
}

#[test]
fn relu_agrees_and_keeps_its_argument() {
    for role in ROLES {
        let x = role.leaf([3, 40_000], 1);
        let before = values(x.clone());
        let ours = relu(x.clone());
        assert_close(
            "relu",
            &values(ours.clone()),
            &values(activation::relu(x.clone())),
        );
        assert_eq!(values(x.clone()), before, "the argument is still in use");
        if role == Tracked {
            let reference = backward(activation::relu(x.clone()));
            assert_eq!(role.grad(&x, &backward(ours)), role.grad(&x, &reference));
        }
    }
}

#[test]
fn nan_is_not_swallowed() {
    let device = Device::flex();
    let x = Tensor::<4>::full([1, 1, 2, 2], 1.0, &device).slice_fill([0..1, 0..1, 0..1, 1..2], f32::NAN);
    assert!(values(relu(x.clone()))[1].is_nan());
    assert!(values(max_pool2d(x.clone(), [2, 2], [2, 2]))[0].is_nan());
    let zero = Tensor::zeros([1, 1, 2, 2], &device);
    assert!(values(conv2d(x.clone(), zero, None, [1, 1], [0, 0]))[0].is_nan());
    let zero = Tensor::zeros([2, 1], &device);
    assert!(values(linear(x.reshape([2, 2]), zero, None))[0].is_nan());
}

#[test]
fn views_are_taken() {
    let device = Device::flex();
    let x = random([6, 5, 4, 3], 1, &device).permute([3, 2, 0, 1]);
    let w = random([2, 2, 4, 8], 2, &device)
        .permute([3, 2, 1, 0])
        .slice_dim(0, 1..6);
    let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    let reference = module::conv2d(x.clone(), w.clone(), None, options);
    assert_close(
        "conv2d",
        &values(conv2d(x.clone(), w, None, [1, 1], [1, 1])),
        &values(reference),
    );
    let reference = module::max_pool2d(x.clone(), MaxPoolOptions::new([2, 2]).with_stride([1, 1]));
    assert_close(
        "pool",
        &values(max_pool2d(x.clone(), [2, 2], [1, 1])),
        &values(reference),
    );
    assert_close("relu", &values(relu(x.clone())), &values(activation::relu(x)));
    let x = random([9, 6], 1, &device).transpose().slice_dim(0, 1..4);
    let w = random([5, 9], 1, &device).transpose();
    let reference = module::linear(x.clone(), w.clone(), None);
    assert_close("linear", &values(linear(x, w, None)), &values(reference));
}

#[test]
fn other_checkpointing_falls_back() {
    let device = Device::flex().autodiff().gradient_checkpointing();
    let x = random([2, 3, 6, 6], 1, &device).require_grad();
    let w = random([4, 3, 3, 3], 2, &device).require_grad();
    let y = max_pool2d(
        relu(conv2d(x.clone(), w.clone(), None, [1, 1], [1, 1])),
        [2, 2],
        [2, 2],
    );
    let grads = linear(y.reshape([2, 36]), random([36, 2], 3, &device), None)
        .sum()
        .backward();
    assert!(x.grad(&grads).is_some() && w.grad(&grads).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn conv2d_agrees_for_any_shape(
        batch in 1..4usize, channels in 1..7usize, out in 1..70usize,
        size in [1..12usize, 1..12usize], kernel in [1..6usize, 1..6usize],
        stride in [1..4usize, 1..4usize], padding in [0..4usize, 0..4usize], bias: bool,
    ) {
        prop_assume!((0..2).all(|i| size[i] + 2 * padding[i] >= kernel[i]));
        let input = [batch, channels, size[0], size[1]];
        check_conv(Conv { input, out, kernel, stride, padding }, [Tracked; 3], bias);
    }

    #[test]
    fn max_pool2d_agrees_for_any_shape(
        size in [1..12usize, 1..12usize], kernel in [1..5usize, 1..5usize],
        stride in [1..5usize, 1..5usize],
    ) {
        prop_assume!((0..2).all(|i| size[i] >= kernel[i]));
        check_pool([2, 3, size[0], size[1]], kernel, stride, Tracked);
    }

    #[test]
    fn linear_agrees_for_any_shape(dims in [1..90usize, 1..90usize, 1..90usize], bias: bool) {
        check_linear(dims, [Tracked; 3], bias);
    }
}
