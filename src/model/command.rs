//! Application commands as they were used, and who may use them ([Discord's page];
//! APPLICATION_COMMAND_PERMISSIONS_UPDATE).
//!
//! An option's value is kept as JSON had it, since a half-typed number of an autocomplete is a
//! string; the methods of [`CommandOption`] read it as what the bot expects. The definitions of
//! commands, which only HTTP answers hold, have no type here.
//!
//! [Discord's page]: https://discord.com/developers/docs/interactions/application-commands

use super::{
    ApplicationId, Attachment, Channel, CommandId, CommandVersionId, GenericId, GuildId, Id,
    Message, Resolved, ResolvedMember, Role, User,
};
use crate::decode::{Cursor, Decode, Expected, JsonKind, MapKey, Shape};
use serde::{Serialize, Serializer};
use std::fmt;

model! {
    /// A command that was used, or is being typed.
    ///
    /// ```
    /// use shardring::decode::{PADDING, Scratch};
    /// use shardring::model::{Event, EventKind};
    ///
    /// let text = br#"{"op":0,"s":7,"t":"INTERACTION_CREATE","d":{"id":"1","type":2,"data":{
    ///     "id":"2","name":"role","type":1,"options":[{"type":1,"name":"add","options":[
    ///         {"type":6,"name":"who","value":"80351110224678912"},
    ///         {"type":4,"name":"days","value":7}]}],
    ///     "resolved":{"users":{"80351110224678912":{"id":"80351110224678912",
    ///         "username":"nelly"}}}}}}"#;
    /// let mut payload = text.to_vec();
    /// payload.resize(text.len() + PADDING, 0);
    /// Scratch::new().read(&mut payload, text.len(), |root| {
    ///     let kind = EventKind::from_name(root.name());
    ///     let event = Event::decode(kind, root.name(), root.data());
    ///     let Event::InteractionCreate(interaction) = event
    ///     else {
    ///         return;
    ///     };
    ///     let Some(command) = interaction.command() else { return };
    ///     match command.path().names() {
    ///         ["role", "add"] => {
    ///             assert_eq!(command.user("who").map(|user| user.username), Some("nelly"));
    ///             assert_eq!(command.option("days").and_then(|days| days.as_i64()), Some(7));
    ///         }
    ///         _ => unreachable!(),
    ///     }
    /// })?;
    /// # Ok::<(), shardring::decode::DecodeError>(())
    /// ```
    pub struct CommandData<'a> {
        /// The command's id.
        pub id: CommandId,
        /// The command's name, without group and subcommand: see [`path`](Self::path).
        pub name: &'a str,
        /// The sort of command.
        pub kind: CommandType = "type",
        /// Which version of the command was used. The documents have it in their examples alone.
        pub version: Option<CommandVersionId>,
        /// In full what options and target name by id.
        pub resolved: Option<&'a Resolved<'a>>,
        /// As they came: the only one is a subcommand or a group if the command has such. See
        /// [`values`](Self::values). Autocomplete may leave some out.
        pub options: &'a [CommandOption<'a>] | missing,
        /// The guild whose command it is; `None` for a global one.
        pub guild_id: Option<GuildId>,
        /// The user or message that a context menu was opened on.
        pub target_id: Option<GenericId>,
    }
}

