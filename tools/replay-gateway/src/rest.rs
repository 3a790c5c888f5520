//! The endpoints of Discord's HTTP API that a bot's library asks for as it logs in: the gateway's
//! address, the bot itself, its application, guilds and commands; and the faults asked for in their
//! place. Whatever the version in the path, or without one. Text in, text out; no sockets.

use crate::conn::{Conn, Doom};
use crate::core::{BOT_ID, Core, Effect, Timer};
use crate::http::{Request, Response, json_of, respond};
use crate::http_fault::HttpAnswer;
use crate::protocol::bot_id;
use crate::traffic::guild_id_of_shard;
use serde_json::{Value, json};

/// Answers a request whose path begins with `/api`.
pub(crate) fn answer(core: &mut Core, conn: &mut Conn, request: &Request) {
    let path = endpoint(&request.path);
    count(core, &request.method, path);
    let fault = take_fault(core, path);
    let response = match fault {
        None | Some(HttpAnswer::Slow(_)) => route(core, request, path),
        Some(HttpAnswer::RateLimited { retry_after_ms, global }) => {
            rate_limited(retry_after_ms, global)
        }
        Some(HttpAnswer::Status(status)) => Response::status(status),
        Some(HttpAnswer::Malformed) => {
            let mut right = route(core, request, path);
            right.body.truncate(right.body.len() / 2);
            Response::ok(right.body)
        }
        Some(HttpAnswer::Unexpected) => Response::ok(r#"["what",{"is":"this"}]"#),
        Some(HttpAnswer::Never) => {
            conn.zombie = true;
            return;
        }
        Some(HttpAnswer::Reset) => {
            conn.doom = Some(Doom::Reset);
            return;
        }
    };
    if response.status >= 400 {
        core.stats.http_errors += 1;
    }
    respond(conn, request.keep_alive, &response);
    if let Some(HttpAnswer::Slow(ms)) = fault {
        conn.out.held = true;
        conn.doom_after = conn.doom.take();
        let at_ns = core.now_ns + ms * 1_000_000;
        core.effects.push(Effect::Timer(at_ns, Timer::Late(conn.slot, conn.id)));
    }
}

/// The path after `/api` and the version.
fn endpoint(path: &str) -> &str {
    let rest = path.strip_prefix("/api").unwrap_or(path);
    let version = rest.strip_prefix("/v").map(|rest| rest.split('/').next().unwrap_or(""));
    let rest = match version {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => {
            &rest[2 + digits.len()..]
        }
        _ => rest,
    };
    rest.strip_suffix('/').unwrap_or(rest)
}

/// Counts a request by its method and endpoint, ids left out.
fn count(core: &mut Core, method: &str, path: &str) {
    let is_id = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<_> =
        path.split('/').map(|part| if is_id(part) { "{id}" } else { part }).collect();
    let key = format!("{method} {}", parts.join("/"));
    let known = core.stats.http.len();
    match core.stats.http.get_mut(&key) {
        Some(count) => *count += 1,
        None if known < ENDPOINTS_MAX => drop(core.stats.http.insert(key, 1)),
        None => {}
    }
}

fn take_fault(core: &mut Core, path: &str) -> Option<HttpAnswer> {
    let at = core.http_faults.iter().position(|fault| fault.path == path)?;
    let fault = &mut core.http_faults[at];
    let answer = fault.answer.clone();
    match &mut fault.times {
        None => {}
        Some(0 | 1) => drop(core.http_faults.remove(at)),
        Some(times) => *times -= 1,
    }
    core.stats.faults += 1;
    Some(answer)
}

fn rate_limited(retry_after_ms: u64, global: bool) -> Response {
    let seconds = retry_after_ms as f64 / 1e3;
    let message = "You are being rate limited.";
    let body = json!({ "message": message, "retry_after": seconds, "global": global });
    let mut headers = vec![("Retry-After", retry_after_ms.div_ceil(1_000).to_string())];
    let scope = if global { "global" } else { "user" };
    headers.push(("X-RateLimit-Scope", scope.to_owned()));
    if global {
        headers.push(("X-RateLimit-Global", "true".to_owned()));
    }
    Response { status: 429, headers, body: body.to_string() }
}

fn route(core: &mut Core, request: &Request, path: &str) -> Response {
    if core.config.demand_user_agent && !is_bots(request.header("User-Agent").unwrap_or("")) {
        return Response::error(403, "internal network error", 40_333);
    }
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    if parts == ["gateway"] {
        return only(request, &["GET"], || {
            core.stats.http_requests += 1;
            Response::ok(json!({ "url": core.url }).to_string())
        });
    }
    if !is_authorised(core, request) {
        return Response::status(401);
    }
    match parts.as_slice() {
        ["gateway", "bot"] => only(request, &["GET"], || gateway_bot(core)),
        ["users", "@me"] => only(request, &["GET", "PATCH"], || Response::ok(user().to_string())),
        ["users", id] if *id == bot_id() => {
            only(request, &["GET"], || Response::ok(user().to_string()))
        }
        ["users", "@me", "guilds"] => {
            only(request, &["GET"], || Response::ok(guilds(core, request).to_string()))
        }
        ["applications", "@me"] | ["oauth2", "applications", "@me"] => {
            only(request, &["GET", "PATCH"], || Response::ok(application(core).to_string()))
        }
        ["applications", _, "commands"] | ["applications", _, "guilds", _, "commands"] => {
            only(request, &["GET", "PUT", "POST"], || commands(request))
        }
        ["channels", channel_id, "messages"] => {
            only(request, &["POST"], || message(core, channel_id, request))
        }
        _ => Response::status(404),
    }
}

/// The answer, if the method is one of these.
fn only(request: &Request, methods: &[&str], answer: impl FnOnce() -> Response) -> Response {
    if methods.contains(&request.method.as_str()) { answer() } else { Response::status(405) }
}

fn is_authorised(core: &Core, request: &Request) -> bool {
    let given = request.header("Authorization").and_then(|value| value.strip_prefix("Bot "));
    let right = match (&core.config.token, given) {
        (Some(token), Some(given)) => token.as_str() == given,
        (None, Some(given)) => !given.is_empty(),
        (_, None) => false,
    };
    right && !core.token_revoked
}

/// `DiscordBot (URL, VERSION)`, and whatever follows. discord.py leaves out the comma.
fn is_bots(agent: &str) -> bool {
    let inner = agent.strip_prefix("DiscordBot (").and_then(|rest| rest.split_once(')'));
    let parts = inner.and_then(|(inner, _)| inner.split_once([',', ' ']));
    parts.is_some_and(|(url, version)| url.contains("://") && !version.trim().is_empty())
}

fn gateway_bot(core: &mut Core) -> Response {
    let (remaining, reset_after) = core.session_starts_left();
    core.stats.http_requests += 1;
    let limit = json!({
        "total": core.config.session_starts_total,
        "remaining": remaining,
        "reset_after": reset_after,
        "max_concurrency": core.config.max_concurrency.max(1)
    });
    let shards = core.config.recommended_shards;
    let body = json!({ "url": core.url, "shards": shards, "session_start_limit": limit });
    Response::ok(body.to_string())
}

fn user() -> Value {
    json!({
        "id": bot_id(), "username": "Replay", "global_name": null, "discriminator": "4242",
        "avatar": null, "avatar_decoration_data": null, "banner": null, "accent_color": null,
        "bot": true, "system": false, "mfa_enabled": true, "locale": "en-US", "verified": true,
        "email": null, "flags": 0, "public_flags": 0, "premium_type": 0, "primary_guild": null,
        "collectibles": null, "bio": ""
    })
}

fn application(core: &Core) -> Value {
    let mut owner = user();
    owner["id"] = (BOT_ID + 1).to_string().into();
    owner["username"] = "owner".into();
    owner["bot"] = false.into();
    let guilds = u64::from(core.config.recommended_shards) * u64::from(core.guilds_per_shard());
    json!({
        "id": bot_id(), "name": "Replay", "icon": null, "description": "", "type": null,
        "summary": "", "bot": user(), "bot_public": true, "bot_require_code_grant": false,
        "verify_key": "0".repeat(64), "flags": 565_248, "flags_new": "565248", "tags": [],
        "hook": true, "is_monetized": false, "is_verified": false, "is_discoverable": false,
        "redirect_uris": [], "interactions_endpoint_url": null,
        "role_connections_verification_url": null, "event_webhooks_url": null,
        "event_webhooks_status": 1, "owner": owner, "team": null, "rpc_origins": [],
        "approximate_guild_count": guilds, "approximate_user_install_count": 0,
        "approximate_user_authorization_count": 0, "explicit_content_filter": 0,
        "integration_types_config": { "0": {} }, "eligible_oauth2_scopes": []
    })
}

/// The guilds of all recommended shards, in order of their ids, by `after`, `before`, `limit`.
fn guilds(core: &Core, request: &Request) -> Value {
    let number = |name| request.parameter(name).and_then(|text| text.parse::<u64>().ok());
    let limit = number("limit").unwrap_or(GUILDS_MAX).min(GUILDS_MAX) as usize;
    let (after, before) = (number("after").unwrap_or(0), number("before").unwrap_or(u64::MAX));
    let (seed, shards) = (core.config.seed, core.config.recommended_shards);
    let of_shard = |shard| {
        (0..core.guilds_per_shard()).map(move |n| guild_id_of_shard(seed, shard, shards, n))
    };
    let mut ids: Vec<u64> = (0..shards)
        .flat_map(of_shard)
        .filter(|id| *id > after && *id < before)
        .take(GUILDS_CONSIDERED_MAX)
        .collect();
    ids.sort_unstable();
    let from = if number("before").is_some() { ids.len().saturating_sub(limit) } else { 0 };
    let counted = request.parameter("with_counts").is_some_and(|value| value != "false");
    let partial = |id: &u64| {
        let mut guild = json!({
            "id": id.to_string(), "name": format!("guild {id}"), "icon": null, "banner": null,
            "owner": false, "permissions": "2048", "features": []
        });
        if counted {
            guild["approximate_member_count"] = core.config.members_per_guild.into();
            guild["approximate_presence_count"] = (core.config.members_per_guild / 8).into();
        }
        guild
    };
    ids[from..].iter().take(limit).map(partial).collect()
}

/// What was sent, with what Discord adds; nothing is kept.
fn commands(request: &Request) -> Response {
    let body = json_of(request);
    match (request.method.as_str(), body) {
        ("GET", _) => Response::ok("[]"),
        ("PUT", Some(Value::Array(list))) => {
            let list: Vec<_> =
                list.into_iter().enumerate().map(|(n, given)| command(n, given)).collect();
            Response::ok(Value::from(list).to_string())
        }
        ("POST", Some(given @ Value::Object(_))) => {
            Response { status: 201, ..Response::ok(command(0, given).to_string()) }
        }
        _ => Response::error(400, "The request body contains invalid JSON.", 50_109),
    }
}

/// The message that was sent, as Discord gives it back; nothing is kept, and no event follows.
fn message(core: &mut Core, channel_id: &str, request: &Request) -> Response {
    let given = json_of(request);
    let content = given.as_ref().and_then(|given| given["content"].as_str()).unwrap_or("");
    let (Ok(_), Some(_)) = (channel_id.parse::<u64>(), &given) else {
        return Response::error(400, "The request body contains invalid JSON.", 50_109);
    };
    if content.is_empty() || content.chars().count() > CONTENT_LEN_MAX {
        return Response::error(400, "Cannot send an empty message", 50_006);
    }
    let asked: u64 = core.stats.http.values().sum();
    let body = json!({
        "id": (BOT_ID + 3_000 + asked).to_string(),
        "channel_id": channel_id, "author": user(), "content": content, "type": 0, "flags": 0,
        "timestamp": "2026-11-01T00:00:00.000000+00:00", "edited_timestamp": null, "tts": false,
        "mention_everyone": false, "mentions": [], "mention_roles": [], "attachments": [],
        "embeds": [], "components": [], "pinned": false
    });
    Response::ok(body.to_string())
}

fn command(n: usize, mut given: Value) -> Value {
    let Some(fields) = given.as_object_mut() else { return given };
    let mut add = |name: &str, value: Value| {
        fields.entry(name).or_insert(value);
    };
    add("id", (BOT_ID + 1_000 + n as u64).to_string().into());
    add("application_id", bot_id().into());
    add("version", (BOT_ID + 2_000).to_string().into());
    add("type", 1.into());
    add("description", "".into());
    add("default_member_permissions", Value::Null);
    add("dm_permission", true.into());
    add("nsfw", false.into());
    given
}

impl Core {
    /// `remaining` and `reset_after` of the session starts, now.
    pub(crate) fn session_starts_left(&mut self) -> (u64, u64) {
        let period_ns = self.config.session_starts_reset_ms.max(1) * 1_000_000;
        if self.now_ns >= self.starts_reset_ns {
            self.session_starts = 0;
            let passed = (self.now_ns - self.starts_reset_ns) / period_ns + 1;
            self.starts_reset_ns += passed * period_ns;
        }
        let total = u64::from(self.config.session_starts_total);
        let reset_after_ms = (self.starts_reset_ns - self.now_ns).div_ceil(1_000_000);
        (total.saturating_sub(self.session_starts), reset_after_ms)
    }

    fn guilds_per_shard(&self) -> u32 {
        self.config.guilds_per_shard
    }
}

/// The most characters of a message.
const CONTENT_LEN_MAX: usize = 2_000;
/// Endpoints counted apart.
const ENDPOINTS_MAX: usize = 64;
/// Guilds in one answer.
const GUILDS_MAX: u64 = 200;
/// Guilds looked at for one answer.
const GUILDS_CONSIDERED_MAX: usize = 1 << 20;
