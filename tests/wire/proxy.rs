//! Proxies as users and environments name them.

use shardring::wire::{GatewayUrl, Proxy, ProxyError, ProxyKind, proxy_for, proxy_for_host};

#[test]
fn a_proxy_is_read_with_its_parts_and_defaults() {
    let table = [
        ("http://proxy.test:3128", ProxyKind::Http, "proxy.test", 3128, false),
        ("http://proxy.test", ProxyKind::Http, "proxy.test", 80, false),
        ("HTTP://Proxy.Test/", ProxyKind::Http, "proxy.test", 80, false),
        ("proxy.test:8080", ProxyKind::Http, "proxy.test", 8080, false),
        ("user:pass@proxy.test:8080", ProxyKind::Http, "proxy.test", 8080, true),
        ("socks5://10.0.0.1", ProxyKind::Socks5, "10.0.0.1", 1080, false),
        ("socks5h://[::1]:9050", ProxyKind::Socks5, "::1", 9050, false),
        ("http://u:p%3A%40%2F%25@proxy.test", ProxyKind::Http, "proxy.test", 80, true),
        ("socks5://u%3Ax@proxy.test:", ProxyKind::Socks5, "proxy.test", 1080, true),
        ("http://u:p@ss@proxy.test", ProxyKind::Http, "proxy.test", 80, true),
    ];
    for (text, kind, host, port, has_credentials) in table {
        let proxy = Proxy::parse(text).unwrap();
        let got = (proxy.kind(), proxy.host(), proxy.port(), proxy.has_credentials());
        assert_eq!(got, (kind, host, port, has_credentials), "{text}");
        let again: Proxy = proxy.to_string().parse().unwrap();
        assert_eq!((again.kind(), again.host(), again.port()), (kind, host, port));
    }
}

#[test]
fn what_is_no_proxy_is_refused_with_the_part_that_is_wrong_and_no_secret() {
    let long = "a".repeat(256);
    let table = [
        ("https://hunter:secret@proxy.test", ProxyError::SecureProxy),
        ("socks4://hunter:secret@proxy.test", ProxyError::Scheme),
        ("ftp://proxy.test", ProxyError::Scheme),
        ("", ProxyError::Host),
        ("http://", ProxyError::Host),
        ("http://[::1", ProxyError::Host),
        ("http://a_b!", ProxyError::Host),
        ("http://proxy.test:0", ProxyError::Port),
        ("http://proxy.test:65536", ProxyError::Port),
        ("http://proxy.test/path", ProxyError::Path),
        ("http://proxy.test?x", ProxyError::Path),
        ("http://proxy test", ProxyError::Character),
        ("http://hunter:secret%@proxy.test", ProxyError::Credentials),
        ("http://hunter:secret%4@proxy.test", ProxyError::Credentials),
        ("http://hunter:secret%0D%0A@proxy.test", ProxyError::Credentials),
        ("http://hunter:secret%FF@proxy.test", ProxyError::Credentials),
        ("http://hunter%3Ax:secret@proxy.test", ProxyError::Credentials),
        ("http://:secret@proxy.test", ProxyError::Credentials),
        (&format!("socks5://hunter:{long}@proxy.test"), ProxyError::Credentials),
        (&format!("http://{}", "a".repeat(2048)), ProxyError::TooLong),
    ];
    for (text, error) in table {
        assert_eq!(Proxy::parse(text), Err(error), "{text}");
        let told = format!("{error} {error:?}");
        assert!(!told.contains("hunter") && !told.contains("secret"));
    }
    assert!(ProxyError::SecureProxy.to_string().contains("https://"));
}

/// What the environment names for a URL: host and port, or nothing.
fn named(url: &str, env: &[(&str, &str)]) -> Option<String> {
    let look_up = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
    let proxy = proxy_for(&GatewayUrl::parse(url).unwrap(), look_up).unwrap();
    proxy.map(|proxy| proxy.host().to_owned())
}