impl<'a> CommandData<'a> {
    /// The command's name and, if there are any, its group's and its subcommand's.
    pub fn path(&self) -> CommandPath<'a> {
        let mut path = CommandPath { names: [self.name, "", ""], len: 1 };
        let mut options = self.options;
        while let [CommandOption { kind, name, options: inner, .. }] = options
            && kind.is_subcommand()
            && path.len < path.names.len()
        {
            path.names[path.len] = name;
            path.len += 1;
            options = inner;
        }
        path
    }

    /// The options with values: those of the subcommand if there is one, else the command's own.
    pub fn values(&self) -> &'a [CommandOption<'a>] {
        let mut options = self.options;
        for _ in 1..COMMAND_PATH_LEN_MAX {
            match options {
                [option] if option.kind.is_subcommand() => options = option.options,
                _ => break,
            }
        }
        options
    }

    /// The option with a value that is called `name`, also inside a subcommand.
    pub fn option(&self, name: &str) -> Option<&'a CommandOption<'a>> {
        self.values().iter().find(|option| option.name == name)
    }

    /// The option that the user is typing; autocomplete only.
    pub fn focused(&self) -> Option<&'a CommandOption<'a>> {
        self.values().iter().find(|option| option.focused == Some(true))
    }

    /// The user that the option `name` names.
    pub fn user(&self, name: &str) -> Option<&'a User<'a>> {
        self.resolved?.user(self.option(name)?.as_id()?)
    }

    /// The member that the option `name` names; `None` outside guilds.
    pub fn member(&self, name: &str) -> Option<&'a ResolvedMember<'a>> {
        self.resolved?.member(self.option(name)?.as_id()?)
    }

    /// The role that the option `name` names.
    pub fn role(&self, name: &str) -> Option<&'a Role<'a>> {
        self.resolved?.role(self.option(name)?.as_id()?)
    }

    /// The channel that the option `name` names, with few of its fields.
    pub fn channel(&self, name: &str) -> Option<&'a Channel<'a>> {
        self.resolved?.channel(self.option(name)?.as_id()?)
    }

    /// The file of the option `name`.
    pub fn attachment(&self, name: &str) -> Option<&'a Attachment<'a>> {
        self.resolved?.attachment(self.option(name)?.as_id()?)
    }

    /// The user whose context menu was opened.
    pub fn target_user(&self) -> Option<&'a User<'a>> {
        self.resolved?.user(self.target_id?.cast())
    }

    /// The message whose context menu was opened.
    pub fn target_message(&self) -> Option<&'a Message<'a>> {
        self.resolved?.message(self.target_id?.cast())
    }
}

/// The names that lead to a command: its own, then those of its group and its subcommand as far
/// as it has them. `Display` writes them with spaces between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CommandPath<'a> {
    names: [&'a str; COMMAND_PATH_LEN_MAX],
    len: usize,
}

impl<'a> CommandPath<'a> {
    /// The names, 1 to [`COMMAND_PATH_LEN_MAX`], to be matched against `["role", "add"]`.
    pub fn names(&self) -> &[&'a str] {
        &self.names[..self.len]
    }
}

impl fmt::Display for CommandPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, name) in self.names().iter().enumerate() {
            f.write_str(if at == 0 { "" } else { " " })?;
            f.write_str(name)?;
        }
        Ok(())
    }
}

model! {
    /// An option of a used command: a value, or a subcommand or group with options of its own.
    pub struct CommandOption<'a> {
        /// Its name.
        pub name: &'a str,
        /// Its sort.
        pub kind: CommandOptionType = "type",
        /// Its value; `None` for subcommands and groups.
        pub value: Option<CommandValue<'a>>,
        /// The options of a subcommand or group.
        pub options: &'a [CommandOption<'a>] | missing,
        /// Whether the user is typing it; autocomplete only.
        pub focused: Option<bool>,
    }
}

impl<'a> CommandOption<'a> {
    /// The value if it is a string: of a string option, of an id, or of any option that is being
    /// typed.
    pub fn as_str(&self) -> Option<&'a str> {
        match self.value? {
            CommandValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value if it is an integer from −2⁶³ to 2⁶³ − 1 or a string that writes one.
    pub fn as_i64(&self) -> Option<i64> {
        match self.value? {
            CommandValue::Integer(value) => Some(value),
            CommandValue::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// The value if it is a number or a string that writes one; never infinite.
    pub fn as_f64(&self) -> Option<f64> {
        match self.value? {
            CommandValue::Number(value) => Some(value),
            CommandValue::Integer(value) => Some(value as f64),
            CommandValue::String(text) => text.parse().ok().filter(|value: &f64| value.is_finite()),
            CommandValue::Boolean(_) => None,
        }
    }

    /// The value if it is a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self.value? {
            CommandValue::Boolean(value) => Some(value),
            _ => None,
        }
    }

    /// The value if the option is of a sort that names something (user, channel, role, either of
    /// users and roles, attachment). Of which kind the id is, the caller knows best:
    /// `let user: UserId = option.as_id()?`.
    pub fn as_id<K: 'a>(&self) -> Option<Id<K>> {
        if !self.kind.is_id() {
            return None;
        }
        match self.value? {
            CommandValue::String(text) => <Id<K> as MapKey<'a>>::read(text).ok(),
            CommandValue::Integer(value) => u64::try_from(value).ok().map(Id::new),
            _ => None,
        }
    }
}

