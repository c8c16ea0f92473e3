//! Every architecture: sizes, first weights, the cut after the first layer, gradients.

use adv_core::{AscentMode, Ledger, Objective, Split};
use adv_models::{Architecture, ImageClassifier, Labels, ModelError, Normalise, build};
use burn::module::Module;
use burn::optim::SgdConfig;
use burn::tensor::{Device, Distribution, Tensor, TensorData};

const BATCH: usize = 3;

fn device() -> Device {
    Device::flex().autodiff()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// Pixels that differ from place to place.
fn images([channels, height, width]: [usize; 3]) -> Tensor<4> {
    let count = BATCH * channels * height * width;
    let pixels: Vec<f32> = (0..count).map(|i| (i * 37 % 101) as f32 / 100.0).collect();
    Tensor::from_data(
        TensorData::new(pixels, [BATCH, channels, height, width]),
        &Device::flex(),
    )
}

fn labels() -> Labels {
    Labels::new([0u8, 2, 1], 10, &Device::flex()).unwrap()
}

fn model(architecture: Architecture, shape: [usize; 3]) -> ImageClassifier {
    build(architecture, shape, 10, 1, &device()).unwrap()
}

/// A model after one clean step: the last layer of `small_cnn`, which begins at zero, is then alive.
fn moved(architecture: Architecture, shape: [usize; 3]) -> ImageClassifier {
    let model = model(architecture, shape);
    let pass = Ledger::new().weight_gradients(&model, images(shape), &labels(), 1.0);
    SgdConfig::new().init().step(0.1, model, pass.unwrap().gradients)
}

#[test]
fn names_lead_back_to_architectures() {
    for architecture in Architecture::all() {
        assert_eq!(
            architecture.to_string().parse::<Architecture>().unwrap(),
            *architecture
        );
    }
    let error = "resnet".parse::<Architecture>().unwrap_err().to_string();
    assert!(
        error.contains("resnet") && error.contains("wong_cnn, madry_cnn"),
        "{error}"
    );
}

#[test]
fn parameters_are_as_many_as_published() {
    for (architecture, parameters) in [
        (Architecture::WongCnn, 166_406),
        (Architecture::MadryCnn, 3_274_634),
        (Architecture::SmallCnn, 312_202),
        (Architecture::TwoConv, 21_840),
    ] {
        assert_eq!(
            model(architecture, [1, 28, 28]).num_params(),
            parameters,
            "{architecture}"
        );
    }
}

#[test]
fn the_first_layer_share_is_that_of_the_shapes() {
    let model = model(Architecture::WongCnn, [1, 28, 28]);
    let (first, second) = (16 * 16 * 14 * 14, 32 * 256 * 7 * 7);
    assert_eq!(model.multiply_adds(), first + second + 156_800 + 1000);
    assert!(
        (model.first_layer_share() - 0.0823).abs() < 1e-4,
        "{}",
        model.first_layer_share()
    );
}

#[test]
fn every_size_from_the_least_on_fits() {
    for &architecture in Architecture::all() {
        let least = architecture.least_size();
        for shape in [[1, least, least], [3, least + 1, least + 3], [1, 28, 28]] {
            let logits = model(architecture, shape).logits(images(shape));
            assert_eq!(logits.dims(), [BATCH, 10], "{architecture} at {shape:?}");
        }
        for shape in [[1, least - 1, least], [1, least, least - 1]] {
            match build(architecture, shape, 10, 1, &device()) {
                Err(ModelError::TooSmall { least: named, .. }) => assert_eq!(named, least),
                other => panic!("{architecture} at {shape:?} gave {other:?}"),
            }
        }
    }
}

#[test]
fn a_classifier_needs_channels_and_classes() {
    for (shape, classes) in [([0, 28, 28], 10), ([1, 28, 28], 1)] {
        let built = build(Architecture::Mlp, shape, classes, 1, &device());
        assert!(
            matches!(built, Err(ModelError::Empty { .. })),
            "{shape:?} {classes}"
        );
    }
}

/// All weights in order.
fn weights(model: &ImageClassifier) -> Vec<f32> {
    struct Collect(Vec<f32>);
    impl burn::module::ModuleVisitor for Collect {
        fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
            self.0.extend(values(param.val()));
        }
    }
    let mut all = Collect(Vec::new());
    model.visit(&mut all);
    all.0
}

