//! Leads some functions of V8's to functions of nano's own, at link time: its "fatal without security impact" (see
//! `src/runtime/fatal.rs`), those by which its buffers take pages from the kernel (see `src/runtime/pages.rs`), and
//! those in which its loops over properties may run an app's code (see `src/runtime/park.rs`).

const WRAPPED: &[&str] = &[
    "_ZN2v84base21FatalNoSecurityImpactEPKcz",
    "_ZN2v88internal13AllocatePagesEPNS_13PageAllocatorEmmNS1_10PermissionENS1_14AllocationHintE",
    "_ZN2v88internal14SetPermissionsEPNS_13PageAllocatorEPvmNS1_10PermissionE",
    "_ZN2v88internal9FreePagesEPNS_13PageAllocatorEPvm",
    "_ZN2v88internal10JSReceiver11HasPropertyEPNS0_14LookupIteratorE",
    "_ZN2v88internal6Object11GetPropertyEPNS0_14LookupIteratorEb",
    "_ZN2v88internal6Object11SetPropertyEPNS0_14LookupIteratorENS0_12DirectHandleIS1_EENS0_11StoreOriginENS_5MaybeINS0_\
     11ShouldThrowEEE",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for function in WRAPPED {
        println!("cargo:rustc-link-arg=-Wl,--wrap={function}");
    }
}
