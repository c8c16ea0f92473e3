//! Dropout masks: the same in all passes of a mini-batch, or fresh, and off where nothing is trained.

use adv_core::AscentMode;
use adv_models::{Architecture, ImageClassifier, MaskPolicy, build};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

fn two_conv() -> ImageClassifier {
    build(
        Architecture::TwoConv,
        [1, 16, 16],
        10,
        1,
        &Device::flex().autodiff(),
    )
    .unwrap()
}

fn logits(model: &ImageClassifier) -> Vec<f32> {
    let images = Tensor::<4>::ones([4, 1, 16, 16], &Device::flex());
    model.logits(images).into_data().try_to_vec().unwrap()
}

#[test]
fn replayed_passes_are_bit_equal_and_a_new_seed_is_not() {
    let model = two_conv();
    model.begin_batch(5);
    let first = logits(&model);
    for _ in 0..3 {
        assert_eq!(logits(&model), first);
    }
    model.begin_batch(6);
    assert_ne!(logits(&model), first);
    model.begin_batch(5);
    assert_eq!(logits(&model), first);
}

#[test]
fn fresh_passes_differ_and_repeat_with_the_mini_batch() {
    let model = two_conv();
    model.set_mask_policy(MaskPolicy::Fresh);
    let passes = || -> Vec<_> {
        model.begin_batch(5);
        (0..3).map(|_| logits(&model)).collect()
    };
    let first = passes();
    assert_ne!(first[0], first[1]);
    assert_ne!(first[1], first[2]);
    assert_eq!(passes(), first);
}

#[test]
fn an_ascent_in_train_mode_sees_the_mask_of_the_model() {
    let model = two_conv();
    model.begin_batch(5);
    let trained = logits(&model);
    let evaluated = logits(&model.valid());
    assert_ne!(trained, evaluated);
    assert_eq!(logits(&AscentMode::Train.freeze(&model)), trained);
    assert_eq!(logits(&AscentMode::Eval.freeze(&model)), evaluated);
    // Off means off: no seed changes it.
    model.begin_batch(6);
    assert_eq!(logits(&model.valid()), evaluated);
    // A copy made before shares the masks of the next mini-batch.
    let frozen = AscentMode::Train.freeze(&model);
    model.begin_batch(7);
    assert_eq!(logits(&frozen), logits(&model));
}

#[test]
fn records_hold_parameters_only() {
    let model = two_conv();
    model.begin_batch(5);
    let bytes = model.clone().into_record().into_bytes().unwrap();
    let record = burn::store::ModuleRecord::from_bytes(bytes).unwrap();
    let other = build(
        Architecture::TwoConv,
        [1, 16, 16],
        10,
        2,
        &Device::flex().autodiff(),
    )
    .unwrap();
    other.begin_batch(6);
    let loaded = other.load_record(record);
    assert_ne!(logits(&loaded), logits(&model), "the mask came with the record");
    assert_eq!(logits(&loaded.valid()), logits(&model.valid()));
}
