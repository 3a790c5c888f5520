//! Components that a user presses or fills in ([Discord's page]).
//!
//! What Discord presumes when a key is missing stands at the field. Variants of
//! [`Component`](super::Component); what the user did comes by INTERACTION_CREATE.
//!
//! [Discord's page]: https://discord.com/developers/docs/components/reference

use super::{ChannelType, ComponentType, Emoji, GenericId, SkuId};

model! {
    /// A button.
    pub struct Button<'a> {
        /// [`ComponentType::BUTTON`].
        pub kind: ComponentType = "type",
        /// Its number in the message.
        pub id: Option<u32>,
        /// How it looks, and what it does.
        pub style: ButtonStyle,
        /// At most 80 characters.
        pub label: Option<&'a str>,
        /// Its emoji; only `id`, `name` and `animated` are set.
        pub emoji: Option<&'a Emoji<'a>>,
        /// What interactions call it; not on links and premium buttons.
        pub custom_id: Option<&'a str>,
        /// What it sells; premium buttons only.
        pub sku_id: Option<SkuId>,
        /// Where it leads; links only.
        pub url: Option<&'a str>,
        /// Whether it cannot be pressed; `None` means false.
        pub disabled: Option<bool>,
    }
}

model! {
    /// A menu of given options.
    pub struct StringSelect<'a> {
        /// [`ComponentType::STRING_SELECT`].
        pub kind: ComponentType = "type",
        /// Its number in the message or modal.
        pub id: Option<u32>,
        /// What interactions call it.
        pub custom_id: &'a str,
        /// At most 25.
        pub options: &'a [SelectOption<'a>],
        /// What it says while nothing is chosen, at most 150 characters.
        pub placeholder: Option<&'a str>,
        /// How many must be chosen, 0 to 25; `None` means 1.
        pub min_values: Option<u32>,
        /// How many may be chosen, at most 25; `None` means 1.
        pub max_values: Option<u32>,
        /// Whether a modal needs it; `None` means true.
        pub required: Option<bool>,
        /// Whether it cannot be used; `None` means false.
        pub disabled: Option<bool>,
    }
}

model! {
    /// An option of a menu.
    pub struct SelectOption<'a> {
        /// What it says, at most 100 characters.
        pub label: &'a str,
        /// What interactions call it, at most 100 characters.
        pub value: &'a str,
        /// At most 100 characters.
        pub description: Option<&'a str>,
        /// Its emoji; only `id`, `name` and `animated` are set.
        pub emoji: Option<&'a Emoji<'a>>,
        /// Whether it is chosen at first.
        pub default: Option<bool>,
    }
}

model! {
    /// A menu of users, of roles, or of both.
    pub struct EntitySelect<'a> {
        /// [`ComponentType::USER_SELECT`], [`ROLE_SELECT`](ComponentType::ROLE_SELECT) or
        /// [`MENTIONABLE_SELECT`](ComponentType::MENTIONABLE_SELECT).
        pub kind: ComponentType = "type",
        /// Its number in the message or modal.
        pub id: Option<u32>,
        /// What interactions call it.
        pub custom_id: &'a str,
        /// What it says while nothing is chosen, at most 150 characters.
        pub placeholder: Option<&'a str>,
        /// What is chosen at first.
        pub default_values: &'a [SelectDefaultValue<'a>] | missing,
        /// How many must be chosen, 0 to 25; `None` means 1.
        pub min_values: Option<u32>,
        /// How many may be chosen, at most 25; `None` means 1.
        pub max_values: Option<u32>,
        /// Whether a modal needs it; `None` means true.
        pub required: Option<bool>,
        /// Whether it cannot be used; `None` means false.
        pub disabled: Option<bool>,
    }
}

model! {
    /// A menu of channels.
    pub struct ChannelSelect<'a> {
        /// [`ComponentType::CHANNEL_SELECT`].
        pub kind: ComponentType = "type",
        /// Its number in the message or modal.
        pub id: Option<u32>,
        /// What interactions call it.
        pub custom_id: &'a str,
        /// The sorts of channels it shows; empty means all.
        pub channel_types: &'a [ChannelType] | missing,
        /// What it says while nothing is chosen, at most 150 characters.
        pub placeholder: Option<&'a str>,
        /// What is chosen at first.
        pub default_values: &'a [SelectDefaultValue<'a>] | missing,
        /// How many must be chosen, 0 to 25; `None` means 1.
        pub min_values: Option<u32>,
        /// How many may be chosen, at most 25; `None` means 1.
        pub max_values: Option<u32>,
        /// Whether a modal needs it; `None` means true.
        pub required: Option<bool>,
        /// Whether it cannot be used; `None` means false.
        pub disabled: Option<bool>,
    }
}

