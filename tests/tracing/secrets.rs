//! The bot's token and a proxy's password are nowhere: not in what is told at TRACE level (by this
//! library or one that it uses), in `Debug` or `Display` of a public value, in an error, a panic of
//! a handler, a metric, the book, or the gateway's ledger.

use std::fmt::{Debug, Display, Write as _};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use replay_gateway::{
    Action, Certificate, Fault, GatewayHandle, HttpAnswer, HttpFault, Injection, LedgerTo, Target,
    TlsConfig, When,
};
use shardring::sans_io::shard::budget::{Budget, MemoryLedger};
use shardring::{
    Book, BudgetSettings, ConfigBuilder, Context, Discovery, Engine, ErrorKind, Event, Handler,
    Link, Panicked, Proxy, Roots, Stop, Token,
};

use crate::collector::Watch;
use crate::harness::{TOKEN, config, gateway};

const PASSWORD: &str = "pass.word.of.the.proxy";
/// What must not be found: the token's secret parts, the password, and the two of the proxy as HTTP
/// sends them.
const SECRETS: [&str; 3] =
    ["secret-of-the-tests", PASSWORD, "Ym90OnBhc3Mud29yZC5vZi50aGUucHJveHk="];

/// All that can be shown of a run.
#[derive(Clone, Default)]
struct Hunt(Arc<Mutex<String>>);

impl Hunt {
    fn add(&self, text: impl Display) {
        writeln!(self.0.lock().unwrap(), "{text}").unwrap();
    }

    fn debug(&self, value: &dyn Debug) {
        self.add(format_args!("{value:?}\n{value:#?}"));
    }

    /// An error, a warning, and whatever else is shown both ways.
    fn both(&self, value: &(impl Debug + Display)) {
        self.debug(value);
        self.add(value);
    }

    fn file(&self, path: &Path) {
        let bytes = std::fs::read(path).unwrap();
        assert!(!bytes.is_empty(), "{path:?}");
        self.add(String::from_utf8_lossy(&bytes));
    }

    /// Each of these was shown, so that the hunt is one; and no secret was.
    #[track_caller]
    fn assert_clean(&self, watch: &Watch, shown: &[&str]) {
        let text = format!("{}\n{}", self.0.lock().unwrap(), watch.text());
        for part in shown {
            assert!(text.contains(part), "{part} is not shown:\n{text}");
        }
        for secret in SECRETS {
            let line = text.lines().find(|line| line.contains(secret));
            assert!(line.is_none(), "a secret is shown: {line:?}");
        }
    }
}

fn token() -> Token {
    Token::new(TOKEN).unwrap()
}

/// Waits for something that must come about.
#[track_caller]
fn until(what: &str, done: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < end, "{what} never came about");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A server that answers each connection with these bytes, once it has been spoken to.
fn server(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // A client that goes away is its own affair.
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(answer);
        }
    });
    address
}

