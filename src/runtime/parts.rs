//! Parts of the platform that are not there until somebody asks. Their names are: properties that V8 asks for a value when
//! they are first read, and that are plain data from then on, so that no app can tell.

use std::ffi::c_void;

use v8::{Local, MapFnTo, OneByteConst, PropertyAttribute, SideEffectType};

use super::extension::{self, Part, Platform};

/// What an isolate needs to load parts. In a slot of it.
#[derive(Clone, Copy)]
pub(super) struct Parts {
    pub(super) platform: &'static Platform,
    /// The texts of [`Platform::scripts`].
    pub(super) texts: &'static [OneByteConst],
}

/// The address of the native function behind the properties, by which a snapshot knows it.
pub(super) fn getter() -> *mut c_void {
    let getter: v8::AccessorNameGetterCallback = look.map_fn_to();
    getter as *mut c_void
}

/// Gives the names of all parts to the global scope of the current context and to `nano`.
pub(super) fn announce(scope: &mut v8::PinScope<'_, '_>, platform: &Platform, nano: Local<'_, v8::Object>) {
    let global = scope.get_current_context().global(scope);
    let key = key(scope);
    global.set_private(scope, key, nano.into());
    let (name, prototype) = (extension::string(scope, "globalPrototype"), v8::Object::new(scope));
    nano.set(scope, name.into(), prototype.into());
    for part in platform.parts {
        let exposed = [(global, part.interfaces), (global, part.operations), (prototype, part.inherited)];
        for (holder, names) in exposed.into_iter().chain([(nano, part.members)]) {
            for name in names {
                let hidden = part.interfaces.contains(name);
                let attributes = if hidden { PropertyAttribute::DONT_ENUM } else { PropertyAttribute::NONE };
                let name = extension::string(scope, name);
                define(scope, holder, name, attributes);
            }
        }
    }
}

/// Gives the parts' names for what V8 has just made with the current context, and `entry` what those were for.
pub(super) fn announce_late(scope: &mut v8::PinScope<'_, '_>, entry: Local<'_, v8::Object>) {
    let Some(parts) = scope.get_slot::<Parts>().copied() else { return };
    let global = scope.get_current_context().global(scope);
    for name in parts.platform.parts.iter().flat_map(|part| part.late) {
        let name = extension::string(scope, name);
        let own = global.get(scope, name.into()).expect("no app has run that could have changed it");
        entry.set(scope, name.into(), own);
        define(scope, global, name, PropertyAttribute::DONT_ENUM);
    }
}

/// Defines a property whose value is looked for when it is first read.
fn define(
    scope: &mut v8::PinScope<'_, '_>,
    holder: Local<'_, v8::Object>,
    name: Local<'_, v8::String>,
    attributes: PropertyAttribute,
) {
    // Not `nano`: V8 keeps this with the isolate, and it would keep the realm there too.
    let data = v8::undefined(scope).into();
    let (reading, writing) = (SideEffectType::HasSideEffect, SideEffectType::HasSideEffect);
    holder.set_lazy_data_property_with_data(scope, name.into(), look, data, attributes, reading, writing);
}

/// Under what a global object has the `nano` of its realm. No script sees it.
fn key<'s>(scope: &mut v8::PinScope<'s, '_>) -> Local<'s, v8::Private> {
    let name = extension::string(scope, "nano");
    v8::Private::for_api(scope, Some(name))
}

/// A name is read for the first time.
fn look<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    name: Local<'s, v8::Name>,
    args: v8::PropertyCallbackArguments<'s>,
    mut rv: v8::ReturnValue<'_, v8::Value>,
) {
    let Some(parts) = scope.get_slot::<Parts>().copied() else { return };
    // Without a value an exception is on its way: no stack or no memory is left, or the isolate is being ended.
    if let Some(value) = parts.value(scope, args.holder(), name) {
        rv.set(value);
    }
}

impl Parts {
    /// The value of `holder`'s property `name`.
    fn value<'s>(
        self,
        scope: &mut v8::PinScope<'s, '_>,
        holder: Local<'s, v8::Object>,
        name: Local<'s, v8::Name>,
    ) -> Option<Local<'s, v8::Value>> {
        let context = holder.get_creation_context(scope)?;
        let scope = &mut v8::ContextScope::new(scope, context);
        let key = key(scope);
        let nano: Local<'_, v8::Object> = context.global(scope).get_private(scope, key)?.try_into().ok()?;
        let text = name.to_rust_string_lossy(scope);
        let internal = holder == nano;
        let names = |part: &'static Part| match internal {
            true => [part.members, &[], &[], &[]],
            false => [part.interfaces, part.operations, part.inherited, part.late],
        };
        let index =
            self.platform.parts.iter().position(|part| names(part).into_iter().flatten().any(|name| *name == text));
        let part = self.load(scope, nano, index?)?;
        let values = if internal { part } else { object(scope, part, "exposed")? };
        values.get(scope, name.into())
    }

    /// What part `index` has made: `nano` with what its scripts have added. They run once in a realm.
    fn load<'s>(
        self,
        scope: &mut v8::PinScope<'s, '_>,
        nano: Local<'s, v8::Object>,
        index: usize,
    ) -> Option<Local<'s, v8::Object>> {
        let place = u32::try_from(index).ok()?;
        if let Ok(made) = Local::try_from(nano.get_index(scope, place)?) {
            return Some(made);
        }
        let extend = Local::<v8::Function>::try_from(object(scope, nano, "extend")?).ok()?;
        let undefined = v8::undefined(scope).into();
        let made = Local::<v8::Object>::try_from(extend.call(scope, undefined, &[])?).ok()?;
        let ops = object(scope, made, "ops")?;
        let (earlier, later) = self.platform.parts.split_at(index);
        let skipped = self.platform.core.len() + earlier.iter().map(|part| part.scripts.len()).sum::<usize>();
        for (script, text) in later[0].scripts.iter().zip(&self.texts[skipped..]) {
            script.define_ops(scope, ops)?;
            let text = v8::String::new_from_onebyte_const(scope, text)?;
            let script = script.compile(scope, text)?;
            extension::run(scope, script, made)?;
        }
        nano.set_index(scope, place, made.into())?;
        Some(made)
    }
}

fn object<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    holder: Local<'_, v8::Object>,
    name: &str,
) -> Option<Local<'s, v8::Object>> {
    let name = extension::string(scope, name).into();
    holder.get(scope, name).and_then(|value| value.try_into().ok())
}
