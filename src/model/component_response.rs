//! What a modal's components bring back when it is submitted ([Discord's page]).
//!
//! A component of a message is used alone: what it brings back is
//! [`ComponentData`](super::ComponentData). Read as part of [`ModalData`](super::ModalData).
//!
//! [Discord's page]: https://discord.com/developers/docs/components/reference

use super::{AttachmentId, ChannelId, ComponentType, GenericId, Resolved, RoleId, UserId};

one_of! {
    /// What a component of a submitted modal brings back, by `type`.
    pub enum ComponentResponse<'a> {
        /// A row round a text input, in modals of the older form.
        ActionRow(ActionRowResponse<'a>) = 1,
        /// What was chosen of given options.
        StringSelect(StringSelectResponse<'a>) = 3,
        /// What was written.
        TextInput(TextInputResponse<'a>) = 4,
        /// The users that were chosen.
        UserSelect(UserSelectResponse<'a>) = 5,
        /// The roles that were chosen.
        RoleSelect(RoleSelectResponse<'a>) = 6,
        /// The users and roles that were chosen.
        MentionableSelect(MentionableSelectResponse<'a>) = 7,
        /// The channels that were chosen.
        ChannelSelect(ChannelSelectResponse<'a>) = 8,
        /// Text, which brings nothing back.
        TextDisplay(TextDisplayResponse) = 10,
        /// A name round something that was filled in.
        Label(LabelResponse<'a>) = 18,
        /// The files that were uploaded.
        FileUpload(FileUploadResponse<'a>) = 19,
        /// The option that was chosen.
        RadioGroup(RadioGroupResponse<'a>) = 21,
        /// The options that were chosen.
        CheckboxGroup(CheckboxGroupResponse<'a>) = 22,
        /// Whether it was ticked.
        Checkbox(CheckboxResponse<'a>) = 23,
    }
}

impl<'a> ComponentResponse<'a> {
    /// What the component was called when the modal was sent; `None` for layout and text.
    pub fn custom_id(self) -> Option<&'a str> {
        match self {
            Self::StringSelect(select) => Some(select.custom_id),
            Self::TextInput(input) => Some(input.custom_id),
            Self::UserSelect(select) => Some(select.custom_id),
            Self::RoleSelect(select) => Some(select.custom_id),
            Self::MentionableSelect(select) => Some(select.custom_id),
            Self::ChannelSelect(select) => Some(select.custom_id),
            Self::FileUpload(upload) => Some(upload.custom_id),
            Self::RadioGroup(group) => Some(group.custom_id),
            Self::CheckboxGroup(group) => Some(group.custom_id),
            Self::Checkbox(checkbox) => Some(checkbox.custom_id),
            Self::Unknown(json) => json.get("custom_id").and_then(|id| id.as_str()),
            Self::ActionRow(_) | Self::TextDisplay(_) | Self::Label(_) => None,
        }
    }

    /// This response, or the first one inside it, that is called `custom_id`. Recurses once per
    /// level that was decoded, of which there are at most
    /// [`TYPED_DEPTH_MAX`](crate::decode::TYPED_DEPTH_MAX).
    pub fn find(self, custom_id: &str) -> Option<ComponentResponse<'a>> {
        match self {
            Self::ActionRow(row) => row.components.iter().find_map(|inner| inner.find(custom_id)),
            Self::Label(label) => label.component.find(custom_id),
            other => (other.custom_id() == Some(custom_id)).then_some(other),
        }
    }
}

model! {
    /// A row of a modal of the older form.
    pub struct ActionRowResponse<'a> {
        /// [`ComponentType::ACTION_ROW`].
        pub kind: ComponentType = "type",
        /// Its number in the modal.
        pub id: Option<u32>,
        /// One text input.
        pub components: &'a [ComponentResponse<'a>],
    }
}

model! {
    /// What was chosen of given options.
    pub struct StringSelectResponse<'a> {
        /// [`ComponentType::STRING_SELECT`].
        pub kind: ComponentType = "type" | missing,
        /// Its number in the modal.
        pub id: Option<u32>,
        /// What the menu is called.
        pub custom_id: &'a str,
        /// The options' values.
        pub values: &'a [&'a str],
    }
    omits { "component_type": "stands in ComponentData: modals have `type`" }
}

model! {
    /// What was written.
    pub struct TextInputResponse<'a> {
        /// [`ComponentType::TEXT_INPUT`].
        pub kind: ComponentType = "type",
        /// Its number in the modal.
        pub id: Option<u32>,
        /// What the field is called.
        pub custom_id: &'a str,
        /// The text; empty if nothing was written.
        pub value: &'a str,
    }
}

model! {
    /// The users that were chosen.
    pub struct UserSelectResponse<'a> {
        /// [`ComponentType::USER_SELECT`].
        pub kind: ComponentType = "type" | missing,
        /// Its number in the modal.
        pub id: Option<u32>,
        /// What the menu is called.
        pub custom_id: &'a str,
        /// The users in full; mostly it stands in [`ModalData`](super::ModalData) instead.
        pub resolved: Option<&'a Resolved<'a>>,
        /// The users.
        pub values: &'a [UserId],
    }
    omits { "component_type": "stands in ComponentData: modals have `type`" }
}

model! {
    /// The roles that were chosen.
    pub struct RoleSelectResponse<'a> {
        /// [`ComponentType::ROLE_SELECT`].
        pub kind: ComponentType = "type" | missing,
        /// Its number in the modal.
        pub id: Option<u32>,
        /// What the menu is called.
        pub custom_id: &'a str,
        /// The roles in full; mostly it stands in [`ModalData`](super::ModalData) instead.
        pub resolved: Option<&'a Resolved<'a>>,
        /// The roles.
        pub values: &'a [RoleId],
    }
    omits { "component_type": "stands in ComponentData: modals have `type`" }
}

model! {
    /// The users and roles that were chosen.
    pub struct MentionableSelectResponse<'a> {
        /// [`ComponentType::MENTIONABLE_SELECT`].
        pub kind: ComponentType = "type" | missing,
        /// Its number in the modal.
        pub id: Option<u32>,
        /// What the menu is called.
        pub custom_id: &'a str,
        /// All of them in full; mostly it stands in [`ModalData`](super::ModalData) instead.
        pub resolved: Option<&'a Resolved<'a>>,
        /// Users and roles; `resolved` tells which is which.
        pub values: &'a [GenericId],
    }
    omits { "component_type": "stands in ComponentData: modals have `type`" }
}

model! {
    /// The channels that were chosen.
    pub struct ChannelSelectResponse<'a> {
        /// [`ComponentType::CHANNEL_SELECT`].
        pub kind: ComponentType = "type" | missing,
        /// Its number in the modal.
        pub id: Option<u32>,
        /// What the menu is called.
        pub custom_id: &'a str,
        /// The channels in full; mostly it stands in [`ModalData`](super::ModalData) instead.
        pub resolved: Option<&'a Resolved<'a>>,
        /// The channels.
        pub values: &'a [ChannelId],
    }
    omits { "component_type": "stands in ComponentData: modals have `type`" }
}

