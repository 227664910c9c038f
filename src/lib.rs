//! nano: many isolated JavaScript apps in one process.

pub mod event;
pub mod observability;
pub mod plan;
