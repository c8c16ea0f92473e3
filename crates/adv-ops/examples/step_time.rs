//! Time of whole adversarial training steps with Burn's operations and with ours.
//!
//! `cargo run --release --example step_time [REPETITIONS [all|burn|ours|fused [NET] [BATCH] [METHOD]]]`:
//! medians and minima of interleaved repetitions, and the ratios to Burn's time (below 1: ours is faster).

use adv_ops::{conv2d, conv2d_relu, conv2d_relu_max_pool2d, linear, max_pool2d, relu};
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Distribution, Int, Tensor, activation, module};
use std::time::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ops {
    Burn,
    Ours,
    /// Ours, with the convolution, the ReLU and the pooling in one operation.
    Fused,
}

impl Ops {
    fn conv2d(self, x: Tensor<4>, layer: &Conv, stride: usize, padding: usize) -> Tensor<4> {
        let (weight, bias) = (layer.0.clone(), Some(layer.1.clone()));
        let (stride, padding) = ([stride; 2], [padding; 2]);
        match self {
            Ops::Ours | Ops::Fused => conv2d(x, weight, bias, stride, padding),
            Ops::Burn => {
                let options = ConvOptions::new(stride, padding, [1, 1], 1);
                module::conv2d(x, weight, bias, options)
            }
        }
    }

    fn conv2d_relu(self, x: Tensor<4>, layer: &Conv, stride: usize, padding: usize) -> Tensor<4> {
        if self == Ops::Fused {
            let (weight, bias) = (layer.0.clone(), Some(layer.1.clone()));
            return conv2d_relu(x, weight, bias, [stride; 2], [padding; 2]);
        }
        self.relu(self.conv2d(x, layer, stride, padding))
    }

    fn conv2d_relu_max_pool2d(self, x: Tensor<4>, layer: &Conv, stride: usize, padding: usize) -> Tensor<4> {
        if self == Ops::Fused {
            let (weight, bias) = (layer.0.clone(), Some(layer.1.clone()));
            return conv2d_relu_max_pool2d(x, weight, bias, [stride; 2], [padding; 2], [2, 2]);
        }
        self.max_pool2d(self.conv2d_relu(x, layer, stride, padding))
    }

    fn max_pool2d(self, x: Tensor<4>) -> Tensor<4> {
        match self {
            Ops::Ours | Ops::Fused => max_pool2d(x, [2, 2], [2, 2]),
            Ops::Burn => module::max_pool2d(x, MaxPoolOptions::new([2, 2]).with_stride([2, 2])),
        }
    }

    fn linear(self, x: Tensor<2>, layer: &Linear) -> Tensor<2> {
        let (weight, bias) = (layer.0.clone(), Some(layer.1.clone()));
        match self {
            Ops::Ours | Ops::Fused => linear(x, weight, bias),
            Ops::Burn => module::linear(x, weight, bias),
        }
    }

    fn relu<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Ops::Ours | Ops::Fused => relu(x),
            Ops::Burn => activation::relu(x),
        }
    }
}

type Conv = (Tensor<4>, Tensor<1>);
type Linear = (Tensor<2>, Tensor<1>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Net {
    Wong,
    Madry,
}

#[derive(Clone)]
struct Model {
    net: Net,
    convs: [Conv; 2],
    linears: [Linear; 2],
}

impl Model {
    fn new(net: Net, device: &Device) -> Self {
        let conv = |o: usize, i: usize, k: usize| {
            let bound = 1.0 / ((i * k * k) as f64).sqrt();
            let range = Distribution::Uniform(-bound, bound);
            (
                Tensor::random([o, i, k, k], range, device),
                Tensor::random([o], range, device),
            )
        };
        let linear = |i: usize, o: usize| {
            let bound = 1.0 / (i as f64).sqrt();
            let range = Distribution::Uniform(-bound, bound);
            (
                Tensor::random([i, o], range, device),
                Tensor::random([o], range, device),
            )
        };
        match net {
            Net::Wong => Self {
                net,
                convs: [conv(16, 1, 4), conv(32, 16, 4)],
                linears: [linear(1568, 100), linear(100, 10)],
            },
            Net::Madry => Self {
                net,
                convs: [conv(32, 1, 5), conv(64, 32, 5)],
                linears: [linear(3136, 1024), linear(1024, 10)],
            },
        }
    }

    fn map(self, f: &impl Map) -> Self {
        Self {
            net: self.net,
            convs: self.convs.map(|(w, b)| (f.map(w), f.map(b))),
            linears: self.linears.map(|(w, b)| (f.map(w), f.map(b))),
        }
    }

    fn forward(&self, ops: Ops, x: Tensor<4>) -> Tensor<2> {
        let [conv1, conv2] = &self.convs;
        let batch = x.dims()[0];
        let x = match self.net {
            Net::Wong => {
                let x = ops.conv2d_relu(x, conv1, 2, 1);
                ops.conv2d_relu(x, conv2, 2, 1).reshape([batch, 1568])
            }
            Net::Madry => {
                let x = ops.conv2d_relu_max_pool2d(x, conv1, 1, 2);
                ops.conv2d_relu_max_pool2d(x, conv2, 1, 2).reshape([batch, 3136])
            }
        };
        let x = ops.relu(ops.linear(x, &self.linears[0]));
        ops.linear(x, &self.linears[1])
    }
}

/// A map of tensors of every rank.
trait Map {
    fn map<const D: usize>(&self, tensor: Tensor<D>) -> Tensor<D>;
}

struct Track;
impl Map for Track {
    fn map<const D: usize>(&self, tensor: Tensor<D>) -> Tensor<D> {
        tensor.autodiff().require_grad()
    }
}

/// One step of gradient descent; back on the plain device.
struct Descend<'a>(&'a burn::tensor::Gradients, f64);
impl Map for Descend<'_> {
    fn map<const D: usize>(&self, tensor: Tensor<D>) -> Tensor<D> {
        let grad = tensor.grad(self.0).expect("a gradient for every parameter");
        tensor.inner() - grad * self.1
    }
}

