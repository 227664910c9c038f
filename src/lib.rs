//! nano: many isolated JavaScript apps in one process.

pub mod cli;
pub mod event;
pub mod observability;
pub mod plan;
pub mod server;
pub mod signal;
