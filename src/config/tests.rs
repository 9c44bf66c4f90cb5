//! Where values come from and what is said of bad ones.

use std::ffi::OsString;

use super::*;

/// Parses a command line under an environment and, written to `FILE`, a settings file.
fn load(args: &[&str], env: &[(&str, &str)], file: Option<&str>) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("framecast.toml");
    let mut said: Vec<OsString> = args.iter().map(Into::into).collect();
    if let Some(text) = file {
        std::fs::write(&path, text).unwrap();
        said.push("--config".into());
        said.push(path.clone().into());
    }
    let env = |name: &str| env.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into());
    let parsed = expand(&said, env).and_then(|mut layers| {
        layers.args.extend(said);
        Config::parse(&layers)
    });
    parsed.map_err(|error| error.to_string().replace(&path.display().to_string(), "FILE"))
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn the_defaults_are_those_of_the_relay_and_reach_no_other_machine() {
    let config = Config::default();
    assert_eq!(config.ingest_addr, addr("127.0.0.1:8080"));
    assert_eq!(config.view_addr, addr("127.0.0.1:8081"));
    assert_eq!(config.api_addr(), None);
    assert_eq!(config.max_fps, 30.0);
    let (limits, relay) = (config.limits(), relay::Limits::default());
    assert_eq!(format!("{limits:?}"), format!("{relay:?}"));
}

#[test]
fn a_flag_wins_over_the_environment_the_environment_over_the_file() {
    let file = Some("max-fps = 10\ncache_secs = 11\nlog = 'warn'\nmax-cameras = 12");
    let env = [
        ("FRAMECAST_MAX_FPS", "20"),
        ("FRAMECAST_CACHE_SECS", "21"),
        ("FRAMECAST_LOG", ""),
        ("FRAMECAST_REDIS_URL", ""),
    ];
    let config = load(&["--max-fps", "25"], &env, file).unwrap();
    assert_eq!(config.max_fps, 25.0, "flag");
    assert_eq!(config.cache_secs, 21, "environment");
    assert_eq!(config.log, "warn", "file, as an empty variable is none");
    assert_eq!(config.max_cameras, 12, "file");
    assert_eq!(config.max_frame_bytes, 4 << 20, "default");
}

#[test]
fn the_file_may_be_named_in_the_environment() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.toml");
    std::fs::write(&path, "workers = 3").unwrap();
    let config = load(&[], &[("FRAMECAST_CONFIG", path.to_str().unwrap())], None).unwrap();
    assert_eq!(config.workers.map(NonZeroUsize::get), Some(3));
}

#[test]
fn there_are_as_many_workers_as_asked_for_and_never_more_than_cores() {
    for (asked, cores, workers) in [(None, 4, 4), (Some("3"), 4, 3), (Some("9"), 4, 4)] {
        let flags: Vec<&str> = asked.map(|n| ["--workers", n]).into_iter().flatten().collect();
        let config = load(&flags, &[], None).unwrap();
        let cores = NonZeroUsize::new(cores).unwrap();
        assert_eq!(config.workers_on(cores).get(), workers, "{asked:?} on {cores}");
    }
}

#[test]
fn repeatable_settings_are_lists_and_a_layer_replaces_the_one_below() {
    let file = Some("allow-origin = ['https://a.example', 'https://b.example']");
    let config = load(&[], &[], file).unwrap();
    assert_eq!(config.allow_origins, ["https://a.example", "https://b.example"]);
    let env = [("FRAMECAST_ALLOW_ORIGIN", "https://c.example,http://d.example:81/")];
    let config = load(&[], &env, file).unwrap();
    assert_eq!(config.allow_origins, ["https://c.example", "http://d.example:81"]);
    let flags = ["--allow-origin", "https://e.example", "--allow-origin", "https://F.example"];
    let config = load(&flags, &env, file).unwrap();
    assert_eq!(config.allow_origins, ["https://e.example", "https://f.example"]);
}

#[test]
fn the_older_names_set_ports_on_the_default_host_below_our_own_names() {
    let old = [("WEBSOCKET_PORT", "9000"), ("STREAMING_PORT", "9001"), ("API_PORT", "9002")];
    let config = load(&[], &old, Some("view-addr = '0.0.0.0:1'")).unwrap();
    assert_eq!(config.ingest_addr, addr("127.0.0.1:9000"));
    assert_eq!(config.view_addr, addr("127.0.0.1:9001"), "environment over file");
    assert_eq!(config.api_addr(), Some(addr("127.0.0.1:9002")));
    let ours = [old[0], old[1], ("FRAMECAST_VIEW_ADDR", "0.0.0.0:7001"), ("API_PORT", "7002")];
    let config = load(&[], &ours, None).unwrap();
    assert_eq!(config.view_addr, addr("0.0.0.0:7001"));
    assert_eq!(config.api_addr(), Some(addr("0.0.0.0:7002")), "a bare port is on the view host");
    let redis = load(&[], &[("REDIS_URL", "redis://:secret@db:6379/1")], None).unwrap();
    let url = redis.redis_url.clone().unwrap();
    assert_eq!(url.reveal(), "redis://:secret@db:6379/1");
    assert!(!format!("{redis:?} {url}").contains("secret"));
}

