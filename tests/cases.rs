//! What nano promises, a file per subject.

mod api;
mod cli;
mod code_cache;
mod compression;
mod console;
mod examples;
mod fetch;
mod fetch_limits;
mod fetch_rules;
mod fetch_upstreams;
mod forms;
mod framing;
mod fresh_context;
mod headers;
mod hono;
mod hostile;
mod html_rewriter;
mod http2;
mod http_edge;
mod isolate_lost;
mod isolation;
mod limits;
mod logs;
mod lost_threads;
mod memory;
mod metrics;
mod modules;
mod overload;
mod packages;
mod parts;
mod pass_through;
mod priority;
mod reload;
mod room;
mod routing;
mod stop;
mod streaming;
mod systemd;
mod timeouts;

/// An app that answers everything with `text`.
fn says(text: &str) -> String {
    format!("export default {{ fetch() {{ return new Response({text:?}); }} }};\n")
}

/// An app that answers with the value of one JavaScript expression, which may use `request`, `url`, `env` and `ctx`.
fn answers(expression: &str) -> String {
    format!(
        "export default {{\n  async fetch(request, env, ctx) {{\n    const url = new URL(request.url);\n    \
         const value = await ({expression});\n    \
         return new Response(typeof value === \"string\" ? value : JSON.stringify(value));\n  }},\n}};\n"
    )
}