#[test]
fn first_weights_depend_on_the_seed_alone() {
    for &architecture in Architecture::all() {
        let shape = [1, 16, 16];
        let first = weights(&model(architecture, shape));
        // Draws from the generator of the process must not matter.
        device().seed(77);
        let _ = Tensor::<1>::random([5], Distribution::Default, &device());
        assert_eq!(first, weights(&model(architecture, shape)), "{architecture}");
        let other = build(architecture, shape, 10, 2, &device()).unwrap();
        assert_ne!(first, weights(&other), "{architecture}");
    }
}

#[test]
fn the_cut_after_the_first_layer_changes_nothing() {
    for &architecture in Architecture::all() {
        let shape = [2, 16, 16];
        let model = moved(architecture, shape);
        let whole = model.loss(images(shape), &labels());
        let cut = model.rest(model.first(images(shape), &labels()), &labels());
        assert_eq!(values(whole), values(cut), "{architecture}");
    }
}

#[test]
fn frozen_copies_give_input_gradients_and_no_weight_gradients() {
    for &architecture in Architecture::all() {
        let shape = [1, 16, 16];
        let model = moved(architecture, shape);
        for mode in [AscentMode::Train, AscentMode::Eval] {
            let frozen = mode.freeze(&model);
            let pass = Ledger::new().input_gradient(&frozen, images(shape), &labels());
            let gradient = values(pass.unwrap().gradient);
            assert!(gradient.iter().any(|g| *g != 0.0), "{architecture} {mode:?}");
            let refused = Ledger::new().weight_gradients(&frozen, images(shape), &labels(), 1.0);
            assert!(refused.is_err(), "{architecture} {mode:?} has weight gradients");
        }
        // The ascent has not frozen the model itself.
        let pass = Ledger::new().weight_gradients(&model, images(shape), &labels(), 1.0);
        let tensors = match architecture {
            Architecture::SmallCnn => 14,
            Architecture::Mlp => 6,
            _ => 8,
        };
        assert_eq!(pass.unwrap().gradients.len(), tensors, "{architecture}");
    }
}

#[test]
fn labels_and_images_may_be_on_either_device() {
    let model = model(Architecture::TwoConv, [1, 16, 16]);
    let loss = |model: &ImageClassifier, images: &Device, labels: &Device| {
        let labels = Labels::new([0u8, 2, 1], 10, labels).unwrap();
        values(model.loss(self::images([1, 16, 16]).to_device(images), &labels))
    };
    for model in [model.valid(), model] {
        let want = loss(&model, &Device::flex(), &Device::flex());
        for (images, labels) in [
            (device(), device()),
            (device(), Device::flex()),
            (Device::flex(), device()),
        ] {
            assert_eq!(loss(&model, &images, &labels), want);
        }
    }
}

#[test]
fn the_last_layer_of_small_cnn_begins_at_zero() {
    let logits = model(Architecture::SmallCnn, [1, 16, 16]).logits(images([1, 16, 16]));
    assert!(values(logits).iter().all(|z| *z == 0.0));
}

#[test]
fn normalisation_is_inside_and_per_channel() {
    let shape = [2, 16, 16];
    let plain = model(Architecture::WongCnn, shape);
    let normalise = Normalise::new(vec![0.25, 0.5], vec![0.5, 2.0]).unwrap();
    let inside = plain.clone().with_normalise(normalise).unwrap();
    let row = |values: [f32; 2]| Tensor::<1>::from_data(values, &Device::flex()).reshape([1, 2, 1, 1]);
    let outside = plain.logits((images(shape) - row([0.25, 0.5])) / row([0.5, 2.0]));
    assert_eq!(values(inside.logits(images(shape))), values(outside));
    assert!(matches!(
        plain.with_normalise(Normalise::new(vec![0.5], vec![0.5]).unwrap()),
        Err(ModelError::NormaliseChannels {
            expected: 2,
            found: 1
        })
    ));
    for (mean, std) in [
        (vec![0.5], vec![0.0]),
        (vec![f32::NAN], vec![1.0]),
        (vec![0.5, 0.5], vec![1.0]),
    ] {
        assert!(matches!(
            Normalise::new(mean, std),
            Err(ModelError::NormaliseValue { .. })
        ));
    }
}
