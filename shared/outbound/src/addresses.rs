//! Which IP addresses a webhook may be sent to: the public ones, and no others.
//!
//! The tables are the complete IANA special-purpose registries (IPv4: RFC 6890 and later, IPv6 likewise), with
//! multicast. Entries that IANA calls globally reachable (AS112, AMT, anycast for NAT traversal) are in them
//! too: no receiver lives there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Blocks of IPv4 that are not public: network and prefix length in bits.
const SPECIAL_V4: &[(Ipv4Addr, u32)] = &[
    (Ipv4Addr::UNSPECIFIED, 8),           // this network
    (Ipv4Addr::new(10, 0, 0, 0), 8),      // private
    (Ipv4Addr::new(100, 64, 0, 0), 10),   // shared by carriers
    (Ipv4Addr::new(127, 0, 0, 0), 8),     // loopback
    (Ipv4Addr::new(169, 254, 0, 0), 16),  // link-local; AWS metadata and credentials
    (Ipv4Addr::new(172, 16, 0, 0), 12),   // private
    (Ipv4Addr::new(192, 0, 0, 0), 24),    // IETF protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24),    // documentation
    (Ipv4Addr::new(192, 31, 196, 0), 24), // AS112
    (Ipv4Addr::new(192, 52, 193, 0), 24), // AMT
    (Ipv4Addr::new(192, 88, 99, 0), 24),  // 6to4 relays
    (Ipv4Addr::new(192, 168, 0, 0), 16),  // private
    (Ipv4Addr::new(192, 175, 48, 0), 24), // AS112
    (Ipv4Addr::new(198, 18, 0, 0), 15),   // benchmarking
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24),  // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4),     // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4),     // reserved, and broadcast
];

/// The only block of IPv6 from which public addresses are given. Outside it lie unspecified, loopback,
/// mapped and compatible IPv4, both NAT64 blocks, discard and dummy, segment routing, unique local, link-local,
/// site-local and multicast.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Blocks within [`GLOBAL_V6`] that are not public.
const SPECIAL_V6: &[(Ipv6Addr, u32)] = &[
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // IETF protocol assignments: Teredo, ORCHID, AMT, …
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48), // AS112
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20), // documentation
];

/// Whether a receiver out in the public internet can have this address.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let shares = |network: Ipv4Addr| (address.to_bits() ^ network.to_bits()).leading_zeros();
    !SPECIAL_V4.iter().any(|(network, bits)| shares(*network) >= *bits)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let shares = |network: Ipv6Addr| (address.to_bits() ^ network.to_bits()).leading_zeros();
    let (global, bits) = GLOBAL_V6;
    shares(global) >= bits
        && !SPECIAL_V6.iter().any(|(network, bits)| shares(*network) >= *bits)
        && !is_isatap(address)
}

