//! INTERACTION_CREATE: somebody used a command, a component or a modal ([Discord's page]).
//!
//! What `data` holds is told by the interaction's `type`, wherever the two stand in the payload.
//! Data of a type that is not known here is kept as it came. The token is a secret: it answers in
//! the application's name for 15 minutes, and `Debug` does not print it.
//!
//! [Discord's page]: https://discord.com/developers/docs/interactions/receiving-and-responding

use super::{
    ApplicationId, Channel, ChannelId, CommandData, ComponentResponse, ComponentType, Entitlement,
    GuildFeature, GuildId, Id, InteractionId, Member, Message, Permissions, Resolved, Secret, User,
    UserId,
};
use crate::decode::{Cursor, Decode, DecodeError, Expected, Json, MapKey, Note, Shape, UnionShape};
use serde::{Serialize, Serializer};

model! {
    /// INTERACTION_CREATE: somebody used a command, a component or a modal.
    ///
    /// ```
    /// # fn handle(interaction: &shardring::model::Interaction<'_>) {
    /// use shardring::model::InteractionData;
    ///
    /// match interaction.data {
    ///     Some(InteractionData::Command(command)) => println!("/{}", command.path()),
    ///     Some(InteractionData::Autocomplete(command)) => println!("{:?}", command.focused()),
    ///     Some(InteractionData::Component(used)) => println!("{}", used.custom_id),
    ///     Some(InteractionData::Modal(modal)) => println!("{:?}", modal.text("reason")),
    ///     _ => {}
    /// }
    /// # }
    /// ```
    pub struct Interaction<'a> demands id then settle {
        /// Its id.
        pub id: InteractionId,
        /// The application that shall answer.
        pub application_id: ApplicationId,
        /// Its sort.
        pub kind: InteractionType = "type",
        /// What was done, by `kind`; `None` for a ping.
        pub data: Option<InteractionData<'a>>,
        /// The guild where it was done: little of it.
        pub guild: Option<&'a InteractionGuild<'a>>,
        /// The guild where it was done.
        pub guild_id: Option<GuildId>,
        /// The channel where it was done, with few of its fields.
        pub channel: Option<&'a Channel<'a>>,
        /// The channel where it was done.
        pub channel_id: Option<ChannelId>,
        /// Who, in guilds; with `permissions`. See [`author`](Self::author).
        pub member: Option<&'a Member<'a>>,
        /// Who, outside guilds. See [`author`](Self::author).
        pub user: Option<&'a User<'a>>,
        /// What answers name; good for 15 minutes.
        pub token: Secret<'a>,
        /// Always 1.
        pub version: u64,
        /// The message that the component stands on, also where it opened a modal.
        pub message: Option<&'a Message<'a>>,
        /// What the application may do where it was done.
        pub app_permissions: Permissions,
        /// The user's language; `None` for a ping.
        pub locale: Option<&'a str>,
        /// The guild's language.
        pub guild_locale: Option<&'a str>,
        /// What user and guild bought of the application.
        pub entitlements: &'a [Entitlement<'a>],
        /// Which installations of the application allowed it.
        pub authorizing_integration_owners: Option<IntegrationOwners>,
        /// The sort of place where it was done.
        pub context: Option<InteractionContextType>,
        /// The largest file that the answer may hold, in bytes.
        pub attachment_size_limit: u64,
    }
}

impl<'a> Interaction<'a> {
    /// Who did it: the member's user in guilds, `user` elsewhere.
    pub fn author(&self) -> Option<&'a User<'a>> {
        self.member.and_then(|member| member.user).or(self.user)
    }

    /// The command that was used; `None` for all else, also while it is being typed.
    pub fn command(&self) -> Option<&'a CommandData<'a>> {
        match self.data {
            Some(InteractionData::Command(command)) => Some(command),
            _ => None,
        }
    }

    /// The command that is being typed.
    pub fn autocomplete(&self) -> Option<&'a CommandData<'a>> {
        match self.data {
            Some(InteractionData::Autocomplete(command)) => Some(command),
            _ => None,
        }
    }

    /// The component that was used.
    pub fn component(&self) -> Option<&'a ComponentData<'a>> {
        match self.data {
            Some(InteractionData::Component(component)) => Some(component),
            _ => None,
        }
    }

    /// The modal that was submitted.
    pub fn modal(&self) -> Option<&'a ModalData<'a>> {
        match self.data {
            Some(InteractionData::Modal(modal)) => Some(modal),
            _ => None,
        }
    }

    /// Reads `data` once the type is known, whichever of them came first. What cannot be read is
    /// noted and stays as it came.
    fn settle(&mut self, cursor: &Cursor<'a>) {
        let Some(InteractionData::Unknown(json)) = self.data else { return };
        let data = match self.kind {
            InteractionType::APPLICATION_COMMAND => json.read().map(InteractionData::Command),
            InteractionType::APPLICATION_COMMAND_AUTOCOMPLETE => {
                json.read().map(InteractionData::Autocomplete)
            }
            InteractionType::MESSAGE_COMPONENT => json.read().map(InteractionData::Component),
            InteractionType::MODAL_SUBMIT => json.read().map(InteractionData::Modal),
            _ => return,
        };
        match data {
            Ok(data) => self.data = Some(data),
            Err(DecodeError::Field { expected, .. }) => {
                cursor.note(Note { object: "Interaction", field: "data", expected });
            }
            Err(_) => {}
        }
    }
}

