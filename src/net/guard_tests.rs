//! Addresses that people try.

use super::*;

fn url(text: &str) -> SourceUrl {
    SourceUrl::parse(text).unwrap().url
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn socket(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Whether a source at this address would be connected to.
async fn reached(guard: &Guard, host: &str) -> Result<Vec<SocketAddr>, Refused> {
    let url = url(&format!("rtsp://{host}/live"));
    let resolved = guard.resolve(url.clone()).await;
    assert_eq!(guard.admits(&url).is_ok(), resolved.is_ok(), "{host}: asked early and late");
    resolved.map(|pinned| pinned.addrs)
}

#[tokio::test]
async fn what_is_no_camera_is_refused_whatever_the_settings() {
    let everything = ["0.0.0.0/0", "::/0", "169.254.0.0/16", "fd00:ec2::/32"].map(net).to_vec();
    for guard in [Guard::default(), Guard::new(everything, true)] {
        for host in [
            "169.254.169.254",
            "169.254.1.1",
            "[fd00:ec2::254]",
            "[fd20:ce::254]",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "0.0.0.0",
            "0.1.2.3",
            "[::]",
            "224.0.0.1",
            "239.255.255.250",
            "255.255.255.255",
            "240.0.0.1",
            "[fe80::1]",
            "[febf::1]",
            "[fec0::1]",
            "[ff02::1]",
            // The same in other clothes.
            "[::ffff:169.254.169.254]",
            "[::ffff:a9fe:a9fe]",
            "[::169.254.169.254]",
            "[64:ff9b::169.254.169.254]",
            "[64:ff9b:1::a9fe:a9fe]",
            "[2002:a9fe:a9fe::]",
            "[::ffff:0.0.0.0]",
            "[::ffff:224.0.0.1]",
            "[2001:0:1:2:3:4:5601:5601]",
        ] {
            let refused = reached(&guard, host).await;
            assert!(matches!(refused, Err(Refused::Never { .. })), "{host}: {refused:?}");
        }
    }
}

#[tokio::test]
async fn without_networks_private_and_public_addresses_pass() {
    for host in ["192.168.1.64", "10.0.0.5", "172.16.0.9", "100.64.0.1", "203.0.113.7"] {
        let addrs = reached(&Guard::default(), host).await.unwrap();
        assert_eq!(addrs, [socket(&format!("{host}:554"))]);
    }
    assert!(reached(&Guard::default(), "[fd12:3456::7]").await.is_ok());
    assert!(reached(&Guard::default(), "[2001:db8::7]").await.is_ok());
    // What is pinned is the plain address.
    let mapped = reached(&Guard::default(), "[::ffff:10.0.0.5]").await.unwrap();
    assert_eq!(mapped, [socket("10.0.0.5:554")]);
}

#[tokio::test]
async fn with_networks_only_those_pass_in_any_spelling() {
    let guard = Guard::new(vec![net("192.168.1.0/24"), net("2001:db8::/64")], false);
    for host in ["192.168.1.64", "[::ffff:192.168.1.64]", "[2001:db8::7]"] {
        assert!(reached(&guard, host).await.is_ok(), "{host}");
    }
    for host in ["192.168.2.1", "10.0.0.5", "[2001:db8:1::7]", "[::ffff:10.0.0.5]"] {
        let refused = reached(&guard, host).await.unwrap_err();
        assert!(matches!(refused, Refused::Outside { .. }), "{host}: {refused}");
        assert!(refused.to_string().contains("--source-networks"), "{refused}");
    }
}

#[tokio::test]
async fn this_machine_passes_only_if_that_was_said() {
    let hosts = ["127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::127.0.0.1]"];
    let wide = Guard::new(vec![net("0.0.0.0/0"), net("::/0")], false);
    for guard in [Guard::default(), wide] {
        for host in hosts {
            let refused = reached(&guard, host).await.unwrap_err();
            assert!(matches!(refused, Refused::Loopback { .. }), "{host}: {refused}");
            assert!(refused.to_string().contains("--source-networks"), "{refused}");
        }
    }
    for host in hosts {
        assert!(reached(&Guard::new(Vec::new(), true), host).await.is_ok(), "{host}");
    }
    let named = Guard::new(vec![net("127.0.0.0/8"), net("10.0.0.0/8")], false);
    assert!(reached(&named, "127.0.0.1").await.is_ok());
    assert!(reached(&named, "10.0.0.5").await.is_ok());
    assert!(reached(&named, "[::1]").await.is_err());
}

#[tokio::test]
async fn a_name_is_judged_by_its_addresses_and_pinned_to_those_that_pass() {
    let local = url("rtsp://localhost:8554/live");
    assert!(Guard::default().admits(&local).is_ok(), "not looked up yet");
    let refused = Guard::default().resolve(local.clone()).await.unwrap_err();
    assert!(matches!(refused, Refused::Loopback { .. }), "{refused}");
    assert!(refused.to_string().starts_with("localhost ("), "{refused}");
    let pinned = Guard::new(Vec::new(), true).resolve(local).await.unwrap();
    assert_eq!(pinned.url.host, "localhost");
    assert!(pinned.addrs.iter().all(|addr| addr.ip().is_loopback() && addr.port() == 8554));

    // A name that answers with a good and a bad address leads to the good one alone.
    let two = [IpAddr::from([169, 254, 169, 254]), IpAddr::from([10, 0, 0, 5])];
    let pinned = Guard::default().pin(url("http://rebind.example/"), two).unwrap();
    assert_eq!(pinned.addrs, [socket("10.0.0.5:80")]);
    let many = (0..100).map(|n| IpAddr::from([10, 0, 0, n]));
    assert_eq!(Guard::default().pin(url("http://many.example/"), many).unwrap().addrs.len(), 8);
}

#[tokio::test]
async fn numbers_that_only_the_system_reads_as_addresses_are_judged_too() {
    // inet_aton's spellings of 127.0.0.1 and 169.254.169.254.
    for host in ["127.1", "0x7f.1", "2130706433", "0251.0376.0251.0376", "2852039166"] {
        for scheme in ["rtsp", "http"] {
            let refused = Guard::default().resolve(url(&format!("{scheme}://{host}/"))).await;
            assert!(refused.is_err(), "{scheme}://{host}: {refused:?}");
        }
    }
}

#[tokio::test]
async fn a_name_without_an_address_says_so() {
    let refused = Guard::default().resolve(url("rtsp://no-such-camera.invalid/")).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("no-such-camera.invalid cannot be looked up"), "{refused}");
}

#[tokio::test]
async fn redirects_go_through_the_same_and_stay_within_their_protocol() {
    let (guard, from) = (Guard::default(), url("http://10.0.0.5/video"));
    let followed = guard.redirect(&from, "/video2?token=hunter2").await.unwrap();
    assert_eq!(followed.to.addrs, [socket("10.0.0.5:80")]);
    assert_eq!(followed.to.url.path, "/video2?token=***");
    assert_eq!(followed.path.unwrap().reveal(), "/video2?token=hunter2");
    assert!(followed.to.url.same_peer(&from));
    let elsewhere = guard.redirect(&from, "https://10.0.0.6/video").await.unwrap();
    assert!(!elsewhere.to.url.same_peer(&from));

    for location in [
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "//127.0.0.1:6379/",
        "file:///etc/passwd",
        "rtsp://10.0.0.5/live",
        "gopher://10.0.0.5/",
    ] {
        assert!(guard.redirect(&from, location).await.is_err(), "{location}");
    }
    let tls = url("https://10.0.0.5/video");
    assert!(guard.redirect(&tls, "http://10.0.0.5/video").await.is_err(), "in the clear");
    assert!(guard.redirect(&tls, "https://10.0.0.5/other").await.is_ok());
    assert!(guard.redirect(&url("rtsp://10.0.0.5/a"), "rtsps://10.0.0.5/a").await.is_ok());
}