model! {
    /// What a menu shows as chosen at first.
    pub struct SelectDefaultValue<'a> demands id {
        /// The user, role or channel.
        pub id: GenericId,
        /// Which of them.
        pub kind: SelectDefaultValueType<'a> = "type",
    }
}

model! {
    /// A field to write into.
    pub struct TextInput<'a> {
        /// [`ComponentType::TEXT_INPUT`].
        pub kind: ComponentType = "type",
        /// Its number in the modal.
        pub id: Option<u32>,
        /// What interactions call it.
        pub custom_id: &'a str,
        /// One line or several.
        pub style: TextInputStyle,
        /// In characters, 0 to 4000.
        pub min_length: Option<u32>,
        /// In characters, 1 to 4000.
        pub max_length: Option<u32>,
        /// Whether the modal needs it; `None` means true.
        pub required: Option<bool>,
        /// What stands in it at first, at most 4000 characters.
        pub value: Option<&'a str>,
        /// What it says while it is empty, at most 100 characters.
        pub placeholder: Option<&'a str>,
    }
}

model! {
    /// A field for files.
    pub struct FileUpload<'a> {
        /// [`ComponentType::FILE_UPLOAD`].
        pub kind: ComponentType = "type",
        /// Its number in the modal.
        pub id: Option<u32>,
        /// What interactions call it.
        pub custom_id: &'a str,
        /// How many there must be, 0 to 10; `None` means 1.
        pub min_values: Option<u32>,
        /// How many there may be, at most 10; `None` means 1.
        pub max_values: Option<u32>,
        /// Whether the modal needs it; `None` means true.
        pub required: Option<bool>,
        /// Which files it takes, at most 10: `image`, `video`, `audio`, or an ending with its
        /// dot; empty means all.
        pub file_types: &'a [&'a str] | missing,
    }
}

model! {
    /// Options of which one is chosen.
    pub struct RadioGroup<'a> {
        /// [`ComponentType::RADIO_GROUP`].
        pub kind: ComponentType = "type",
        /// Its number in the modal.
        pub id: Option<u32>,
        /// What interactions call it.
        pub custom_id: &'a str,
        /// 2 to 10.
        pub options: &'a [GroupOption<'a>],
        /// Whether the modal needs it; `None` means true.
        pub required: Option<bool>,
    }
}

model! {
    /// Options of which several are chosen.
    pub struct CheckboxGroup<'a> {
        /// [`ComponentType::CHECKBOX_GROUP`].
        pub kind: ComponentType = "type",
        /// Its number in the modal.
        pub id: Option<u32>,
        /// What interactions call it.
        pub custom_id: &'a str,
        /// 1 to 10.
        pub options: &'a [GroupOption<'a>],
        /// How many must be chosen, 0 to 10; `None` means 1.
        pub min_values: Option<u32>,
        /// How many may be chosen, 1 to 10; `None` means all.
        pub max_values: Option<u32>,
        /// Whether the modal needs it; `None` means true.
        pub required: Option<bool>,
    }
}

model! {
    /// An option of a radio group or a checkbox group.
    pub struct GroupOption<'a> {
        /// What interactions call it, at most 100 characters.
        pub value: &'a str,
        /// What it says, at most 100 characters.
        pub label: &'a str,
        /// At most 100 characters.
        pub description: Option<&'a str>,
        /// Whether it is chosen at first.
        pub default: Option<bool>,
    }
}

model! {
    /// Yes or no.
    pub struct Checkbox<'a> {
        /// [`ComponentType::CHECKBOX`].
        pub kind: ComponentType = "type",
        /// Its number in the modal.
        pub id: Option<u32>,
        /// What interactions call it.
        pub custom_id: &'a str,
        /// Whether it is ticked at first.
        pub default: Option<bool>,
    }
}

wire_enum! {
    /// How a button looks; links and premium buttons cause no interaction.
    pub struct ButtonStyle(u32) {
        PRIMARY = 1, SECONDARY = 2, SUCCESS = 3, DANGER = 4, LINK = 5, PREMIUM = 6,
    }
}

wire_enum! {
    /// One line or several.
    pub struct TextInputStyle(u32) { SHORT = 1, PARAGRAPH = 2 }
}

wire_enum! {
    /// What a menu shows as chosen at first.
    pub struct SelectDefaultValueType<'a> { USER = "user", ROLE = "role", CHANNEL = "channel" }
}
