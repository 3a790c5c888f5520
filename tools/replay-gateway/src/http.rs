//! The HTTP side of the port: requests are read (keep-alive, bodies within a bound), answered by
//! `rest`, or upgraded to a WebSocket. Bytes in, bytes out; no sockets.

use crate::codec::{Codec, Compression};
use crate::conn::{Conn, Doom, Phase};
use crate::core::Core;
use crate::faults::When;
use crate::outage::Outage;
use crate::{fault, rest};
use serde_json::Value;
use tungstenite::handshake::machine::TryParse as _;
use tungstenite::handshake::server::{Request as UpgradeRequest, create_response, write_response};

/// A request, whole.
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) keep_alive: bool,
}

impl Request {
    /// A header's value; the first, if there are many.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let same = |(key, _): &&(String, String)| key.eq_ignore_ascii_case(name);
        self.headers.iter().find(same).map(|(_, value)| value.as_str())
    }

    /// A parameter of the query, as it stands there.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let pair = |pair: &'_ str| pair.strip_prefix(name)?.strip_prefix('=').map(str::len);
        let found = self.query.split('&').find(|text| pair(text).is_some())?;
        Some(&found[name.len() + 1..])
    }

    /// Reads the head.
    fn parse(head: &str) -> Option<Self> {
        let mut lines = head.split("\r\n");
        let mut first = lines.next()?.split(' ');
        let (method, target, version) = (first.next()?, first.next()?, first.next()?);
        if !matches!(version, "HTTP/1.1" | "HTTP/1.0") || first.next().is_some() {
            return None;
        }
        let mut headers = Vec::new();
        for line in lines.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':')?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut request = Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: Vec::new(),
            keep_alive: false,
        };
        let connection = request.header("Connection").unwrap_or("").to_ascii_lowercase();
        request.keep_alive = match version {
            "HTTP/1.1" => !connection.contains("close"),
            _ => connection.contains("keep-alive"),
        };
        Some(request)
    }
}

/// An answer with a body of JSON.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Response {
    /// Success.
    pub(crate) fn ok(body: impl Into<String>) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.into() }
    }

    /// An error in Discord's shape.
    pub(crate) fn error(status: u16, message: &str, code: u32) -> Self {
        let body = serde_json::json!({ "message": message, "code": code }).to_string();
        Self { status, headers: Vec::new(), body }
    }

    /// An error whose message is its status.
    pub(crate) fn status(status: u16) -> Self {
        Self::error(status, &format!("{status}: {}", reason(status)), 0)
    }
}

/// Answers the whole requests that stand in the connection's input, in order.
pub(crate) fn on_input(core: &mut Core, conn: &mut Conn) {
    while conn.phase == Phase::Http && conn.doom.is_none() && !conn.out.held && !conn.zombie {
        let head_end = conn.input.windows(4).position(|four| four == b"\r\n\r\n");
        let Some(head_end) = head_end else {
            if conn.input.len() > HEAD_BYTES_MAX {
                refuse(core, conn, Response::status(431));
            }
            return;
        };
        let head = std::str::from_utf8(&conn.input[..head_end]).ok().and_then(Request::parse);
        let Some(mut request) = head else {
            return refuse(core, conn, Response::status(400));
        };
        let body_len = match body_len(&request) {
            Ok(len) => len,
            Err(status) => return refuse(core, conn, Response::status(status)),
        };
        let end = head_end + 4 + body_len;
        if conn.input.len() < end {
            return;
        }
        request.body = conn.input[head_end + 4..end].to_vec();
        let bytes: Vec<u8> = conn.input.drain(..end).collect();
        conn.last_heartbeat_ns = core.now_ns;
        answer(core, conn, &request, &bytes);
    }
}

/// The length of a request's body, or the status that refuses it.
fn body_len(request: &Request) -> Result<usize, u16> {
    if request.header("Transfer-Encoding").is_some() {
        return Err(411);
    }
    match request.header("Content-Length").map(str::parse) {
        None => Ok(0),
        Some(Ok(len)) if len <= BODY_BYTES_MAX => Ok(len),
        Some(Ok(_)) => Err(413),
        Some(Err(_)) => Err(400),
    }
}

fn answer(core: &mut Core, conn: &mut Conn, request: &Request, bytes: &[u8]) {
    let unavailable = core.outage_of(conn.host) == Outage::Unavailable;
    if unavailable || request.path.starts_with("/unavailable") {
        return refuse(core, conn, Response::status(503));
    }
    match request.path.as_str() {
        "/replay/traffic" => {
            let mut body = String::new();
            core.write_traffic_info(None, &mut body);
            respond(conn, request.keep_alive, &Response::ok(body));
        }
        path if path == "/api" || path.starts_with("/api/") => rest::answer(core, conn, request),
        _ => upgrade(core, conn, request, bytes),
    }
}

fn upgrade(core: &mut Core, conn: &mut Conn, request: &Request, bytes: &[u8]) {
    if request.header("Upgrade").is_none() {
        return refuse(core, conn, Response::status(if request.path == "/" { 400 } else { 404 }));
    }
    let parsed = UpgradeRequest::try_parse(bytes).ok().flatten();
    let Some(Ok(mut response)) = parsed.map(|(_, request)| create_response(&request)) else {
        return refuse(core, conn, Response::status(400));
    };
    let compression = match request.parameter("compress") {
        None | Some("") => Compression::None,
        Some("zlib-stream") => Compression::ZlibStream,
        Some("zstd-stream") => Compression::ZstdStream(core.config.zstd_frames),
        Some(_) => return refuse(core, conn, Response::error(400, "unknown compression", 0)),
    };
    if !matches!(request.parameter("encoding"), None | Some("json")) {
        return refuse(core, conn, Response::error(400, "only encoding=json here", 0));
    }
    // What was asked for besides is not granted: no extension, no subprotocol.
    let server = tungstenite::http::HeaderValue::from_static("replay-gateway");
    response.headers_mut().insert("Server", server);
    conn.out.append(|bytes| {
        // Writing to a Vec cannot fail, and the headers are our own text.
        let _ = write_response(bytes, &response);
    });
    core.stats.upgrades += 1;
    let asked = request.parameter("compress").filter(|name| !name.is_empty()).unwrap_or("none");
    *core.stats.compressions.entry(asked.to_owned()).or_default() += 1;
    conn.phase = Phase::Open;
    conn.codec = Codec::new(compression, core.config.framing);
    conn.last_heartbeat_ns = core.now_ns;
    fault::arm_at_upgrade(core, conn);
    if request.parameter("v") != Some("10") {
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

/// Answers with an error and ends the connection.
fn refuse(core: &mut Core, conn: &mut Conn, response: Response) {
    core.stats.http_errors += 1;
    respond(conn, false, &response);
}

/// Queues an answer; without `keep_alive` it is the connection's last.
pub(crate) fn respond(conn: &mut Conn, keep_alive: bool, response: &Response) {
    let Response { status, headers, body } = response;
    let connection = if keep_alive { "keep-alive" } else { "close" };
    let mut head = format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: {connection}\r\nVia: 1.1 replay-gateway\r\n",
        reason(*status),
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    conn.out.append(|bytes| {
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(body.as_bytes());
    });
    if !keep_alive {
        conn.doom = Some(Doom::Fin);
    }
}

/// A body's JSON, if it is any.
pub(crate) fn json_of(request: &Request) -> Option<Value> {
    serde_json::from_slice(&request.body).ok()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        411 => "Length Required",
        413 => "Content Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}

/// The head of a request is no longer than this.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Nor its body than this.
const BODY_BYTES_MAX: usize = 1 << 20;
