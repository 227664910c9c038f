//! The integration tests: one binary, so that it links once, over the real `nano`, started anew by each test on ports
//! of its own. `support` is the harness; `cases` has a file per subject; `config` has bad files and what is said of them.

#![allow(clippy::unwrap_used, missing_docs)] // a test stops where it is surprised, and its name is its documentation

mod cases;
mod config;
mod support;
