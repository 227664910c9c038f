//! Links V8's "fatal without security impact" to a function of nano's own: see `src/runtime/fatal.rs`.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-link-arg=-Wl,--wrap=_ZN2v84base21FatalNoSecurityImpactEPKcz");
}
