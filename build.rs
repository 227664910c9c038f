//! Leads some functions of V8's to functions of nano's own, at link time: its "fatal without security impact" (see
//! `src/runtime/fatal.rs`), and those by which its buffers take pages from the kernel (see `src/runtime/pages.rs`).

const WRAPPED: &[&str] = &[
    "_ZN2v84base21FatalNoSecurityImpactEPKcz",
    "_ZN2v88internal13AllocatePagesEPNS_13PageAllocatorEmmNS1_10PermissionENS1_14AllocationHintE",
    "_ZN2v88internal14SetPermissionsEPNS_13PageAllocatorEPvmNS1_10PermissionE",
    "_ZN2v88internal9FreePagesEPNS_13PageAllocatorEPvm",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for function in WRAPPED {
        println!("cargo:rustc-link-arg=-Wl,--wrap={function}");
    }
}