model! {
    /// Text of a modal, which brings nothing back.
    pub struct TextDisplayResponse {
        /// [`ComponentType::TEXT_DISPLAY`].
        pub kind: ComponentType = "type",
        /// Its number in the modal.
        pub id: Option<u32>,
    }
}

model! {
    /// A name round something that was filled in.
    pub struct LabelResponse<'a> {
        /// [`ComponentType::LABEL`].
        pub kind: ComponentType = "type",
        /// Its number in the modal.
        pub id: Option<u32>,
        /// What was filled in.
        pub component: ComponentResponse<'a>,
    }
}

model! {
    /// The files that were uploaded.
    pub struct FileUploadResponse<'a> {
        /// [`ComponentType::FILE_UPLOAD`].
        pub kind: ComponentType = "type",
        /// Its number in the modal.
        pub id: Option<u32>,
        /// What the field is called.
        pub custom_id: &'a str,
        /// The files, which stand in full under `resolved` of [`ModalData`](super::ModalData).
        pub values: &'a [AttachmentId],
    }
}

model! {
    /// The option that was chosen.
    pub struct RadioGroupResponse<'a> {
        /// [`ComponentType::RADIO_GROUP`].
        pub kind: ComponentType = "type",
        /// Its number in the modal.
        pub id: Option<u32>,
        /// What the group is called.
        pub custom_id: &'a str,
        /// The option's value; `None` if none was chosen.
        pub value: Option<&'a str> | null,
    }
}

model! {
    /// The options that were chosen.
    pub struct CheckboxGroupResponse<'a> {
        /// [`ComponentType::CHECKBOX_GROUP`].
        pub kind: ComponentType = "type",
        /// Its number in the modal.
        pub id: Option<u32>,
        /// What the group is called.
        pub custom_id: &'a str,
        /// The options' values.
        pub values: &'a [&'a str],
    }
}

model! {
    /// Whether a checkbox was ticked.
    pub struct CheckboxResponse<'a> {
        /// [`ComponentType::CHECKBOX`].
        pub kind: ComponentType = "type",
        /// Its number in the modal.
        pub id: Option<u32>,
        /// What the checkbox is called.
        pub custom_id: &'a str,
        /// Whether it was.
        pub value: bool,
    }
}