/// Proxies that refuse whoever comes, named with a user and a password.
fn refusing_proxies() -> [String; 2] {
    let http = server(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
    let socks = server(&[5, 0xff]);
    [format!("http://bot:{PASSWORD}@{http}"), format!("socks5h://bot:{PASSWORD}@{socks}")]
}

fn base(scheme: &str, gateway: &GatewayHandle) -> String {
    format!("{scheme}://{}/api/v10", gateway.addr())
}

#[test]
fn discovery_in_all_its_troubles_tells_no_secret() {
    let (watch, hunt) = (Watch::begin(), Hunt::default());
    let mut troubled = gateway(1);
    for answer in [
        HttpAnswer::Status(503),
        HttpAnswer::RateLimited { retry_after_ms: 50, global: false },
        HttpAnswer::Malformed,
        HttpAnswer::Reset,
    ] {
        troubled = troubled.http_fault(HttpFault::gateway_bot(Some(1), answer));
    }
    let troubled = troubled.spawn().unwrap();
    let asked = Discovery::new(token()).rest_base(base("http", &troubled));
    hunt.debug(&asked);
    let info = asked.fetch_telling(|retry| {
        hunt.debug(&retry);
        hunt.add(&retry.trouble);
    });
    hunt.debug(&info.unwrap());

    let strange = gateway(1).token("another.token.altogether").spawn().unwrap();
    let secure = gateway(1).tls(TlsConfig::default()).spawn().unwrap();
    let ask = |base: String| Discovery::new(token()).rest_base(base).within(Duration::from_secs(2));
    let mut failing = vec![
        (ask(base("http", &strange)), ErrorKind::Token),
        (ask(base("https", &secure)).roots(Roots::mozilla()), ErrorKind::Discovery),
        (ask(format!("http://bot:{PASSWORD}@127.0.0.1/api")), ErrorKind::Config),
        (ask(base("http", &strange)).proxy(format!("bot:{PASSWORD}")), ErrorKind::Discovery),
        (ask(base("http", &strange)).proxy(format!("%:{PASSWORD}@")), ErrorKind::Config),
    ];
    for proxy in refusing_proxies() {
        failing.push((ask(base("http", &troubled)).proxy(proxy), ErrorKind::Discovery));
    }
    for (discovery, kind) in failing {
        hunt.debug(&discovery);
        let error = discovery.fetch().unwrap_err();
        hunt.both(&error);
        assert_eq!(error.kind(), kind, "{error}");
    }
    // The client's own words were heard: it logs by the crate `log`.
    hunt.assert_clean(&watch, &["ureq", "503", "401", "407", "(set)"]);
}

#[test]
fn settings_good_and_bad_show_no_secret() {
    let (watch, hunt) = (Watch::begin(), Hunt::default());
    let with_password = |scheme: &str| format!("{scheme}://bot:{PASSWORD}@127.0.0.1:9/api");
    let good = config(1, "ws://127.0.0.1:9");
    let proxy = Proxy::parse(&format!("http://bot:{PASSWORD}@proxy.invalid:3128")).unwrap();
    hunt.both(&proxy);
    let builders = [
        good.clone().proxy(proxy.clone()).roots(Roots::mozilla()).book("some.book"),
        good.clone().rest_base(with_password("http")).discovery(true),
        good.clone().gateway_url(with_password("ws")),
        good.clone().linger(Duration::from_secs(9)),
    ];
    for builder in builders {
        hunt.debug(&builder);
        match builder.build() {
            Ok(config) => hunt.debug(&config),
            Err(error) => hunt.both(&error),
        }
    }
    for proxy in ["ftp://bot:#@h", "https://bot:#@h", "http://bot:#@h:0", "http://b%ot:#@", "#"] {
        match Proxy::parse(&proxy.replace('#', PASSWORD)) {
            // Without an @ it is a host's name, and no secret.
            Ok(proxy) => assert!(!proxy.has_credentials()),
            Err(error) => hunt.both(&error),
        }
    }
    for text in [format!("{TOKEN}\n"), format!("{TOKEN} {TOKEN}"), TOKEN.repeat(100)] {
        match Token::new(&text) {
            Ok(token) => hunt.both(&token),
            Err(error) => hunt.both(&shardring::Error::from(error)),
        }
    }
    hunt.both(&token());
    hunt.debug(&Budget::new(
        BudgetSettings::default(),
        Arc::new(MemoryLedger::new()),
        None,
        shardring::sans_io::clock::Time::ZERO,
    ));
    hunt.assert_clean(&watch, &["linger", "proxy.invalid", "some.book", "Budget"]);
}

/// A handler that shows what it is given, but for the events, and panics by one that holds the
/// token.
struct Panicking(Hunt);

impl Handler for Panicking {
    fn on_event(&mut self, cx: &mut Context<'_>, event: Event<'_>) {
        self.0.debug(cx);
        assert!(event.name() != "MESSAGE_CREATE", "the handler says {event:?} and {TOKEN}");
    }

    fn on_link(&mut self, cx: &mut Context<'_>, link: Link<'_>) {
        self.0.debug(cx);
        self.0.debug(&link);
        if let Link::Disconnected { cause, wire } = link {
            self.0.both(&cause);
            if let Some(wire) = wire {
                self.0.both(&wire);
            }
        }
        if let Link::Refused { refusal } = link {
            self.0.both(&refusal);
        }
        if let Link::Ready { .. } = link {
            cx.spawn(async { panic!("a task says {TOKEN}") });
        }
    }

    fn on_restart(&mut self, cause: &Panicked) {
        self.0.debug(cause);
    }
}

/// What a handler's own panic says on standard error is its own affair, and not shown here.
fn hush_the_cores() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let of_core = std::thread::current().name().is_some_and(|it| it.starts_with("shardr"));
            if !of_core {
                usual(panic);
            }
        }));
    });
}

