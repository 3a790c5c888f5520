//! The interaction that a message answers ([Discord's page]).
//!
//! The interaction itself comes by INTERACTION_CREATE and stands in `interaction.rs`.
//!
//! [Discord's page]: https://discord.com/developers/docs/resources/message#message-interaction-metadata-object

use super::{IntegrationOwners, InteractionId, InteractionType, Member, MessageId, User};

one_of! {
    /// The interaction that a message answers, by `type`.
    pub enum InteractionMetadata<'a> {
        /// A command was used.
        Command(CommandInteractionMetadata<'a>) = 2,
        /// A component was used.
        Component(ComponentInteractionMetadata<'a>) = 3,
        /// A modal was submitted.
        Modal(ModalInteractionMetadata<'a>) = 5,
    }
}

one_of! {
    /// The interaction that opened a modal, by `type`.
    pub enum TriggeringInteractionMetadata<'a> {
        /// A command was used.
        Command(CommandInteractionMetadata<'a>) = 2,
        /// A component was used.
        Component(ComponentInteractionMetadata<'a>) = 3,
    }
}

impl<'a> InteractionMetadata<'a> {
    /// The interaction's id; `None` if its sort is not known.
    pub fn id(self) -> Option<InteractionId> {
        match self {
            Self::Command(command) => Some(command.id),
            Self::Component(component) => Some(component.id),
            Self::Modal(modal) => Some(modal.id),
            Self::Unknown(_) => None,
        }
    }

    /// Who began it; `None` if its sort is not known.
    pub fn user(self) -> Option<&'a User<'a>> {
        match self {
            Self::Command(command) => Some(&command.user),
            Self::Component(component) => Some(&component.user),
            Self::Modal(modal) => Some(&modal.user),
            Self::Unknown(_) => None,
        }
    }
}

model! {
    /// The use of a command that a message answers.
    pub struct CommandInteractionMetadata<'a> {
        /// The interaction's id.
        pub id: InteractionId,
        /// [`InteractionType::APPLICATION_COMMAND`].
        pub kind: InteractionType = "type",
        /// Who began it.
        pub user: User<'a>,
        /// Which installations of the application allowed it.
        pub authorizing_integration_owners: Option<IntegrationOwners>,
        /// The first answer; follow-ups only.
        pub original_response_message_id: Option<MessageId>,
        /// Commands on a user: the user.
        pub target_user: Option<&'a User<'a>>,
        /// Commands on a message: the message.
        pub target_message_id: Option<MessageId>,
    }
}

model! {
    /// The use of a component that a message answers.
    pub struct ComponentInteractionMetadata<'a> {
        /// The interaction's id.
        pub id: InteractionId,
        /// [`InteractionType::MESSAGE_COMPONENT`].
        pub kind: InteractionType = "type",
        /// Who began it.
        pub user: User<'a>,
        /// Which installations of the application allowed it.
        pub authorizing_integration_owners: Option<IntegrationOwners>,
        /// The first answer; follow-ups only.
        pub original_response_message_id: Option<MessageId>,
        /// The message that the component stands on.
        pub interacted_message_id: MessageId,
    }
}

model! {
    /// The submission of a modal that a message answers.
    pub struct ModalInteractionMetadata<'a> {
        /// The interaction's id.
        pub id: InteractionId,
        /// [`InteractionType::MODAL_SUBMIT`].
        pub kind: InteractionType = "type",
        /// Who began it.
        pub user: User<'a>,
        /// Which installations of the application allowed it.
        pub authorizing_integration_owners: Option<IntegrationOwners>,
        /// The first answer; follow-ups only.
        pub original_response_message_id: Option<MessageId>,
        /// What opened the modal.
        pub triggering_interaction_metadata: TriggeringInteractionMetadata<'a>,
    }
}

model! {
    /// The interaction that a message answers, as older clients are told of it.
    pub struct MessageInteraction<'a> demands id {
        /// Its id.
        pub id: InteractionId,
        /// Its sort.
        pub kind: InteractionType = "type",
        /// The command, with group and subcommand.
        pub name: &'a str,
        /// Who began it.
        pub user: Option<&'a User<'a>>,
        /// Who, as a member without `user`.
        pub member: Option<&'a Member<'a>>,
    }
}