fn loss(logits: Tensor<2>, labels: &Tensor<2, Int>) -> Tensor<1> {
    let log = activation::log_softmax(logits, 1);
    -log.gather(1, labels.clone()).mean()
}

/// `steps` frozen ascents of the input by a sign step, then one descent of the weights.
fn step(model: &Model, ops: Ops, x: &Tensor<4>, y: &Tensor<2, Int>, steps: usize) -> Model {
    let (eps, size) = (0.3, 0.075);
    let mut delta = x.zeros_like();
    for _ in 0..steps {
        let input = (x.clone() + delta.clone())
            .clamp(0.0, 1.0)
            .autodiff()
            .require_grad();
        let grads = loss(model.forward(ops, input.clone()), y).backward();
        let grad = input.grad(&grads).expect("the input is tracked");
        delta = (delta + grad.sign() * size).clamp(-eps, eps);
    }
    let input = (x.clone() + delta).clamp(0.0, 1.0);
    let model = model.clone().map(&Track);
    let grads = loss(model.forward(ops, input), y).backward();
    model.map(&Descend(&grads, 0.01))
}

/// Median and least of some times.
fn summary(mut times: Vec<f64>) -> [f64; 2] {
    times.sort_by(f64::total_cmp);
    let least = times.first().copied().unwrap_or(f64::NAN);
    [times.get(times.len() / 2).copied().unwrap_or(f64::NAN), least]
}

fn main() {
    keep_freed_memory();
    // The calling thread works too instead of waiting for the pool.
    let pool = rayon::ThreadPoolBuilder::new().use_current_thread();
    pool.build_global().expect("no pool exists yet");
    let mut args = std::env::args().skip(1);
    let repetitions: usize = args.next().and_then(|n| n.parse().ok()).unwrap_or(15);
    let only = args.next();
    let ops = match only.as_deref() {
        Some("ours") => vec![Ops::Ours],
        Some("burn") => vec![Ops::Burn],
        Some("fused") => vec![Ops::Fused],
        _ => vec![Ops::Burn, Ops::Ours, Ops::Fused],
    };
    let filter: Vec<String> = args.collect();
    let device = Device::flex();
    device.seed(1);
    for (net, batch) in [
        (Net::Wong, 50),
        (Net::Wong, 128),
        (Net::Madry, 50),
        (Net::Madry, 128),
    ] {
        for (name, steps) in [("FGSM-RS", 1), ("PGD-7", 7)] {
            let title = format!("{net:?} {batch} {name}");
            if !filter
                .iter()
                .all(|word| title.split(' ').any(|part| part == word))
            {
                continue;
            }
            let model = Model::new(net, &device);
            let x = Tensor::random([batch, 1, 28, 28], Distribution::Uniform(0.0, 1.0), &device);
            let y = Tensor::arange(0..batch as i64, &device)
                .remainder_scalar(10)
                .reshape([batch, 1]);
            let mut times = [Vec::new(), Vec::new(), Vec::new()];
            for i in 0..repetitions + 2 {
                for &ops in &ops {
                    let start = Instant::now();
                    std::hint::black_box(step(&model, ops, &x, &y, steps));
                    if i >= 2 {
                        times[ops as usize].push(start.elapsed().as_secs_f64() * 1e3);
                    }
                }
            }
            let [burn, ours, fused] = times.map(summary);
            for (name, i) in [("median", 0), ("least", 1)] {
                let [burn, ours, fused] = [burn[i], ours[i], fused[i]];
                let ratios = format!("ratios {:.3} {:.3}", ours / burn, fused / burn);
                println!(
                    "{title:20} {name:6} ms: burn {burn:8.2}  ours {ours:8.2}  fused {fused:8.2}  {ratios}"
                );
            }
        }
    }
}

/// Stops glibc from handing big buffers back to the kernel at every free.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn keep_freed_memory() {
    // SAFETY: called before any other thread exists; `mallopt` only sets parameters.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn keep_freed_memory() {}
