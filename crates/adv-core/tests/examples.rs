//! The examples run, and the walk-through quotes one of them faithfully.

#[path = "../examples/adding_a_method.rs"]
mod adding_a_method;
#[path = "../examples/own_loop.rs"]
mod own_loop;

use std::path::Path;

#[test]
fn adding_a_method_holds_its_laws() {
    adding_a_method::main().unwrap();
}

#[test]
fn own_loop_trains() {
    own_loop::main().unwrap();
}

#[test]
fn the_walk_through_quotes_the_example() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Not part of the published package.
    let Ok(text) = std::fs::read_to_string(root.join("../../docs/ADDING_A_METHOD.md")) else {
        println!("skipped: docs/ADDING_A_METHOD.md is not there");
        return;
    };
    let example = std::fs::read_to_string(root.join("examples/adding_a_method.rs")).unwrap();
    let blocks: Vec<&str> = text
        .split("```rust\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .collect();
    assert!(blocks.len() >= 4, "quotes hardly anything");
    for block in blocks {
        assert!(example.contains(block), "not in the example:\n{block}");
    }
}