fn scratch(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = path.join(format!("secrets-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    path
}

fn start(hunt: &Hunt, config: ConfigBuilder) -> Engine {
    hunt.debug(&config);
    let config = config.build().unwrap();
    hunt.debug(&config);
    let handlers = hunt.clone();
    let engine = Engine::start(config, move |_| Ok(Panicking(handlers.clone()))).unwrap();
    hunt.debug(&engine);
    hunt.debug(&engine.handle());
    hunt.both(&engine.forecast());
    engine
}

/// Everything that a handle can be asked for.
fn ask(hunt: &Hunt, engine: &Engine) {
    let handle = engine.handle();
    hunt.debug(&handle.ready());
    hunt.debug(&handle.failure());
    for error in handle.errors() {
        hunt.both(&error);
        hunt.debug(&(error.kind(), error.fault()));
    }
    handle.warnings().iter().for_each(|warning| hunt.both(warning));
    let metrics = handle.metrics().wait().unwrap();
    hunt.debug(&metrics);
    hunt.add(metrics.render_openmetrics());
}

#[test]
fn a_run_with_panics_a_book_and_a_gateway_that_repeats_the_token_tells_no_secret() {
    hush_the_cores();
    let (watch, hunt) = (Watch::begin(), Hunt::default());
    let (book, ledger) = (scratch("book"), scratch("ledger"));
    let close = |code| Action::Close { code, reason: TOKEN.into() };
    let fault = |at, action, nth| Fault::new(at, action).shard(0).connection(nth);
    let gateway = gateway(2)
        .recommended_shards(1)
        .ledger(LedgerTo::File(ledger.clone()))
        .fault(fault(When::Ready, close(4000), 1))
        .fault(fault(When::Ready, Action::Inject(Injection::Text(TOKEN.into())), 2))
        .fault(fault(When::Ready, Action::Inject(Injection::Masked), 2))
        .spawn()
        .unwrap();
    let mut budget = BudgetSettings::default();
    (budget.total, budget.reserve) = (Some(3), Some(1));
    let config = config(2, &gateway.url()).rest_base(base("http", &gateway));
    let engine = start(&hunt, config.book(&book).budget(budget).cores(1));
    engine.handle().ready().wait().unwrap();
    until("two resumes", || gateway.stats().resumed >= 2);
    gateway.act(Target::Shard(0), close(4004));
    let raised = |kind| {
        let errors = engine.handle().errors();
        errors.iter().any(|error| error.kind() == kind && error.to_string().contains("shard"))
    };
    until("the refusal", || raised(ErrorKind::Refused));
    // Three panics within ten seconds end the events of the core.
    let message = format!(r#"{{"id":"1","channel_id":"2","content":"{TOKEN}"}}"#);
    (0..3).for_each(|_| gateway.dispatch(Target::Shard(1), "MESSAGE_CREATE", &message));
    until("three panics", || raised(ErrorKind::HandlerPanicked));
    hunt.debug(&Book::open(&book, &token()).unwrap());
    let wrong = Book::open(&book, &Token::new("OTk5.secret-of-the-tests.x").unwrap()).unwrap_err();
    hunt.both(&wrong);
    ask(&hunt, &engine);
    let handle = engine.handle();
    if let Err(error) = engine.stop(Stop::EndSessions) {
        hunt.both(&error);
    }
    hunt.both(&handle.send(0, shardring::command::Command::raw(3, "{}")).wait().unwrap_err());
    hunt.debug(&gateway);
    hunt.debug(&gateway.stop().unwrap());
    [&book, &ledger].into_iter().for_each(|path| hunt.file(path));
    let shown = ["MaskedFrame", "Panicked {", "# EOF", "session starts", "4004"];
    hunt.assert_clean(&watch, &shown);
    [book, ledger].iter().for_each(|path| std::fs::remove_file(path).unwrap());
}

#[test]
fn tls_that_fails_and_proxies_that_refuse_tell_no_secret() {
    let (watch, hunt) = (Watch::begin(), Hunt::default());
    let tls = TlsConfig { certificate: Certificate::Expired, ..TlsConfig::default() };
    let secure = gateway(1).tls(tls).spawn().unwrap();
    let roots = Roots::only_pem(secure.ca_pem().unwrap()).unwrap();
    hunt.debug(&roots);
    let plain = gateway(1).spawn().unwrap();
    let mut runs = vec![config(1, &secure.url()).roots(roots)];
    for proxy in refusing_proxies() {
        let proxy = Proxy::parse(&proxy).unwrap();
        runs.push(config(1, &plain.url()).proxy(proxy));
    }
    for config in runs {
        let before = watch.of("disconnected").len();
        let engine = start(&hunt, config);
        until("a refusal", || watch.of("disconnected").len() > before);
        ask(&hunt, &engine);
        engine.stop(Stop::EndSessions).unwrap();
    }
    assert_eq!(plain.stats().connections, 0);
    hunt.assert_clean(&watch, &["TlsExpired", "ProxyAuth", "the proxy wants"]);
}