/// The value of a command's option, as JSON had it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CommandValue<'a> {
    /// A string, also an id.
    String(&'a str),
    /// An integer from −2⁶³ to 2⁶³ − 1.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// True or false.
    Boolean(bool),
}

impl<'a> Decode<'a> for CommandValue<'a> {
    const ABSENT: Self = Self::String("");
    fn decode(cursor: &mut Cursor<'a>) -> Result<Self, Expected> {
        let json = cursor.json();
        cursor.skip();
        match json.kind() {
            JsonKind::String => json.as_str().map(Self::String),
            JsonKind::Bool => json.as_bool().map(Self::Boolean),
            JsonKind::Number => {
                json.as_i64().map(Self::Integer).or_else(|| json.as_f64().map(Self::Number))
            }
            JsonKind::Null | JsonKind::Array | JsonKind::Object => None,
        }
        .ok_or(Expected::String)
    }
    fn is_absent(&self) -> bool {
        matches!(self, Self::String(""))
    }
    fn shape() -> Shape {
        Shape::Json
    }
}

/// As it came.
impl Serialize for CommandValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match *self {
            Self::String(text) => serializer.serialize_str(text),
            Self::Integer(value) => serializer.serialize_i64(value),
            Self::Number(value) => serializer.serialize_f64(value),
            Self::Boolean(value) => serializer.serialize_bool(value),
        }
    }
}

model! {
    /// APPLICATION_COMMAND_PERMISSIONS_UPDATE: who may use a command in a guild.
    pub struct GuildCommandPermissions<'a> demands id {
        /// The command's id, or the application's: then it holds for all its commands.
        pub id: GenericId,
        /// The application.
        pub application_id: ApplicationId,
        /// The guild.
        pub guild_id: GuildId,
        /// At most 100.
        pub permissions: &'a [CommandPermission],
    }
}

model! {
    /// Whether a role, a user or a channel may use a command.
    pub struct CommandPermission demands id {
        /// The role, user or channel. As a role the guild's id means @everyone; as a channel the
        /// guild's id less one means all channels.
        pub id: GenericId,
        /// Which of them.
        pub kind: CommandPermissionType = "type",
        /// Whether it may.
        pub permission: bool,
    }
}

wire_enum! {
    /// The sort of an application command.
    pub struct CommandType(u32) { CHAT_INPUT = 1, USER = 2, MESSAGE = 3, PRIMARY_ENTRY_POINT = 4 }
}

wire_enum! {
    /// The sort of a command's option.
    pub struct CommandOptionType(u32) {
        SUB_COMMAND = 1, SUB_COMMAND_GROUP = 2, STRING = 3, INTEGER = 4, BOOLEAN = 5, USER = 6,
        CHANNEL = 7, ROLE = 8, MENTIONABLE = 9, NUMBER = 10, ATTACHMENT = 11,
    }
}

impl CommandOptionType {
    /// Whether it is a subcommand or a group of them, which have options instead of a value.
    pub fn is_subcommand(self) -> bool {
        matches!(self, Self::SUB_COMMAND | Self::SUB_COMMAND_GROUP)
    }

    /// Whether the value is an id.
    pub fn is_id(self) -> bool {
        matches!(
            self,
            Self::USER | Self::CHANNEL | Self::ROLE | Self::MENTIONABLE | Self::ATTACHMENT
        )
    }
}

wire_enum! {
    /// Whose permission to use a command is told.
    pub struct CommandPermissionType(u32) { ROLE = 1, USER = 2, CHANNEL = 3 }
}

/// A command, a group and a subcommand: Discord nests no deeper.
pub const COMMAND_PATH_LEN_MAX: usize = 3;
