//! The HTTP side of the port: GET /gateway, GET /gateway/bot, GET /replay/traffic, and the
//! upgrade. Text in, text out; no sockets.

use crate::codec::{Codec, Compression};
use crate::conn::{Conn, Phase};
use crate::core::Core;
use crate::fault;
use crate::faults::When;
use tungstenite::handshake::machine::TryParse as _;
use tungstenite::handshake::server::{Request, create_response, write_response};

/// Looks for a whole request in the connection's input and answers it.
pub(crate) fn on_input(core: &mut Core, conn: &mut Conn) {
    match Request::try_parse(&conn.input) {
        Ok(None) if conn.input.len() <= REQUEST_BYTES_MAX => {}
        Ok(None) => refuse(core, conn, 431, "Request Header Fields Too Large", "{}"),
        Err(_) => refuse(core, conn, 400, "Bad Request", "{}"),
        Ok(Some((len, request))) => {
            conn.input.drain(..len);
            answer(core, conn, &request);
        }
    }
}

fn answer(core: &mut Core, conn: &mut Conn, request: &Request) {
    match request.uri().path() {
        "/api/v10/gateway" => {
            let body = format!(r#"{{"url":"{}"}}"#, core.url);
            core.stats.http_requests += 1;
            respond(conn, 200, "OK", &body);
        }
        "/api/v10/gateway/bot" => gateway_bot(core, conn, request),
        "/replay/traffic" => {
            let mut body = String::new();
            core.write_traffic_info(None, &mut body);
            respond(conn, 200, "OK", &body);
        }
        path if path.starts_with("/unavailable") => {
            refuse(core, conn, 503, "Service Unavailable", "{}");
        }
        _ => upgrade(core, conn, request),
    }
}

fn gateway_bot(core: &mut Core, conn: &mut Conn, request: &Request) {
    let given = header(request, "Authorization").and_then(|value| value.strip_prefix("Bot "));
    let right = match (&core.config.token, given) {
        (Some(token), Some(given)) => token == given,
        (None, Some(given)) => !given.is_empty(),
        (_, None) => false,
    };
    if !right || core.token_revoked {
        let body = r#"{"message":"401: Unauthorized","code":0}"#;
        return refuse(core, conn, 401, "Unauthorized", body);
    }
    let total = core.config.session_starts_total;
    let remaining = u64::from(total).saturating_sub(core.session_starts);
    let body = format!(
        r#"{{"url":"{}","shards":{},"session_start_limit":{{"total":{total},"remaining":{remaining},"reset_after":86400000,"max_concurrency":{}}}}}"#,
        core.url,
        core.config.recommended_shards,
        core.config.max_concurrency.max(1)
    );
    core.stats.http_requests += 1;
    respond(conn, 200, "OK", &body);
}

fn upgrade(core: &mut Core, conn: &mut Conn, request: &Request) {
    let Ok(mut response) = create_response(request) else {
        return refuse(core, conn, 400, "Bad Request", "{}");
    };
    if header(request, "User-Agent").is_none_or(str::is_empty) {
        let body = r#"{"message":"a User-Agent is compulsory","code":0}"#;
        return refuse(core, conn, 403, "Forbidden", body);
    }
    let query = request.uri().query().unwrap_or("");
    let compression = match parameter(query, "compress") {
        None | Some("") => Compression::None,
        Some("zlib-stream") => Compression::ZlibStream,
        Some(_) => return refuse(core, conn, 400, "Bad Request", r#"{"compress":["unknown"]}"#),
    };
    if !matches!(parameter(query, "encoding"), None | Some("json")) {
        return refuse(core, conn, 400, "Bad Request", r#"{"encoding":["only json here"]}"#);
    }
    // What was asked for besides is not granted: no extension, no subprotocol.
    response.headers_mut().insert("Server", http_value());
    conn.out.append(|bytes| {
        // Writing to a Vec cannot fail, and the headers are our own text.
        let _ = write_response(bytes, &response);
    });
    core.stats.upgrades += 1;
    conn.phase = Phase::Open;
    conn.codec = Codec::new(compression, core.config.framing);
    conn.last_heartbeat_ns = core.now_ns;
    fault::arm_at_upgrade(core, conn);
    if parameter(query, "v") != Some("10") {
        return conn.close(4012, "Invalid API version.");
    }
    if !fault::fire(core, conn, When::Upgrade) {
        let hello = format!(
            r#"{{"t":null,"s":null,"op":10,"d":{{"heartbeat_interval":{},"_trace":["[\"replay-gateway\"]"]}}}}"#,
            core.config.heartbeat_interval_ms
        );
        conn.send(&mut core.pool, &hello);
    }
}

fn http_value() -> tungstenite::http::HeaderValue {
    tungstenite::http::HeaderValue::from_static("replay-gateway")
}

fn refuse(core: &mut Core, conn: &mut Conn, status: u16, reason: &str, body: &str) {
    core.stats.http_errors += 1;
    respond(conn, status, reason, body);
}

fn respond(conn: &mut Conn, status: u16, reason: &str, body: &str) {
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    conn.out.append(|bytes| {
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(body.as_bytes());
    });
    conn.doom = Some(crate::conn::Doom::Fin);
}

fn header<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok()
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// A request is no longer than this.
const REQUEST_BYTES_MAX: usize = 8 * 1024;
