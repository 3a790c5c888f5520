//! Components of messages and modals: the union, its layout and its content ([Discord's page]).
//! What a user fills in or presses stands in `component_input.rs`, what comes back
//! in `component_response.rs`.
//!
//! A component is told by the number under `type`; one of a number that is not known here is kept
//! as it came. Nothing is checked against Discord's limits: they bind who sends.
//!
//! [Discord's page]: https://discord.com/developers/docs/components/reference

use super::{
    AttachmentId, Button, ChannelSelect, Checkbox, CheckboxGroup, EntitySelect, Field, FileUpload,
    RadioGroup, StringSelect, TextInput,
};

one_of! {
    /// A part of a message or a modal, by `type`.
    ///
    /// Layout holds other components ([`children`](Self::children)): at most an action row or a
    /// section in a container.
    pub enum Component<'a> {
        /// A row of buttons, or one select menu.
        ActionRow(ActionRow<'a>) = 1,
        /// A button.
        Button(Button<'a>) = 2,
        /// A menu of given options.
        StringSelect(StringSelect<'a>) = 3,
        /// A field to write into.
        TextInput(TextInput<'a>) = 4,
        /// A menu of users.
        UserSelect(EntitySelect<'a>) = 5,
        /// A menu of roles.
        RoleSelect(EntitySelect<'a>) = 6,
        /// A menu of users and roles.
        MentionableSelect(EntitySelect<'a>) = 7,
        /// A menu of channels.
        ChannelSelect(ChannelSelect<'a>) = 8,
        /// Text with something beside it.
        Section(Section<'a>) = 9,
        /// Text.
        TextDisplay(TextDisplay<'a>) = 10,
        /// A small image.
        Thumbnail(Thumbnail<'a>) = 11,
        /// Images and videos.
        MediaGallery(MediaGallery<'a>) = 12,
        /// A file.
        File(FileComponent<'a>) = 13,
        /// Space, or a line.
        Separator(Separator) = 14,
        /// A box round other components.
        Container(Container<'a>) = 17,
        /// A name for something to fill in.
        Label(Label<'a>) = 18,
        /// A field for files.
        FileUpload(FileUpload<'a>) = 19,
        /// Options of which one is chosen.
        RadioGroup(RadioGroup<'a>) = 21,
        /// Options of which several are chosen.
        CheckboxGroup(CheckboxGroup<'a>) = 22,
        /// Yes or no.
        Checkbox(Checkbox<'a>) = 23,
    }
}

impl<'a> Component<'a> {
    /// What the component is called in interactions; `None` for what cannot be used, and for
    /// buttons that lead elsewhere.
    pub fn custom_id(self) -> Option<&'a str> {
        match self {
            Self::Button(button) => button.custom_id,
            Self::StringSelect(select) => Some(select.custom_id),
            Self::TextInput(input) => Some(input.custom_id),
            Self::UserSelect(select)
            | Self::RoleSelect(select)
            | Self::MentionableSelect(select) => Some(select.custom_id),
            Self::ChannelSelect(select) => Some(select.custom_id),
            Self::FileUpload(upload) => Some(upload.custom_id),
            Self::RadioGroup(group) => Some(group.custom_id),
            Self::CheckboxGroup(group) => Some(group.custom_id),
            Self::Checkbox(checkbox) => Some(checkbox.custom_id),
            Self::Unknown(json) => json.get("custom_id").and_then(|id| id.as_str()),
            _ => None,
        }
    }

    /// The list of components inside a row, a section or a container; empty for the others. A
    /// section's accessory and a label's component stand in their own fields.
    pub fn children(self) -> &'a [Component<'a>] {
        match self {
            Self::ActionRow(row) => row.components,
            Self::Section(section) => section.components,
            Self::Container(container) => container.components,
            _ => &[],
        }
    }
}

model! {
    /// A row of up to 5 buttons, or one select menu.
    pub struct ActionRow<'a> {
        /// [`ComponentType::ACTION_ROW`].
        pub kind: ComponentType = "type",
        /// Its number in the message.
        pub id: Option<u32>,
        /// What stands in it.
        pub components: &'a [Component<'a>],
    }
}

model! {
    /// Text with something beside it.
    pub struct Section<'a> {
        /// [`ComponentType::SECTION`].
        pub kind: ComponentType = "type",
        /// Its number in the message.
        pub id: Option<u32>,
        /// Text displays, 1 to 3.
        pub components: &'a [Component<'a>],
        /// A button or a thumbnail.
        pub accessory: Component<'a>,
    }
}

model! {
    /// Text.
    pub struct TextDisplay<'a> {
        /// [`ComponentType::TEXT_DISPLAY`].
        pub kind: ComponentType = "type",
        /// Its number in the message.
        pub id: Option<u32>,
        /// Markdown.
        pub content: &'a str,
    }
}

model! {
    /// A small image beside a section.
    pub struct Thumbnail<'a> {
        /// [`ComponentType::THUMBNAIL`].
        pub kind: ComponentType = "type",
        /// Its number in the message.
        pub id: Option<u32>,
        /// The image.
        pub media: UnfurledMediaItem<'a>,
        /// What it shows, at most 1024 characters.
        pub description: Field<&'a str>,
        /// Whether it is blurred; `None` means false.
        pub spoiler: Option<bool>,
    }
}

model! {
    /// Images and videos.
    pub struct MediaGallery<'a> {
        /// [`ComponentType::MEDIA_GALLERY`].
        pub kind: ComponentType = "type",
        /// Its number in the message.
        pub id: Option<u32>,
        /// 1 to 10.
        pub items: &'a [MediaGalleryItem<'a>],
    }
}

model! {
    /// An image or a video of a gallery.
    pub struct MediaGalleryItem<'a> {
        /// The image or the video.
        pub media: UnfurledMediaItem<'a>,
        /// What it shows, at most 1024 characters.
        pub description: Field<&'a str>,
        /// Whether it is blurred; `None` means false.
        pub spoiler: Option<bool>,
    }
}

model! {
    /// A file shown as a component.
    pub struct FileComponent<'a> {
        /// [`ComponentType::FILE`].
        pub kind: ComponentType = "type",
        /// Its number in the message.
        pub id: Option<u32>,
        /// The file, always an attachment of the message.
        pub file: UnfurledMediaItem<'a>,
        /// Whether it is blurred; `None` means false.
        pub spoiler: Option<bool>,
        /// The file's name.
        pub name: Option<&'a str>,
        /// In bytes.
        pub size: Option<u64>,
    }
}

model! {
    /// Space between components, or a line.
    pub struct Separator {
        /// [`ComponentType::SEPARATOR`].
        pub kind: ComponentType = "type",
        /// Its number in the message.
        pub id: Option<u32>,
        /// Whether a line is drawn; `None` means true.
        pub divider: Option<bool>,
        /// How much space; `None` means small.
        pub spacing: Option<SeparatorSpacing>,
    }
}

model! {
    /// A box round other components.
    pub struct Container<'a> {
        /// [`ComponentType::CONTAINER`].
        pub kind: ComponentType = "type",
        /// Its number in the message.
        pub id: Option<u32>,
        /// Rows, text, sections, galleries, separators and files.
        pub components: &'a [Component<'a>],
        /// The bar's colour, 0xRRGGBB.
        pub accent_color: Field<u32>,
        /// Whether all of it is blurred; `None` means false.
        pub spoiler: Option<bool>,
    }
}

model! {
    /// A name for something to fill in, in a modal.
    pub struct Label<'a> {
        /// [`ComponentType::LABEL`].
        pub kind: ComponentType = "type",
        /// Its number in the modal.
        pub id: Option<u32>,
        /// At most 45 characters.
        pub label: &'a str,
        /// At most 100 characters.
        pub description: Option<&'a str>,
        /// What is filled in.
        pub component: Component<'a>,
    }
}

model! {
    /// A file that a component shows.
    pub struct UnfurledMediaItem<'a> {
        /// Where it is; may be `attachment://` and a file's name.
        pub url: &'a str,
        /// Where Discord serves it.
        pub proxy_url: Option<&'a str>,
        /// In pixels.
        pub height: Field<u32>,
        /// In pixels.
        pub width: Field<u32>,
        /// A thumbhash.
        pub placeholder: Option<&'a str>,
        /// The version of the thumbhash.
        pub placeholder_version: Option<u32>,
        /// Its media type.
        pub content_type: Option<&'a str>,
        /// Its flags.
        pub flags: Option<UnfurledMediaItemFlags>,
        /// The attachment; uploaded files only.
        pub attachment_id: Option<AttachmentId>,
    }
}

wire_enum! {
    /// The sort of a component.
    pub struct ComponentType(u32) {
        ACTION_ROW = 1, BUTTON = 2, STRING_SELECT = 3, TEXT_INPUT = 4, USER_SELECT = 5,
        ROLE_SELECT = 6, MENTIONABLE_SELECT = 7, CHANNEL_SELECT = 8, SECTION = 9,
        TEXT_DISPLAY = 10, THUMBNAIL = 11, MEDIA_GALLERY = 12, FILE = 13, SEPARATOR = 14,
        CONTAINER = 17, LABEL = 18, FILE_UPLOAD = 19, RADIO_GROUP = 21, CHECKBOX_GROUP = 22,
        CHECKBOX = 23,
    }
}

wire_enum! {
    /// How much space a separator takes.
    pub struct SeparatorSpacing(u32) { SMALL = 1, LARGE = 2 }
}

flags! {
    /// What a file in a component is.
    pub struct UnfurledMediaItemFlags { IS_ANIMATED = 0 }
}
