//! What is planned in a guild ([Discord's page]; GUILD_SCHEDULED_EVENT_*).
//!
//! [Discord's page]: https://discord.com/developers/docs/resources/guild-scheduled-event

use super::{ChannelId, Field, GenericId, GuildId, ScheduledEventId, Timestamp, User, UserId};

model! {
    /// GUILD_SCHEDULED_EVENT_CREATE, GUILD_SCHEDULED_EVENT_UPDATE, GUILD_SCHEDULED_EVENT_DELETE:
    /// something planned.
    pub struct GuildScheduledEvent<'a> demands id {
        /// Its id.
        pub id: ScheduledEventId,
        /// Its guild.
        pub guild_id: GuildId,
        /// Where; `None` if it is outside of Discord.
        pub channel_id: Option<ChannelId> | null,
        /// Who planned it; missing or null for those older than 25 October 2021.
        pub creator_id: Field<UserId>,
        /// 1 to 100 characters.
        pub name: &'a str,
        /// At most 1000 characters.
        pub description: Field<&'a str>,
        /// When it begins.
        pub scheduled_start_time: Timestamp<'a>,
        /// When it ends; always there if it is outside of Discord.
        pub scheduled_end_time: Option<Timestamp<'a>> | null,
        /// Who sees it.
        pub privacy_level: ScheduledEventPrivacyLevel,
        /// How it stands.
        pub status: ScheduledEventStatus,
        /// Where it takes place.
        pub entity_type: ScheduledEventEntityType,
        /// The thing in which it takes place, such as a stage.
        pub entity_id: Option<GenericId> | null,
        /// Where outside of Discord it is.
        pub entity_metadata: Option<ScheduledEventEntityMetadata<'a>> | null,
        /// Who planned it.
        pub creator: Option<&'a User<'a>>,
        /// How many subscribed to it.
        pub user_count: Option<u64>,
        /// The hash of its image.
        pub image: Field<&'a str>,
        /// When it comes again.
        pub recurrence_rule: Option<&'a RecurrenceRule<'a>> | null,
    }
}

model! {
    /// Where outside of Discord something planned is.
    pub struct ScheduledEventEntityMetadata<'a> {
        /// 1 to 100 characters.
        pub location: Option<&'a str>,
    }
}

model! {
    /// When something planned comes again. Discord's examples leave out most of it.
    pub struct RecurrenceRule<'a> {
        /// When the first begins.
        pub start: Timestamp<'a>,
        /// When the last is over. Applications cannot set it.
        pub end: Option<Timestamp<'a>> | null,
        /// The unit of `interval`.
        pub frequency: RecurrenceRuleFrequency,
        /// Every so many units: 2 with `WEEKLY` is every other week.
        pub interval: u32,
        /// On these days of the week.
        pub by_weekday: Option<&'a [RecurrenceRuleWeekday]> | null,
        /// On these days of these weeks of the month.
        pub by_n_weekday: Option<&'a [RecurrenceRuleNWeekday]> | null,
        /// In these months.
        pub by_month: Option<&'a [RecurrenceRuleMonth]> | null,
        /// On these days of the month, from 1.
        pub by_month_day: Option<&'a [u32]> | null,
        /// On these days of the year, 1 to 364. Applications cannot set it.
        pub by_year_day: Option<&'a [u32]> | null,
        /// So often. Applications cannot set it.
        pub count: Option<u32> | null,
    }
}

model! {
    /// A day of a week of the month.
    pub struct RecurrenceRuleNWeekday {
        /// Which week, 1 to 5.
        pub n: i64,
        /// Which day of it.
        pub day: RecurrenceRuleWeekday,
    }
}

model! {
    /// GUILD_SCHEDULED_EVENT_USER_ADD, GUILD_SCHEDULED_EVENT_USER_REMOVE: a user subscribed to
    /// something planned, or no longer does.
    pub struct GuildScheduledEventUser demands guild_scheduled_event_id {
        /// What is planned.
        pub guild_scheduled_event_id: ScheduledEventId,
        /// Who.
        pub user_id: UserId,
        /// In which guild.
        pub guild_id: GuildId,
    }
}

wire_enum! {
    /// Who sees what is planned.
    pub struct ScheduledEventPrivacyLevel(u32) { GUILD_ONLY = 2 }
}

wire_enum! {
    /// How something planned stands.
    pub struct ScheduledEventStatus(u32) {
        SCHEDULED = 1, ACTIVE = 2, COMPLETED = 3, CANCELED = 4,
    }
}

wire_enum! {
    /// Where something planned takes place.
    pub struct ScheduledEventEntityType(u32) { STAGE_INSTANCE = 1, VOICE = 2, EXTERNAL = 3 }
}

wire_enum! {
    /// A unit of recurrence.
    pub struct RecurrenceRuleFrequency(u32) { YEARLY = 0, MONTHLY = 1, WEEKLY = 2, DAILY = 3 }
}

wire_enum! {
    /// A day of the week.
    pub struct RecurrenceRuleWeekday(u32) {
        MONDAY = 0, TUESDAY = 1, WEDNESDAY = 2, THURSDAY = 3, FRIDAY = 4, SATURDAY = 5, SUNDAY = 6,
    }
}

wire_enum! {
    /// A month.
    pub struct RecurrenceRuleMonth(u32) {
        JANUARY = 1, FEBRUARY = 2, MARCH = 3, APRIL = 4, MAY = 5, JUNE = 6, JULY = 7, AUGUST = 8,
        SEPTEMBER = 9, OCTOBER = 10, NOVEMBER = 11, DECEMBER = 12,
    }
}
