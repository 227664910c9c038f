//! nano: many isolated JavaScript apps in one process.

pub mod cli;
pub mod config;
pub mod event;
pub mod gateway;
pub mod observability;
pub mod plan;