#[test]
fn a_bad_older_value_is_an_error_that_names_it() {
    let error = load(&[], &[("WEBSOCKET_PORT", "eighty")], None).unwrap_err();
    assert!(error.contains("'eighty' for '--ingest-addr"), "{error}");
    assert!(error.contains("WEBSOCKET_PORT in the environment"), "{error}");
}

#[test]
fn an_api_address_can_be_taken_back() {
    let config = load(&["--api-addr", "off"], &[("API_PORT", "3001")], None).unwrap();
    assert_eq!(config.api_addr(), None);
    let config = load(&["--api-addr", "[::1]:9"], &[], None).unwrap();
    assert_eq!(config.api_addr(), Some(addr("[::1]:9")));
}

#[test]
fn networks_are_read_with_a_prefix_and_as_single_addresses() {
    let flags = ["--source-networks", "192.168.1.7/24,fd00::/8", "--manage-from", "10.0.0.5"];
    let config = load(&flags, &[], None).unwrap();
    let shown: Vec<_> = config.source_networks.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["192.168.1.0/24", "fd00::/8"]);
    assert_eq!(config.manage_from[0].to_string(), "10.0.0.5/32");
    for bad in ["lan", "192.168.1.0/33", "192.168.1", ""] {
        let error = load(&["--manage-from", bad], &[], None).unwrap_err();
        assert!(error.contains("such as 192.168.1.0/24") || bad.is_empty(), "{error}");
    }
}

#[test]
fn the_data_folder_is_where_the_system_keeps_such_things_unless_it_is_named() {
    let default = |env: &[(&str, &str)]| {
        DataDir::default_for(|name| {
            env.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into())
        })
    };
    let dir = |path: &str| Some(DataDir::Dir(path.into()));
    let home = ("HOME", "/home/a");
    assert_eq!(default(&[home]), dir("/home/a/.local/share/framecast"));
    assert_eq!(default(&[home, ("XDG_DATA_HOME", "/d")]), dir("/d/framecast"));
    assert_eq!(default(&[home, ("XDG_DATA_HOME", "d")]), dir("/home/a/.local/share/framecast"));
    assert_eq!(default(&[home, ("STATE_DIRECTORY", "/var/lib/f:/x")]), dir("/var/lib/f"));
    assert_eq!(default(&[]), None);
    let config = load(&["--data-dir", "here"], &[], None).unwrap();
    assert_eq!(config.data_dir, dir("here"));
    let config = load(&["--data-dir", "off"], &[], None).unwrap();
    assert_eq!((config.catalog_place(), config.data_dir), (None, Some(DataDir::Off)));
}

#[test]
fn sizes_are_read_with_and_without_a_unit() {
    for (text, bytes) in
        [("67108864", 64 << 20), ("64MiB", 64 << 20), ("64M", 64 << 20), ("64 mb", 64_000_000)]
    {
        let config = load(&["--cache-bytes", text], &[], None).unwrap();
        assert_eq!(config.cache_bytes, bytes, "{text}");
    }
}

#[test]
fn every_bad_value_is_refused_with_the_flag_the_value_and_what_to_do() {
    for (flag, value, advice) in [
        ("--ingest-addr", "nowhere", "IP:PORT"),
        ("--view-addr", "1.2.3.4:99999", "IP:PORT"),
        ("--api-addr", "http://x", "or off"),
        ("--redis-url", "localhost:6379", "redis://HOST:PORT"),
        ("--redis-format", "hex", "base64, raw"),
        ("--cache-secs", "-1", "0 to 3600"),
        ("--cache-secs", "4000", "0 to 3600"),
        ("--cache-bytes", "64 bananas", "64MiB"),
        ("--cache-total-bytes", "0", "64MiB"),
        ("--max-fps", "0", "0.1 to 240"),
        ("--max-fps", "NaN", "0.1 to 240"),
        ("--max-frame-bytes", "1G", "1KiB to 64MiB"),
        ("--max-pixels", "0", "1 to 4294836225"),
        ("--media-cpu", "half", "1 to 100"),
        ("--max-cameras", "many", "1 to 100000"),
        ("--ice-candidate", "203.0.113.7", "HOST:PORT"),
        ("--allow-origin", "example.org", "https://"),
        ("--allow-origin", "https://example.org/page", "https://"),
        ("--log", "inof", "error, warn, info"),
        ("--log-format", "xml", "text, json"),
        ("--workers", "0", "1 to 1024"),
    ] {
        let arg = format!("{flag}={value}");
        let error = load(&[&arg], &[], None).unwrap_err();
        for part in [flag, value, advice] {
            assert!(error.contains(part), "{arg}: {error}");
        }
        let variable = env_name(flag.trim_start_matches("--"));
        let error = load(&[], &[(&variable, value)], None).unwrap_err();
        assert!(error.contains(&format!("comes from {variable} in")), "{arg}: {error}");
    }
}

