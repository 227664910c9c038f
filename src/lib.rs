//! nano: many isolated JavaScript apps in one process, behind one gateway, from one config file.
//!
//! [`config`] reads KDL files and knows where every value stands; [`plan`] checks it as a whole and holds what is to be
//! served, immutable. [`server`] puts a plan in force, exchanges it for another on reload, and winds it down at the end.
//! [`gateway`] speaks HTTP on I/O threads that never run JavaScript; it routes by the plan and hands each request, as an
//! [`event`], to its app's pool. [`runtime`] runs apps: a worker is one thread with one V8 isolate and an event loop, a
//! pool is one app's workers, and a watchdog holds all of them to their limits. [`api`] is the web platform that apps
//! see, [`egress`] their way out into the network. [`observability`] is what nano tells of all this.
//!
//! Dependencies point one way: `config ← plan ← {gateway, runtime} ← server ← cli`, and `api → runtime`. Gateway and
//! runtime know each other only through `event`.

pub mod api;
pub mod cli;
pub mod config;
pub mod egress;
pub mod event;
pub mod gateway;
pub mod observability;
pub mod plan;
#[allow(unsafe_code, reason = "V8's C++ interface")]
pub mod runtime;
pub mod server;
pub mod signal;