/// What an interaction did, by its type.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum InteractionData<'a> {
    /// A command was used.
    Command(&'a CommandData<'a>),
    /// A component of a message was used.
    Component(&'a ComponentData<'a>),
    /// A command is being typed: the bot shall say how it may go on.
    Autocomplete(&'a CommandData<'a>),
    /// A modal was submitted.
    Modal(&'a ModalData<'a>),
    /// Of a type that this version of the library does not know, or unreadable: as it came.
    Unknown(Json<'a>),
}

/// As it came: only the interaction around it knows the type.
impl<'a> Decode<'a> for InteractionData<'a> {
    const ABSENT: Self = Self::Unknown(Json::NULL);

    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        Json::decode(cursor).map(Self::Unknown)
    }

    fn is_absent(&self) -> bool {
        matches!(self, Self::Unknown(json) if json.is_null())
    }

    fn shape() -> Shape {
        Shape::Union(
            const {
                &UnionShape {
                    name: "InteractionData",
                    variants: &[
                        ("2", <&CommandData<'_>>::shape),
                        ("3", <&ComponentData<'_>>::shape),
                        ("4", <&CommandData<'_>>::shape),
                        ("5", <&ModalData<'_>>::shape),
                    ],
                }
            },
        )
    }
}

impl Serialize for InteractionData<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Command(data) | Self::Autocomplete(data) => data.serialize(serializer),
            Self::Component(data) => data.serialize(serializer),
            Self::Modal(data) => data.serialize(serializer),
            Self::Unknown(json) => json.serialize(serializer),
        }
    }
}

model! {
    /// A component of a message that was used.
    pub struct ComponentData<'a> {
        /// What the component is called.
        pub custom_id: &'a str,
        /// Its sort.
        pub component_type: ComponentType,
        /// Its number in the message.
        pub id: Option<u32>,
        /// Menus: the values of the options, or ids, that were chosen.
        pub values: &'a [&'a str] | missing,
        /// In full what `values` names by id.
        pub resolved: Option<&'a Resolved<'a>>,
    }
}

impl<'a> ComponentData<'a> {
    /// The ids in `values`, of menus of users, roles or channels; of which kind they are, the
    /// caller knows: `let chosen = data.ids().map(UserId::from)`. What is no id is left out.
    pub fn ids<K: 'a>(&self) -> impl Iterator<Item = Id<K>> + 'a {
        self.values.iter().filter_map(|text| <Id<K> as MapKey<'a>>::read(text).ok())
    }
}

model! {
    /// A modal that was submitted.
    pub struct ModalData<'a> {
        /// What the modal is called.
        pub custom_id: &'a str,
        /// What was filled in: labels and text, or rows in modals of the older form.
        pub components: &'a [ComponentResponse<'a>],
        /// In full what menus and uploads name by id.
        pub resolved: Option<&'a Resolved<'a>>,
    }
}

impl<'a> ModalData<'a> {
    /// What the component `custom_id` brings back, also inside a label or a row.
    pub fn component(&self, custom_id: &str) -> Option<ComponentResponse<'a>> {
        self.components.iter().find_map(|component| component.find(custom_id))
    }

    /// What was written into the text input `custom_id`, or the value chosen in the radio group
    /// of that name.
    pub fn text(&self, custom_id: &str) -> Option<&'a str> {
        match self.component(custom_id)? {
            ComponentResponse::TextInput(input) => Some(input.value),
            ComponentResponse::RadioGroup(group) => group.value,
            _ => None,
        }
    }
}

model! {
    /// As much of a guild as an interaction tells.
    pub struct InteractionGuild<'a> demands id {
        /// Its id.
        pub id: GuildId,
        /// What it can do.
        pub features: &'a [GuildFeature<'a>],
        /// Its language.
        pub locale: Option<&'a str>,
    }
}

model! {
    /// Which installations of an application allowed an interaction; `None` for the others.
    pub struct IntegrationOwners {
        /// Installed in a guild: the guild; 0 in direct messages with the bot.
        pub guild_id: Option<GuildId> = "0",
        /// Installed by a user: the user.
        pub user_id: Option<UserId> = "1",
    }
}

wire_enum! {
    /// The sort of an interaction.
    pub struct InteractionType(u32) {
        PING = 1, APPLICATION_COMMAND = 2, MESSAGE_COMPONENT = 3,
        APPLICATION_COMMAND_AUTOCOMPLETE = 4, MODAL_SUBMIT = 5,
    }
}

wire_enum! {
    /// The sort of place where an interaction is done.
    pub struct InteractionContextType(u32) { GUILD = 0, BOT_DM = 1, PRIVATE_CHANNEL = 2 }
}