#[test]
fn a_bad_redis_url_is_refused_without_its_password_from_wherever_it_comes() {
    for url in [
        "http://cam:hunter2@db:6379/1",
        "redis:/cam:hunter2@db",
        "redis//:hunter2@db",
        "cam:hunter2@db:6379",
        ":hunter2",
        "cam:hunter2/1",
        "redis:hunter2%40db",
        "db:6379?password=hunter2",
    ] {
        let file = format!("redis-url = '{url}'");
        for error in [
            load(&["--redis-url", url], &[], None).unwrap_err(),
            load(&[&format!("--redis-url={url}")], &[], None).unwrap_err(),
            load(&[], &[("FRAMECAST_REDIS_URL", url)], None).unwrap_err(),
            load(&[], &[("REDIS_URL", url)], None).unwrap_err(),
            load(&[], &[], Some(&file)).unwrap_err(),
        ] {
            assert!(error.contains("'***' for '--redis-url"), "{url}: {error}");
            assert!(error.contains("use redis://HOST:PORT"), "{url}: {error}");
            assert!(!error.contains("hunter2"), "{url}: {error}");
        }
    }
    for harmless in ["localhost:6379/0", "db", "http://db:6379", "redis://"] {
        let error = load(&["--redis-url", harmless], &[], None).unwrap_err();
        assert!(error.contains(&format!("'{harmless}' for '--redis-url")), "{error}");
    }
    let broken = "max-fps = 5\nredis-url = 'redis://:hunter2@db";
    let error = load(&[], &[], Some(broken)).unwrap_err();
    assert!(error.contains("not TOML") && error.contains("line 2"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[test]
fn one_port_cannot_serve_two_purposes() {
    for args in [
        &["--view-addr", "127.0.0.1:8080"][..],
        &["--view-addr", "0.0.0.0:8080"],
        &["--api-addr", "8081"],
    ] {
        let error = load(args, &[], None).unwrap_err();
        assert!(error.contains("both ask for port") && error.contains(args[0]), "{error}");
    }
    assert!(load(&["--view-addr", "127.0.0.1:0", "--ingest-addr", "0"], &[], None).is_ok());
    assert!(load(&["--view-addr", "127.0.0.2:8080"], &[], None).is_ok());
}

#[test]
fn a_cache_that_cannot_hold_a_frame_is_refused() {
    let error = load(&["--cache-total-bytes", "1MiB"], &[], None).unwrap_err();
    assert!(error.contains("--max-frame-bytes"), "{error}");
}

#[test]
fn errors_of_the_file_name_the_file_and_the_key() {
    for (text, parts) in [
        ("veiw-addr = '1'", &["FILE", "no setting veiw-addr", "did you mean view-addr?"][..]),
        ("max_fps = 'fast'", &["'fast' for '--max-fps", "max-fps in FILE"]),
        ("max-fps = [1, 2]", &["FILE", "max-fps must be a text or a number"]),
        ("allow-origin = [{}]", &["FILE", "or a list of them"]),
        ("config = 'other.toml'", &["FILE", "no setting config"]),
        ("max-fps = 1\nmax_fps = 2", &["FILE", "is there twice"]),
        ("max-fps = ", &["FILE", "not TOML", "line 1"]),
    ] {
        let error = load(&[], &[], Some(text)).unwrap_err();
        for part in parts {
            assert!(error.contains(part), "{text}: {error}");
        }
    }
    let error = load(&["--config", "/nonexistent.toml"], &[], None).unwrap_err();
    assert!(error.contains("cannot read the --config file /nonexistent.toml"), "{error}");
}

/// The rows of `docs/configuration.md`, from the flags themselves.
fn documented() -> String {
    let command = Config::augment_args(clap::Command::new("framecast"));
    let mut rows = String::from("| flag | environment | default | |\n|---|---|---|---|\n");
    for arg in command.get_arguments() {
        let Some(name) = arg.get_long() else { continue };
        let value = arg.get_value_names().and_then(|names| names.first());
        let value = value.map(|name| format!(" {name}")).unwrap_or_default();
        let default = arg.get_default_values().first().and_then(|value| value.to_str());
        let default = default.map(|value| format!("`{value}`")).unwrap_or_default();
        let mut help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let choices = arg.get_possible_values();
        if !choices.is_empty() {
            let choices: Vec<_> = choices.iter().map(|choice| choice.get_name()).collect();
            help += &format!(": {}", choices.join(" or "));
        }
        rows += &format!("| `--{name}{value}` | `{}` | {default} | {help} |\n", env_name(name));
    }
    rows
}

#[test]
fn the_documentation_lists_every_setting_as_it_is() {
    let page = include_str!("../../docs/configuration.md");
    let table = page.split("<!-- settings -->\n").nth(1);
    let table = table.and_then(|rest| rest.split("<!-- end -->").next()).unwrap_or_default();
    let expected = documented();
    assert!(table == expected, "put this into docs/configuration.md:\n{expected}");
    for (old, flag) in OLD_NAMES {
        assert!(page.contains(&format!("| `{old}` | `--{flag}` |")), "{old}");
    }
}
