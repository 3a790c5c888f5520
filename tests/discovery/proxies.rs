//! Through proxies: CONNECT and SOCKS5, with and without a password, refusing, and lost.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use shardring::ErrorKind;

use crate::secure::{Ca, TlsServer};
use crate::support::{Answer, Server, ask, read_head, shown};

/// Joins two connections until one of them ends.
fn join(client: &TcpStream, server: &TcpStream) {
    let copy = |from: &TcpStream, to: &TcpStream| {
        let _ = io::copy(&mut &*from, &mut &*to);
        let _ = to.shutdown(Shutdown::Write);
    };
    thread::scope(|scope| {
        scope.spawn(|| copy(client, server));
        copy(server, client);
    });
}

/// An HTTP proxy that lets those pass who bring this, if anything is asked for.
fn connect_proxy(authorization: Option<&'static str>) -> Server {
    Server::serving(move |mut stream, heads| {
        let head = read_head(&mut stream);
        heads.lock().unwrap().push(head.clone());
        let is_welcome = authorization.is_none_or(|wanted| {
            head.contains(&format!("Proxy-Authorization: Basic {wanted}\r\n"))
        });
        if !is_welcome {
            let _ = stream.write_all(
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
            );
            return;
        }
        let target = head.split(' ').nth(1).unwrap().replace("localhost", "127.0.0.1");
        match TcpStream::connect(target) {
            Ok(server) => {
                stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
                join(&stream, &server);
            }
            Err(_) => {
                let _ = stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\n");
            }
        }
    })
}

/// A SOCKS5 proxy (RFC 1928) that wants this user and password (RFC 1929), if any; it answers the
/// request with `reply`.
fn socks_proxy(login: Option<(&'static str, &'static str)>, reply: u8) -> Server {
    Server::serving(move |stream, heads| {
        let _ = socks(stream, heads, login, reply);
    })
}

fn socks(
    mut stream: TcpStream,
    heads: &Mutex<Vec<String>>,
    login: Option<(&str, &str)>,
    reply: u8,
) -> io::Result<()> {
    let take = |stream: &mut TcpStream, len: u8| {
        let mut bytes = vec![0; usize::from(len)];
        stream.read_exact(&mut bytes).map(|()| bytes)
    };
    let greeting = take(&mut stream, 2)?;
    let methods = take(&mut stream, greeting[1])?;
    let wanted = if login.is_some() { 2 } else { 0 };
    if greeting[0] != 5 || !methods.contains(&wanted) {
        return stream.write_all(&[5, 0xFF]);
    }
    stream.write_all(&[5, wanted])?;
    if let Some((user, password)) = login {
        let head = take(&mut stream, 2)?;
        let given_user = take(&mut stream, head[1])?;
        let len = take(&mut stream, 1)?;
        let given_password = take(&mut stream, len[0])?;
        let is_right = given_user == user.as_bytes() && given_password == password.as_bytes();
        stream.write_all(&[1, u8::from(!is_right)])?;
        if !is_right {
            return Ok(());
        }
    }
    let request = take(&mut stream, 4)?;
    let host = match request[3] {
        1 => take(&mut stream, 4)?.iter().map(u8::to_string).collect::<Vec<_>>().join("."),
        3 => {
            let len = take(&mut stream, 1)?;
            String::from_utf8(take(&mut stream, len[0])?).unwrap()
        }
        kind => panic!("no address of kind {kind} in these tests"),
    };
    let port = take(&mut stream, 2)?;
    let port = u16::from_be_bytes([port[0], port[1]]);
    heads.lock().unwrap().push(format!("{host}:{port}"));
    stream.write_all(&[5, reply, 0, 1, 0, 0, 0, 0, 0, 0])?;
    if reply == 0 {
        join(&stream, &TcpStream::connect(("127.0.0.1", port))?);
    }
    Ok(())
}

