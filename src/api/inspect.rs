//! What script can only find out about an array by listing all of its elements.

use v8::{
    FunctionCallbackArguments, GetPropertyNamesArgs, IndexFilter, KeyCollectionMode, Local, PinScope, PropertyFilter,
    ReturnValue, Value,
};

use super::value;
use crate::runtime::Op;

/// The native functions of `inspect.js`.
pub const OPS: &[Op] = crate::ops![named_keys];

/// `named_keys(array)`: the array's own enumerable keys that are no indices.
fn named_keys(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let Ok(array) = Local::<v8::Array>::try_from(args.get(0)) else {
        return value::throw_type_error(scope, "not an array");
    };
    let named = GetPropertyNamesArgs {
        mode: KeyCollectionMode::OwnOnly,
        property_filter: PropertyFilter::ONLY_ENUMERABLE,
        index_filter: IndexFilter::SkipIndices,
        ..GetPropertyNamesArgs::default()
    };
    if let Some(keys) = array.get_property_names(scope, named) {
        rv.set(keys.into());
    }
}
