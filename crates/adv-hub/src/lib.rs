//! Models and data sets by name, from the Hugging Face hub or its cache on this machine.
#![deny(missing_docs)]
