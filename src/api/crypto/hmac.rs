//! HMAC (FIPS 198-1) over the SHA family.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use v8::{FunctionCallbackArguments, PinScope, ReturnValue, Value};

use super::sha::{Hash, absorb, answer};
use crate::api::value;
use crate::runtime::Op;

/// The native functions of `hmac.js`.
pub const OPS: &[Op] = crate::ops![hmac_sign, hmac_verify];

/// `hmac_sign(hash, key, message, mac)`: writes the code, for which the view must have the room.
fn hmac_sign(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _: ReturnValue<'_, Value>) {
    let Some(hash) = Hash::named(scope, &args, 0) else { return };
    match hash {
        Hash::Sha1 => sign::<Hmac<Sha1>>(scope, &args),
        Hash::Sha256 => sign::<Hmac<Sha256>>(scope, &args),
        Hash::Sha384 => sign::<Hmac<Sha384>>(scope, &args),
        Hash::Sha512 => sign::<Hmac<Sha512>>(scope, &args),
    }
}

/// `hmac_verify(hash, key, message, mac)`: whether `mac` is the message's code, in a time that depends on their lengths
/// alone.
fn hmac_verify(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let Some(hash) = Hash::named(scope, &args, 0) else { return };
    let verified = match hash {
        Hash::Sha1 => verify::<Hmac<Sha1>>(scope, &args),
        Hash::Sha256 => verify::<Hmac<Sha256>>(scope, &args),
        Hash::Sha384 => verify::<Hmac<Sha384>>(scope, &args),
        Hash::Sha512 => verify::<Hmac<Sha512>>(scope, &args),
    };
    rv.set_bool(verified);
}

fn sign<M: Mac + KeyInit>(scope: &mut PinScope<'_, '_>, args: &FunctionCallbackArguments<'_>) {
    if let Some(mac) = mac_of::<M>(scope, args) {
        answer(scope, args, 3, &mac.finalize().into_bytes());
    }
}

fn verify<M: Mac + KeyInit>(scope: &mut PinScope<'_, '_>, args: &FunctionCallbackArguments<'_>) -> bool {
    let Some(mac) = mac_of::<M>(scope, args) else { return false };
    value::bytes(scope, args, 3, |expected| mac.verify_slice(expected).is_ok()).unwrap_or(false)
}

/// The code of argument 2 by the key in argument 1; `None` if either is no view or a limit strikes meanwhile.
fn mac_of<M: Mac + KeyInit>(scope: &mut PinScope<'_, '_>, args: &FunctionCallbackArguments<'_>) -> Option<M> {
    let Ok(mut mac) = value::bytes(scope, args, 1, M::new_from_slice)? else {
        value::throw_type_error(scope, "no key of this length");
        return None;
    };
    absorb(scope, args, 2, |piece| mac.update(piece)).then_some(mac)
}