#[test]
fn the_environment_names_a_proxy_by_scheme_and_in_order() {
    let wss = "wss://gateway.discord.gg";
    let ws = "ws://gateway.discord.gg";
    let all: &[(&str, &str)] = &[
        ("https_proxy", "http://a"),
        ("HTTPS_PROXY", "http://b"),
        ("http_proxy", "http://c"),
        ("HTTP_PROXY", "http://d"),
        ("all_proxy", "socks5://e"),
        ("ALL_PROXY", "http://f"),
    ];
    let expected = [("a", "c"), ("b", "c"), ("e", "c"), ("e", "e"), ("e", "e"), ("f", "f")];
    for (from, (secure, plain)) in expected.into_iter().enumerate() {
        assert_eq!(named(wss, &all[from..]).as_deref(), Some(secure), "{from}");
        assert_eq!(named(ws, &all[from..]).as_deref(), Some(plain), "{from}");
    }
    assert_eq!(named(wss, &[]), None);
    assert_eq!(named(ws, &[("HTTP_PROXY", "http://d")]), None, "a header of CGI's");
    assert_eq!(named(wss, &[("https_proxy", " "), ("HTTPS_PROXY", "b")]).as_deref(), Some("b"));
}

#[test]
fn no_proxy_excepts_names_suffixes_addresses_ranges_and_ports() {
    let table = [
        ("*", "wss://gateway.discord.gg", true),
        ("discord.gg", "wss://gateway.discord.gg", true),
        ("discord.gg", "wss://discord.gg", true),
        (".discord.gg", "wss://gateway.discord.gg", true),
        (".discord.gg", "wss://discord.gg", false),
        ("*.discord.gg", "wss://gateway.discord.gg", true),
        ("DISCORD.GG", "wss://gateway.discord.gg", true),
        ("discord.gg.", "wss://gateway.discord.gg", true),
        ("cord.gg", "wss://gateway.discord.gg", false),
        ("gateway.discord.gg", "wss://discord.gg", false),
        ("a.test, discord.gg ,b.test", "wss://gateway.discord.gg", true),
        ("a.test b.test", "wss://b.test", false),
        ("", "wss://gateway.discord.gg", false),
        (",.,", "wss://gateway.discord.gg", false),
        ("discord.gg:443", "wss://gateway.discord.gg", true),
        ("discord.gg:80", "wss://gateway.discord.gg", false),
        ("discord.gg:x", "wss://gateway.discord.gg", false),
        ("10.1.2.3", "wss://10.1.2.3", true),
        ("10.1.2.3", "wss://10.1.2.4", false),
        ("10.0.0.0/8", "wss://10.1.2.3", true),
        ("10.0.0.0/8", "wss://11.1.2.3", false),
        ("10.1.2.3/32", "wss://10.1.2.3", true),
        ("0.0.0.0/0", "wss://11.1.2.3", true),
        ("0.0.0.0/0", "wss://[2001:db8::1]", false),
        ("10.0.0.0/33", "wss://10.1.2.3", false),
        ("2001:db8::/32", "wss://[2001:db8::1]", true),
        ("2001:db8::1", "wss://[2001:db8::1]", true),
        ("[2001:db8::1]:443", "wss://[2001:db8::1]", true),
        ("[2001:db8::1]:80", "wss://[2001:db8::1]", false),
        ("::/0", "wss://[2001:db8::1]", true),
        ("2.3", "wss://10.1.2.3", false),
    ];
    for (list, url, is_excepted) in table {
        for name in ["no_proxy", "NO_PROXY"] {
            let got = named(url, &[("https_proxy", "http://a"), (name, list)]);
            assert_eq!(got.is_none(), is_excepted, "{list:?} {url}");
        }
    }
}

#[test]
fn this_machine_is_never_reached_by_a_proxy_of_the_environment() {
    let here = ["localhost", "LOCALHOST", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]"];
    for host in here {
        let env = [("all_proxy", "http://a"), ("http_proxy", "http://a")];
        assert_eq!(named(&format!("ws://{host}:8080"), &env), None, "{host}");
    }
    let mapped = proxy_for_host(true, "::ffff:127.0.0.1", 443, |_| Some("http://a".into()));
    assert_eq!(mapped, Ok(None));
    assert!(named("ws://localhost.test", &[("all_proxy", "http://a")]).is_some());
}

#[test]
fn a_variable_that_is_no_proxy_is_an_error_only_where_it_counts() {
    let env = |name: &str| match name {
        "https_proxy" => Some("https://a".to_owned()),
        "no_proxy" => Some("b.test".to_owned()),
        _ => None,
    };
    assert_eq!(proxy_for_host(true, "a.test", 443, env), Err(ProxyError::SecureProxy));
    assert_eq!(proxy_for_host(true, "b.test", 443, env), Ok(None));
    assert_eq!(proxy_for_host(false, "a.test", 80, env), Ok(None));
}
