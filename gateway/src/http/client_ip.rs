//! The client's IP address: that of the connection or, behind trusted proxies, the one that they name. It is used for
//! rate limits only, and is never logged, measured or published.

use axum::http::HeaderMap;
use ipnet::{IpNet, Ipv6Net};
use std::net::{IpAddr, SocketAddr};

/// Each proxy adds the address that it was called from at the end.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// What one customer of a provider usually has, of IPv6.
const HOUSEHOLD: u8 = 64;

/// The networks of trusted proxies.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Networks in CIDR notation, or single addresses, separated by commas.
    ///
    /// # Errors
    /// When something else is among them.
    pub fn parse(list: &str) -> Result<Self, String> {
        let named = list.split(',').map(str::trim).filter(|proxy| !proxy.is_empty());
        named.map(network).collect::<Result<_, _>>().map(Self)
    }

    /// The client's address. A header of a peer that is no trusted proxy is ignored.
    pub(crate) fn client_ip(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let lines = headers.get_all(FORWARDED_FOR).iter().rev();
        let mut named = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
        let mut nearest = peer.to_canonical();
        while self.trusts(nearest) {
            match named.next().and_then(address) {
                Some(before) => nearest = before.to_canonical(),
                // A request of the proxy itself, or of a client behind it that it does not name.
                None => break,
            }
        }
        nearest
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// What one rate limit counts together: an IPv4 address, or the IPv6 network of a household.
pub(crate) fn rate_limit_key(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => Ipv6Net::new(v6, HOUSEHOLD).map_or(address, |network| IpAddr::V6(network.network())),
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let single = || text.parse().map(|address: IpAddr| IpNet::from(address.to_canonical()));
    text.parse().or_else(|_| single()).map_err(|_| format!("{text} is no network; one looks like 10.0.0.0/8"))
}

/// Some proxies write the port too.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    text.parse().ok().or_else(|| text.parse().map(|socket: SocketAddr| socket.ip()).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const PROXY: &str = "10.0.0.1";

    fn client_ip(peer: &str, lines: &[&[u8]]) -> String {
        let proxies = Proxies::parse("10.0.0.0/8, 192.168.7.7, fd00::/8").expect("networks");
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line).expect("a header"));
        }
        proxies.client_ip(peer.parse().expect("an address"), &headers).to_string()
    }

    #[test]
    fn trusted_proxies_are_followed_from_the_nearest_on_and_no_other_peer_is() {
        for (case, peer, lines, expected) in [
            ("no proxy", "203.0.113.1", &[][..], "203.0.113.1"),
            ("a stranger who claims to be somebody", "203.0.113.1", &[b"198.51.100.1" as &[u8]], "203.0.113.1"),
            ("a stranger who claims to be a proxy", "203.0.113.1", &[b"10.0.0.9"], "203.0.113.1"),
            ("a proxy", PROXY, &[b"198.51.100.1"], "198.51.100.1"),
            ("a proxy, after what its caller made up", PROXY, &[b"1.1.1.1, 198.51.100.1"], "198.51.100.1"),
            ("the same in a line of its own", PROXY, &[b"1.1.1.1", b"198.51.100.1"], "198.51.100.1"),
            ("two proxies", PROXY, &[b"198.51.100.1, 192.168.7.7"], "198.51.100.1"),
            ("two proxies and lines", PROXY, &[b"1.1.1.1, 198.51.100.1", b"10.2.2.2,192.168.7.7"], "198.51.100.1"),
            ("a stranger between two proxies", PROXY, &[b"10.9.9.9, 198.51.100.1, 10.2.2.2"], "198.51.100.1"),
            ("only proxies", PROXY, &[b"10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            ("a proxy that asks by itself", PROXY, &[], PROXY),
            ("a port", PROXY, &[b"198.51.100.1:4711"], "198.51.100.1"),
            ("IPv6", "fd00::1", &[b"2001:db8::1"], "2001:db8::1"),
            ("IPv6 with a port", "fd00::1", &[b"[2001:db8::1]:4711"], "2001:db8::1"),
            ("IPv4 in IPv6", "::ffff:10.0.0.1", &[b"::ffff:198.51.100.1"], "198.51.100.1"),
            ("no address", PROXY, &[b"unknown"], PROXY),
            ("no address before one", PROXY, &[b"' or 1=1, 198.51.100.1"], "198.51.100.1"),
            ("no address before a proxy", PROXY, &[b"nonsense, 10.0.0.2"], "10.0.0.2"),
            ("nothing", PROXY, &[b""], PROXY),
            ("commas", PROXY, &[b",,,"], PROXY),
            ("no text", PROXY, &[b"\xff\xfe"], PROXY),
        ] {
            assert_eq!(client_ip(peer, lines), expected, "{case}");
        }
    }

    #[test]
    fn networks_are_read_and_nonsense_is_refused() {
        assert!(Proxies::parse("").expect("none").0.is_empty());
        assert_eq!(Proxies::parse("10.0.0.0/8, ::1").expect("two").0.len(), 2);
        for wrong in ["10.0.0.0/33", "proxy.example", "10.0.0"] {
            assert!(Proxies::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_household_is_limited_as_one() {
        let limited = |text: &str| rate_limit_key(text.parse().expect("an address"));
        assert_eq!(limited("2001:db8::1"), limited("2001:db8::ffff:1"));
        assert_ne!(limited("2001:db8::1"), limited("2001:db8:0:1::1"));
        assert_ne!(limited("198.51.100.1"), limited("198.51.100.2"));
    }
}
