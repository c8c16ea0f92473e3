//! Time of an LSTM with its input product, forward and backward, 32 sentences of 25 tokens: the kernel and Burn's own operations.
//!
//! `RAYON_NUM_THREADS` is the number of threads.

use adv_ops::{linear, lstm};
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Distribution, Tensor, s};
use std::time::Instant;

const SHAPE: [usize; 3] = [32, 25, 256];

fn main() {
    // As the runner does: freed memory stays with the process.
    // SAFETY: two settings of glibc's allocator, before any thread is there.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
    for hidden in [256, 512, 1024] {
        println!(
            "{hidden} cells: ours {:.2} ms, Burn's operations {:.2} ms",
            time(hidden, lstm),
            time(hidden, by_step)
        );
    }
}

/// The least of 25 in milliseconds: other work on the machine only adds.
fn time(hidden: usize, recur: impl Fn(Tensor<3>, Tensor<2>) -> Tensor<3>) -> f64 {
    let device = Device::flex().autodiff();
    let [batch, steps, width] = SHAPE;
    let bound = 1.0 / (hidden as f64).sqrt();
    let uniform = Distribution::Uniform(-bound, bound);
    let leaf = |shape: [usize; 2]| Tensor::<2>::random(shape, uniform, &device).require_grad();
    let (x, into) = (leaf([batch * steps, width]), leaf([width, 4 * hidden]));
    let weight = leaf([4 * hidden, hidden]);
    let bias = Tensor::<1>::random([4 * hidden], uniform, &device).require_grad();
    let factors = Tensor::<3>::random([batch, steps, hidden], uniform, &device);
    let times = (0..25).map(|_| {
        let begin = Instant::now();
        let gates = linear(x.clone(), into.clone(), Some(bias.clone()));
        let y = recur(gates.reshape([batch, steps, 4 * hidden]), weight.clone());
        let grads = (y * factors.clone()).sum().backward();
        assert!(x.grad(&grads).is_some() && weight.grad(&grads).is_some());
        begin.elapsed().as_secs_f64() * 1e3
    });
    times.fold(f64::INFINITY, f64::min)
}

/// Step by step.
fn by_step(gates: Tensor<3>, weight: Tensor<2>) -> Tensor<3> {
    let [batch, steps, width] = gates.dims();
    let hidden = width / 4;
    let mut h = Tensor::<2>::zeros([batch, hidden], &gates.device());
    let (mut c, mut all) = (h.clone(), Vec::new());
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
