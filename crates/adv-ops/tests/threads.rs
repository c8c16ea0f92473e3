//! Results do not depend on the number of threads.

mod common;

use adv_ops::{conv2d, conv2d_relu, conv2d_relu_max_pool2d, linear, max_pool2d, relu};
use burn::tensor::{Device, Tensor, activation};
use common::{random, values};

/// Loss, input gradient and weight gradients of a small network that uses every operation.
fn step(fused: bool) -> Vec<Vec<f32>> {
    let device = Device::flex().autodiff();
    let x = random([50, 1, 28, 28], 1, &device).require_grad();
    let w1 = random([32, 1, 5, 5], 2, &device).require_grad();
    let b1 = random([32], 3, &device).require_grad();
    let w2 = random([64, 32, 4, 4], 4, &device).require_grad();
    let w3 = random([64 * 49, 200], 5, &device).require_grad();
    let b3 = random([200], 6, &device).require_grad();
    let y = if fused {
        let y = conv2d_relu_max_pool2d(x.clone(), w1.clone(), Some(b1.clone()), [1, 1], [2, 2], [2, 2]);
        conv2d_relu(y, w2.clone(), None, [2, 2], [1, 1])
    } else {
        let y = conv2d(x.clone(), w1.clone(), Some(b1.clone()), [1, 1], [2, 2]);
        let y = max_pool2d(relu(y), [2, 2], [2, 2]);
        relu(conv2d(y, w2.clone(), None, [2, 2], [1, 1]))
    };
    let y = linear(y.reshape([50, 64 * 49]), w3.clone(), Some(b3.clone()));
    let loss = activation::softmax(y * 0.01, 1).powi_scalar(2).sum_dim(1).sum();
    let g = loss.backward();
    fn grad<const D: usize>(leaf: Tensor<D>, g: &burn::tensor::Gradients) -> Vec<f32> {
        values(leaf.grad(g).expect("tracked"))
    }
    vec![
        values(loss),
        grad(x, &g),
        grad(w1, &g),
        grad(b1, &g),
        grad(w2, &g),
        grad(w3, &g),
        grad(b3, &g),
    ]
}

#[test]
fn bit_identical_for_every_number_of_threads() {
    let on = |threads, fused| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.expect("a thread pool").install(|| step(fused))
    };
    let one = on(1, false);
    for (threads, fused) in [
        (1, false),
        (1, true),
        (2, false),
        (2, true),
        (3, false),
        (5, true),
    ] {
        for (i, (a, b)) in one.iter().zip(&on(threads, fused)).enumerate() {
            let same = a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits());
            // Fused or not, everything but the bias gradient adds up in the same order.
            assert!(
                same || (fused && i == 3),
                "result {i}, {threads} threads, fused: {fused}"
            );
        }
    }
    assert_eq!(on(1, true), on(2, true));
}
