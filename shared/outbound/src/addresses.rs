//! Which IP addresses a webhook may be sent to: the public ones, and no others.
//!
//! The tables are the complete IANA special-purpose registries (IPv4: RFC 6890 and later, IPv6 likewise), with
//! multicast. Entries that IANA calls globally reachable (AS112, AMT, anycast for NAT traversal) are in them
//! too: no receiver lives there. `tests/addresses.rs` holds them against the registries as data.

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
pub fn is_public(address: IpAddr) -> bool {
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

/// ISATAP (RFC 5214): any prefix at all, then `000000ug 00000000`, `5efe` and an IPv4 address, to which it is
/// tunnelled, whatever the bits `u` (universal) and `g` (group) say.
fn is_isatap(address: Ipv6Addr) -> bool {
    let [_, _, _, _, group, marker, _, _] = address.segments();
    marker == 0x5efe && (group & 0xfcff) == 0
}
