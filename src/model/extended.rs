//! The macro that writes an object and the event that is this object with more keys: `extended!`.
//!
//! Discord sends some objects under an event with keys beside their own (GUILD_CREATE,
//! GUILD_MEMBER_ADD). The rows stand once; both types are read in one walk, as by `model!`.

/// Rows as in `model!`, once for the object and once, with those in braces, for the event.
macro_rules! extended {
    (
        $(#[$meta:meta])*
        pub struct $name:ident<'a> $(demands $own:ident)? {
            $(
                $(#[$field_meta:meta])*
                pub $field:ident: $ty:ty $(= $wire:literal)? $(| $absence:ident)?
            ),* $(,)?
        }
        $(omits { $($omitted:tt)* })?

        $(#[$event_meta:meta])*
        pub struct $event:ident<'a> demands $event_own:ident, with {
            $(
                $(#[$more_meta:meta])*
                pub $more:ident: $more_ty:ty $(= $more_wire:literal)? $(| $more_absence:ident)?
            ),* $(,)?
        }
    ) => {
        model! {
            $(#[$meta])*
            pub struct $name<'a> $(demands $own)? {
                $($(#[$field_meta])* pub $field: $ty $(= $wire)? $(| $absence)?),*
            }
            $(omits { $($omitted)* })?
        }

        model! {
            $(#[$event_meta])*
            pub struct $event<'a> demands $event_own {
                $($(#[$field_meta])* pub $field: $ty $(= $wire)? $(| $absence)?,)*
                $($(#[$more_meta])* pub $more: $more_ty $(= $more_wire)? $(| $more_absence)?),*
            }
            $(omits { $($omitted)* })?
        }

        impl<'a> From<&$event<'a>> for $name<'a> {
            /// Without the keys of the event.
            fn from(event: &$event<'a>) -> Self {
                Self { $($field: event.$field),* }
            }
        }
    };
}