#[test]
fn a_connect_proxy_is_passed_with_and_without_a_password() {
    for (login, wanted) in [("", None), ("user:p%40ss@", Some("dXNlcjpwQHNz"))] {
        let (proxy, server) = (connect_proxy(wanted), Server::start([Answer::good()]));
        let url = format!("http://{login}{}", proxy.address());
        assert_eq!(ask(&server).proxy(url).fetch().unwrap().shard_count, 9);
        let heads = proxy.heads();
        assert_eq!(heads.len(), 1);
        let connect = format!("CONNECT {} HTTP/1.1\r\n", server.address());
        assert!(heads[0].starts_with(&connect), "{}", heads[0]);
        assert!(!heads[0].contains("cret"), "the token is for the server alone");
        assert!(!server.heads()[0].contains("dXNlcjpwQHNz"), "the password for the proxy");
    }
}

#[test]
fn tls_goes_through_a_proxy_to_the_server_itself() {
    let ca = Ca::new();
    let server = TlsServer::start(&ca, ca.server("localhost"), &[]);
    let (http, socks) = (connect_proxy(None), socks_proxy(None, 0));
    for proxy in [format!("http://{}", http.address()), format!("socks5h://{}", socks.address())] {
        let info = server.ask().roots(ca.roots()).proxy(proxy).fetch().unwrap();
        assert_eq!(info.shard_count, 9);
    }
    assert_eq!(socks.heads(), [format!("localhost:{}", server.port())], "resolved over there");
    let strangers = server.ask().roots(Ca::new().roots());
    let error = strangers.proxy(format!("http://{}", http.address())).fetch().unwrap_err();
    assert!(shown(&error).contains("certificate is not believed"), "{error}");
}

#[test]
fn a_proxy_that_wants_another_password_is_asked_once_and_the_password_not_shown() {
    let proxy = connect_proxy(Some("c29tZWJvZHk6ZWxzZQ=="));
    let server = Server::start([Answer::good()]);
    let url = format!("http://user:pass.word@{}", proxy.address());
    let error = ask(&server).proxy(url).fetch().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Discovery);
    let text = shown(&error);
    assert!(text.contains("the proxy wants another user and password (status 407)"), "{text}");
    assert!(!text.contains("pass.word"), "{text}");
    assert_eq!((proxy.heads().len(), server.heads().len()), (1, 0));
}

#[test]
fn a_socks_proxy_is_passed_with_and_without_a_password_and_its_refusals_are_told() {
    let login = Some(("user", "p@ss"));
    let hasty = Duration::from_millis(1200);
    for (wanted, given, reply, expected) in [
        (None, "", 0, Ok(9)),
        (login, "user:p%40ss@", 0, Ok(9)),
        (login, "user:wrong@", 0, Err("the proxy refused: password authentication failed")),
        (login, "", 0, Err("the proxy refused: no acceptable auth methods")),
        (None, "", 2, Err("the proxy refused: connection not allowed by ruleset")),
        (None, "", 5, Err("the proxy refused: connection refused")),
    ] {
        let (proxy, server) = (socks_proxy(wanted, reply), Server::start([Answer::good()]));
        let url = format!("socks5://{given}{}", proxy.address());
        let answer = ask(&server).proxy(url).within(hasty).fetch();
        match expected {
            Ok(shards) => assert_eq!(answer.unwrap().shard_count, shards),
            Err(expected) => {
                let text = shown(&answer.unwrap_err());
                assert!(text.contains(expected), "{text}");
                assert!(server.heads().is_empty());
            }
        }
    }
}

#[test]
fn a_proxy_that_is_not_there_is_no_way_round_itself() {
    let server = Server::start([Answer::good()]);
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for scheme in ["http", "socks5"] {
        let discovery = ask(&server).proxy(format!("{scheme}://user:wrong-word@{gone}"));
        let error = discovery.within(Duration::from_millis(1200)).fetch().unwrap_err();
        let told = format!("the proxy at {gone} cannot be reached: the connection was refused");
        assert!(shown(&error).contains(&told), "{error}");
        assert!(!shown(&error).contains("wrong-word"), "{error}");
    }
    assert!(server.heads().is_empty());
}
