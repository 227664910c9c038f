//! Leads some functions of V8's to functions of nano's own, at link time: its "fatal without security impact" (see
//! `src/runtime/fatal.rs`), those by which its buffers take pages from the kernel (see `src/runtime/pages.rs`), those by
//! which it takes memory otherwise (see `src/runtime/native.rs` and `src/runtime/memory.rs`), and those by which its loops
//! over objects may run an app's code (see `src/runtime/park.rs`).

const WRAPPED: &[&str] = &[
    "malloc",
    "calloc",
    "realloc",
    "free",
    "posix_memalign",
    "aligned_alloc",
    "v8__ValueSerializer__Delegate__ReallocateBufferMemory",
    "_ZN2v84base21FatalNoSecurityImpactEPKcz",
    "_ZN2v88internal13AllocatePagesEPNS_13PageAllocatorEmmNS1_10PermissionENS1_14AllocationHintE",
    "_ZN2v88internal14SetPermissionsEPNS_13PageAllocatorEPvmNS1_10PermissionE",
    "_ZN2v88internal9FreePagesEPNS_13PageAllocatorEPvm",
    "_ZN2v88internal10JSReceiver11HasPropertyEPNS0_14LookupIteratorE",
    "_ZN2v88internal6Object11GetPropertyEPNS0_14LookupIteratorEb",
    "_ZN2v88internal6Object11SetPropertyEPNS0_14LookupIteratorENS0_12DirectHandleIS1_EENS0_11StoreOriginENS_5MaybeINS0_\
     11ShouldThrowEEE",
    "_ZN2v88internal6Object15ConvertToStringINS0_12DirectHandleEQsr3stdE16is_convertible_vIT_IS1_ENS3_IS1_EEEEENS4_INS0_6\
     StringEE9MaybeTypeEPNS0_7IsolateES5_",
    "_ZN2v88internal6Object15ConvertToStringINS0_6HandleEQsr3stdE16is_convertible_vIT_IS1_ENS0_12DirectHandleIS1_EEEEENS4\
     _INS0_6StringEE9MaybeTypeEPNS0_7IsolateES5_",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    for function in WRAPPED {
        println!("cargo:rustc-link-arg=-Wl,--wrap={function}");
    }
}
