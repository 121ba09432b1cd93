//! The client's address: the peer's, unless the peer is a proxy that the operator trusts.

use crate::settings::Settings;
use actix_web::HttpRequest;
use actix_web::http::header::X_FORWARDED_FOR;
use std::net::{IpAddr, Ipv6Addr};

/// The address under which a sign-in is counted: IPv4 as it is, IPv6 by its /64, because a household has that many.
pub(crate) fn client_address(request: &HttpRequest, settings: &Settings) -> String {
    let Some(peer) = request.peer_addr().map(|peer| canonical(peer.ip())) else { return "unknown".to_owned() };
    let trusted = |address: IpAddr| settings.http.trusted_proxies.iter().any(|proxy| proxy.contains(&address));
    let forwarded = request.headers().get_all(X_FORWARDED_FOR).filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let entries: Vec<&str> = forwarded.map(str::trim).collect();
    counted(original(peer, &entries, trusted))
}

/// The right-most entry that no trusted proxy wrote: everything to the left of it could have been sent by anybody.
fn original(peer: IpAddr, entries: &[&str], trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
    let mut address = peer;
    for entry in entries.iter().rev() {
        if !trusted(address) {
            break;
        }
        let Some(next) = parse(entry) else { break };
        address = next;
    }
    address
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`.
fn parse(entry: &str) -> Option<IpAddr> {
    let bare = entry.trim_matches('"');
    let address = bare.parse().ok().or_else(|| bare.parse::<std::net::SocketAddr>().ok().map(|address| address.ip()));
    address.or_else(|| bare.strip_prefix('[')?.strip_suffix(']')?.parse().ok()).map(canonical)
}

/// An IPv4 address that arrived over an IPv6 socket is the IPv4 address.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn counted(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_trusted_proxy_wrote_is_believed() {
        let proxy: IpAddr = "10.0.0.1".parse().unwrap();
        let stranger: IpAddr = "203.0.113.9".parse().unwrap();
        let trusted = |address: IpAddr| address.to_string().starts_with("10.");
        let cases: [(IpAddr, &[&str], &str); 6] = [
            (stranger, &["198.51.100.7"], "203.0.113.9"),
            (proxy, &["198.51.100.7"], "198.51.100.7"),
            (proxy, &["1.2.3.4", "198.51.100.7"], "198.51.100.7"),
            (proxy, &["198.51.100.7", "10.0.0.2"], "198.51.100.7"),
            (proxy, &["rubbish"], "10.0.0.1"),
            (proxy, &[], "10.0.0.1"),
        ];
        for (peer, entries, expected) in cases {
            assert_eq!(original(peer, entries, trusted).to_string(), expected, "{entries:?}");
        }
    }

    #[test]
    fn an_ipv6_address_counts_by_its_64() {
        assert_eq!(counted("2001:db8:1:2:3:4:5:6".parse().unwrap()), "2001:db8:1:2::/64");
        assert_eq!(counted(parse("[2001:db8::1]:443").unwrap()), "2001:db8::/64");
        assert_eq!(counted(parse("::ffff:192.0.2.1").unwrap()), "192.0.2.1");
    }
}
