//! SHA-1 and SHA-2 (FIPS 180-4).

use sha1::Sha1;
use sha2::digest::Digest;
use sha2::{Sha256, Sha384, Sha512};
use v8::{FunctionCallbackArguments, Local, PinScope, ReturnValue, Value};

use super::PIECE;
use crate::api::{held, value};
use crate::runtime::{self, Op};

/// The native functions of `sha.js`.
pub const OPS: &[Op] = crate::ops![sha_digest, sha_begin, sha_update, sha_finish];

/// A hash function of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// The hash function argument `index` names; `None`, with a `TypeError` thrown, if there is none such.
    pub(super) fn named(
        scope: &mut PinScope<'_, '_>,
        args: &FunctionCallbackArguments<'_>,
        index: i32,
    ) -> Option<Self> {
        let mut buffer = value::buffer();
        let hash = match &*value::text(scope, args, index, &mut buffer)? {
            "SHA-1" => Self::Sha1,
            "SHA-256" => Self::Sha256,
            "SHA-384" => Self::Sha384,
            "SHA-512" => Self::Sha512,
            _ => {
                value::throw_type_error(scope, "no such hash function");
                return None;
            }
        };
        Some(hash)
    }
}

/// `sha_digest(hash, message, digest)`: writes the message's digest, for which the view must have the room.
fn sha_digest(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _: ReturnValue<'_, Value>) {
    let Some(hash) = Hash::named(scope, &args, 0) else { return };
    match hash {
        Hash::Sha1 => digest::<Sha1>(scope, &args),
        Hash::Sha256 => digest::<Sha256>(scope, &args),
        Hash::Sha384 => digest::<Sha384>(scope, &args),
        Hash::Sha512 => digest::<Sha512>(scope, &args),
    }
}

fn digest<D: Digest>(scope: &mut PinScope<'_, '_>, args: &FunctionCallbackArguments<'_>) {
    let mut state = D::new();
    if absorb(scope, args, 1, |piece| state.update(piece)) {
        answer(scope, args, 2, &state.finalize());
    }
}

/// A digest that goes on from one chunk to the next.
enum State {
    Sha1(Sha1),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

/// `sha_begin(hash)`: a [`State`] for `digest_stream.js` to hold.
fn sha_begin(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, mut rv: ReturnValue<'_, Value>) {
    let Some(hash) = Hash::named(scope, &args, 0) else { return };
    let state = match hash {
        Hash::Sha1 => State::Sha1(Sha1::new()),
        Hash::Sha256 => State::Sha256(Sha256::new()),
        Hash::Sha384 => State::Sha384(Sha384::new()),
        Hash::Sha512 => State::Sha512(Sha512::new()),
    };
    rv.set(held::hold(scope, state).into());
}

/// Calls `work` with the state in argument 0; `None`, with a `TypeError` thrown, if it is none.
fn with_state<R>(
    scope: &mut PinScope<'_, '_>,
    args: &FunctionCallbackArguments<'_>,
    work: impl FnOnce(&mut PinScope<'_, '_>, &mut State) -> R,
) -> Option<R> {
    // SAFETY: what `digest_stream.js` gives here is what `sha_begin` gave it. Nobody else looks into it meanwhile, for `work`
    // runs no script.
    let Some(state) = (unsafe { held::held::<State>(args.get(0)) }) else {
        value::throw_type_error(scope, "not the state of a digest");
        return None;
    };
    Some(work(scope, state))
}

/// `sha_update(state, bytes)`.
fn sha_update(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _: ReturnValue<'_, Value>) {
    with_state(scope, &args, |scope, state| {
        absorb(scope, &args, 1, |piece| match state {
            State::Sha1(state) => state.update(piece),
            State::Sha256(state) => state.update(piece),
            State::Sha384(state) => state.update(piece),
            State::Sha512(state) => state.update(piece),
        })
    });
}

/// `sha_finish(state, digest)`: writes the digest, for which the view must have the room. The state is a new one then.
fn sha_finish(scope: &mut PinScope<'_, '_>, args: FunctionCallbackArguments<'_>, _: ReturnValue<'_, Value>) {
    with_state(scope, &args, |scope, state| match state {
        State::Sha1(state) => answer(scope, &args, 1, &state.finalize_reset()),
        State::Sha256(state) => answer(scope, &args, 1, &state.finalize_reset()),
        State::Sha384(state) => answer(scope, &args, 1, &state.finalize_reset()),
        State::Sha512(state) => answer(scope, &args, 1, &state.finalize_reset()),
    });
}

/// Gives `update` the bytes of the view at `index` piece by piece; false if it is no view or a limit strikes meanwhile.
pub(super) fn absorb(
    scope: &mut PinScope<'_, '_>,
    args: &FunctionCallbackArguments<'_>,
    index: i32,
    mut update: impl FnMut(&[u8]),
) -> bool {
    let Ok(view) = Local::<v8::ArrayBufferView>::try_from(args.get(index)) else {
        value::throw_type_error(scope, "not a view of bytes");
        return false;
    };
    let mut storage = [0; v8::TYPED_ARRAY_MAX_SIZE_IN_HEAP];
    view.get_contents(&mut storage).chunks(PIECE).all(|piece| {
        update(piece);
        !runtime::is_condemned(scope)
    })
}

/// Writes `result` to the view at `index`, which the script has made as long.
pub(super) fn answer(scope: &mut PinScope<'_, '_>, args: &FunctionCallbackArguments<'_>, index: i32, result: &[u8]) {
    let fits = value::bytes_mut(scope, args, index, |_, bytes| {
        let fits = bytes.len() == result.len();
        if fits {
            bytes.copy_from_slice(result);
        }
        fits
    });
    if fits == Some(false) {
        value::throw_type_error(scope, "no room of the right size for the result");
    }
}
