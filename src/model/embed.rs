//! Embeds and attachments ([Discord's page]).
//!
//! [Discord's page]: https://discord.com/developers/docs/resources/message#embed-object

use super::{Application, AttachmentId, Field, Timestamp, User};

model! {
    /// A box of rich content under a message.
    pub struct Embed<'a> {
        /// At most 256 characters.
        pub title: Option<&'a str>,
        /// What made it; `rich` for those of bots.
        pub kind: Option<EmbedType<'a>> = "type",
        /// At most 4096 characters.
        pub description: Option<&'a str>,
        /// Where the title leads.
        pub url: Option<&'a str>,
        /// The moment it shows.
        pub timestamp: Option<Timestamp<'a>>,
        /// The bar's colour, 0xRRGGBB.
        pub color: Option<u32>,
        /// The small print.
        pub footer: Option<&'a EmbedFooter<'a>>,
        /// The large image.
        pub image: Option<&'a EmbedMedia<'a>>,
        /// The small image.
        pub thumbnail: Option<&'a EmbedMedia<'a>>,
        /// The video.
        pub video: Option<&'a EmbedMedia<'a>>,
        /// The site it comes from.
        pub provider: Option<&'a EmbedProvider<'a>>,
        /// Who wrote it.
        pub author: Option<&'a EmbedAuthor<'a>>,
        /// At most 25; those of a `poll_result` carry its data by name.
        pub fields: &'a [EmbedField<'a>] | missing,
        /// Its flags.
        pub flags: Option<EmbedFlags>,
    }
}

model! {
    /// An image, a thumbnail or a video of an embed.
    pub struct EmbedMedia<'a> {
        /// Where it is.
        pub url: Option<&'a str>,
        /// Where Discord serves it.
        pub proxy_url: Option<&'a str>,
        /// In pixels.
        pub height: Option<u32>,
        /// In pixels.
        pub width: Option<u32>,
        /// Its media type.
        pub content_type: Option<&'a str>,
        /// A thumbhash.
        pub placeholder: Option<&'a str>,
        /// The version of the thumbhash.
        pub placeholder_version: Option<u32>,
        /// What it shows.
        pub description: Option<&'a str>,
        /// Its flags.
        pub flags: Option<EmbedMediaFlags>,
    }
}

model! {
    /// The site an embed comes from.
    pub struct EmbedProvider<'a> {
        /// Its name.
        pub name: Option<&'a str>,
        /// Its address.
        pub url: Option<&'a str>,
    }
}

model! {
    /// Who wrote what an embed shows.
    pub struct EmbedAuthor<'a> {
        /// At most 256 characters.
        pub name: &'a str,
        /// Where the name leads.
        pub url: Option<&'a str>,
        /// Where the icon is.
        pub icon_url: Option<&'a str>,
        /// Where Discord serves the icon.
        pub proxy_icon_url: Option<&'a str>,
    }
}

model! {
    /// An embed's small print.
    pub struct EmbedFooter<'a> {
        /// At most 2048 characters.
        pub text: &'a str,
        /// Where the icon is.
        pub icon_url: Option<&'a str>,
        /// Where Discord serves the icon.
        pub proxy_icon_url: Option<&'a str>,
    }
}

model! {
    /// A row of an embed's table.
    pub struct EmbedField<'a> {
        /// At most 256 characters.
        pub name: &'a str,
        /// At most 1024 characters.
        pub value: &'a str,
        /// Whether it stands beside others.
        pub inline: Option<bool>,
    }
}

model! {
    /// A file on a message.
    pub struct Attachment<'a> demands id {
        /// Its id.
        pub id: AttachmentId,
        /// The file's name.
        pub filename: &'a str,
        /// Its title; null occurs as well.
        pub title: Option<&'a str>,
        /// At most 1024 characters.
        pub description: Option<&'a str>,
        /// Its media type.
        pub content_type: Option<&'a str>,
        /// In bytes.
        pub size: u64,
        /// Where it is.
        pub url: &'a str,
        /// Where Discord serves it.
        pub proxy_url: &'a str,
        /// In pixels; images and videos.
        pub height: Field<u32>,
        /// In pixels; images and videos.
        pub width: Field<u32>,
        /// A thumbhash.
        pub placeholder: Option<&'a str>,
        /// The version of the thumbhash.
        pub placeholder_version: Option<u32>,
        /// Whether it is removed after a while.
        pub ephemeral: Option<bool>,
        /// In seconds; audio and video.
        pub duration_secs: Option<f64>,
        /// Base64 of a voice message's samples.
        pub waveform: Option<&'a str>,
        /// Its flags.
        pub flags: Option<AttachmentFlags>,
        /// Who is in a clip.
        pub clip_participants: &'a [User<'a>] | missing,
        /// When a clip was made.
        pub clip_created_at: Option<Timestamp<'a>>,
        /// The application seen in a clip.
        pub application: Field<&'a Application<'a>>,
    }
}

wire_enum! {
    /// What made an embed.
    pub struct EmbedType<'a> {
        RICH = "rich", IMAGE = "image", VIDEO = "video", GIFV = "gifv", ARTICLE = "article",
        LINK = "link", POLL_RESULT = "poll_result",
    }
}

flags! {
    /// What an embed is.
    pub struct EmbedFlags { IS_CONTENT_INVENTORY_ENTRY = 5 }
}

flags! {
    /// What an embed's image or video is.
    pub struct EmbedMediaFlags { IS_ANIMATED = 5 }
}

flags! {
    /// What an attachment is.
    pub struct AttachmentFlags {
        IS_CLIP = 0, IS_THUMBNAIL = 1, IS_REMIX = 2, IS_SPOILER = 3, IS_ANIMATED = 5,
    }
}