/// ISATAP (RFC 5214): any prefix at all, then `[02]00:5efe` and an IPv4 address, to which it is tunnelled.
fn is_isatap(address: Ipv6Addr) -> bool {
    let [_, _, _, _, group, marker, _, _] = address.segments();
    marker == 0x5efe && (group & 0xfdff) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(addresses: &[&str], public: bool) {
        for address in addresses {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
        }
    }

    #[test]
    fn every_special_ipv4_range_is_refused_to_its_edges() {
        check(
            &[
                "0.0.0.0",
                "0.255.255.255",
                "10.0.0.0",
                "10.255.255.255",
                "100.64.0.0",
                "100.127.255.255",
                "127.0.0.1",
                "127.255.255.255",
                "169.254.0.0",
                "169.254.169.254",
                "169.254.170.2",
                "169.254.255.255",
                "172.16.0.0",
                "172.31.255.255",
                "192.0.0.0",
                "192.0.0.8",
                "192.0.0.9",
                "192.0.0.10",
                "192.0.0.170",
                "192.0.0.171",
                "192.0.0.255",
                "192.0.2.0",
                "192.0.2.255",
                "192.31.196.1",
                "192.52.193.1",
                "192.88.99.1",
                "192.88.99.2",
                "192.168.0.0",
                "192.168.255.255",
                "192.175.48.1",
                "198.18.0.0",
                "198.19.255.255",
                "198.51.100.7",
                "203.0.113.7",
                "224.0.0.1",
                "239.255.255.255",
                "240.0.0.1",
                "255.255.255.254",
                "255.255.255.255",
            ],
            false,
        );
    }

    #[test]
    fn the_ipv4_neighbours_of_special_ranges_are_public() {
        check(
            &[
                "1.0.0.0",
                "9.255.255.255",
                "11.0.0.0",
                "100.63.255.255",
                "100.128.0.0",
                "126.255.255.255",
                "128.0.0.0",
                "169.253.255.255",
                "169.255.0.0",
                "172.15.255.255",
                "172.32.0.0",
                "191.255.255.255",
                "192.0.1.0",
                "192.0.3.0",
                "192.31.195.255",
                "192.31.197.0",
                "192.52.192.255",
                "192.52.194.0",
                "192.88.98.255",
                "192.88.100.0",
                "192.167.255.255",
                "192.169.0.0",
                "192.175.47.255",
                "192.175.49.0",
                "198.17.255.255",
                "198.20.0.0",
                "198.51.99.255",
                "198.51.101.0",
                "203.0.112.255",
                "203.0.114.0",
                "223.255.255.255",
                "8.8.8.8",
                "93.184.216.34",
            ],
            true,
        );
    }

    #[test]
    fn every_special_ipv6_range_is_refused_to_its_edges() {
        check(
            &[
                "::",
                "::1",
                "100::",
                "100::ffff:ffff:ffff:ffff",
                "100:0:0:1::1",
                "5f00::1",
                "5f00:ffff::",
                "2001::",
                "2001:1::1",
                "2001:1::2",
                "2001:1::3",
                "2001:2::1",
                "2001:2:0:ffff::",
                "2001:3::1",
                "2001:4:112::1",
                "2001:10::1",
                "2001:20::1",
                "2001:2f:ffff::",
                "2001:30::1",
                "2001:3f:ffff::",
                "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
                "2001:db8::1",
                "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                "2002::",
                "2002:ffff:ffff::1",
                "2620:4f:8000::1",
                "2620:4f:8000:ffff:ffff:ffff:ffff:ffff",
                "3fff::1",
                "3fff:fff:ffff::",
                "fc00::1",
                "fd00:ec2::254",
                "fdff:ffff::1",
                "fe80::1",
                "febf::1",
                "fec0::1",
                "ff02::1",
                "ff0e::1",
                "4000::1",
                "1fff:ffff::1",
                "8000::1",
            ],
            false,
        );
    }

    #[test]
    fn ipv4_in_the_clothes_of_ipv6_is_refused() {
        check(
            &[
                "::ffff:127.0.0.1",             // mapped
                "::ffff:8.8.8.8",               // mapped, public
                "::127.0.0.1",                  // compatible
                "::8.8.8.8",                    // compatible, public
                "::ffff:0:127.0.0.1",           // translated (SIIT)
                "64:ff9b::127.0.0.1",           // NAT64
                "64:ff9b::8.8.8.8",             // NAT64, public
                "64:ff9b:1::10.0.0.1",          // NAT64, local
                "64:ff9b:1:ffff::10.0.0.1",     // NAT64, local
                "2002:7f00:1::1",               // 6to4 of 127.0.0.1
                "2002:808:808::1",              // 6to4 of 8.8.8.8
                "2001:0:7f00:1::",              // Teredo server 127.0.0.1
                "2001:0:808:808:0:0:80ff:fffe", // Teredo client 127.0.0.1
                "fe80::5efe:10.0.0.1",          // ISATAP, link-local
                "2600::5efe:10.0.0.1",          // ISATAP, global prefix
                "2600::200:5efe:8.8.8.8",       // ISATAP, global prefix, universal bit
            ],
            false,
        );
    }

    #[test]
    fn global_ipv6_is_public() {
        check(
            &[
                "2000::1",
                "2001:200::1",
                "2001:4860:4860::8888",
                "2001:db7:ffff::1",
                "2001:db9::1",
                "2003::1",
                "2600:9000:2000::1",
                "2606:4700:4700::1111",
                "2620:4f:7fff::1",
                "2620:4f:8001::1",
                "2a05:d014::1",
                "3ffe::1",
                "3fff:1000::1",
                "2600::5eff:a00:1",
                "2600::1:5efe:a00:1",
            ],
            true,
        );
    }
}
