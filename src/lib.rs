//! nano: many isolated JavaScript apps in one process.

pub mod api;
pub mod cli;
pub mod config;
pub mod event;
pub mod gateway;
pub mod observability;
pub mod plan;
#[allow(unsafe_code, reason = "V8's C++ interface")]
pub mod runtime;
pub mod server;
pub mod signal;
