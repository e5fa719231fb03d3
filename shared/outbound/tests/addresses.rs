//! Which addresses are dialled, held against IANA's registries as data: `tests/addresses/special.csv` has every
//! row of both special-purpose registries (as of 2025-10-09), and of the IPv4 and IPv6 address spaces what is
//! not given to anybody as a unicast address.
#![cfg(test)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use recoup_domain::signing::Signed;
use recoup_domain::text::TargetUrl;
use recoup_outbound::addresses::is_public;
use recoup_outbound::webhooks::Webhooks;
use recoup_ports::webhooks::{Deliver, Reach, SendError};

/// Where clouds keep metadata and credentials: AWS (EC2, ECS, Nitro over IPv6), Oracle, Alibaba.
const METADATA: [&str; 5] =
    ["169.254.169.254", "169.254.170.2", "192.0.0.192", "100.100.100.200", "fd00:ec2::254"];
const NOT_PUBLIC: SendError = SendError::Forbidden("it has no public address");

/// A row of the corpus, as the numbers of its first and last address.
#[derive(Clone, Copy, Debug)]
struct Block {
    row: &'static str,
    v6: bool,
    first: u128,
    last: u128,
}

impl Block {
    fn read(row: &'static str) -> Self {
        let block = row.split(',').nth(1).unwrap();
        let (network, bits) = block.split_once('/').unwrap();
        let network: IpAddr = network.parse().unwrap();
        let width = if network.is_ipv6() { 128_u32 } else { 32 };
        let free = width.checked_sub(bits.parse().unwrap()).unwrap();
        let size_less_one = 1u128.checked_shl(free).unwrap_or(0).wrapping_sub(1);
        let first = number(network);
        assert_eq!(first & size_less_one, 0, "{row}");
        Self { row, v6: network.is_ipv6(), first, last: first | size_less_one }
    }

    fn all() -> Vec<Self> {
        include_str!("addresses/special.csv").lines().skip(1).map(Self::read).collect()
    }

    fn address(&self, number: u128) -> IpAddr {
        if self.v6 { Ipv6Addr::from(number).into() } else { v4(number).into() }
    }

    fn within(&self) -> [IpAddr; 3] {
        [self.first, self.first.midpoint(self.last), self.last].map(|number| self.address(number))
    }

    /// The addresses just outside, where the address space has any.
    fn beside(&self) -> impl Iterator<Item = IpAddr> {
        let end = if self.v6 { u128::MAX } else { u128::from(u32::MAX) };
        let after = self.last.checked_add(1).filter(|after| *after <= end);
        self.first.checked_sub(1).into_iter().chain(after).map(|number| self.address(number))
    }
}

fn v4(number: u128) -> Ipv4Addr {
    Ipv4Addr::from(u32::try_from(number).unwrap())
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// The judgement anew, from the corpus alone: in no block, and in no tunnel that any prefix may lead into.
fn expected(blocks: &[Block], address: IpAddr) -> bool {
    let text = match address {
        IpAddr::V4(_) => String::new(),
        IpAddr::V6(address) => address.octets().map(|byte| format!("{byte:02x}")).concat(),
    };
    // RFC 5214: eight bytes of prefix, `000000ug 00000000`, 5efe, and an IPv4 address.
    let isatap = ["00005efe", "01005efe", "02005efe", "03005efe"];
    let tunnelled = isatap.iter().any(|marker| text.get(16..24) == Some(marker));
    let number = number(address);
    !tunnelled && !blocks.iter().any(|b| b.v6 == address.is_ipv6() && (b.first..=b.last).contains(&number))
}

/// The first, a middle and the last address of every IPv4 block, and the metadata addresses of IPv4.
fn special_v4() -> Vec<Ipv4Addr> {
    let blocks = Block::all().into_iter().filter(|block| !block.v6);
    let of_blocks = blocks.flat_map(|block| block.within());
    let metadata = METADATA.iter().map(|text| text.parse().unwrap());
    let all = of_blocks.chain(metadata);
    all.filter_map(|address| if let IpAddr::V4(address) = address { Some(address) } else { None }).collect()
}

#[test]
fn the_corpus_is_whole() {
    let rows = |registry: &str| Block::all().iter().filter(|b| b.row.starts_with(registry)).count();
    assert_eq!([rows("ipv4-special,"), rows("ipv6-special,")], [26, 25]);
    assert_eq!([rows("ipv4-space,"), rows("ipv6-space,")], [1, 19]);
    for block in Block::all() {
        let fields: Vec<_> = block.row.split(',').collect();
        assert!(fields.len() == 4 && fields[3].starts_with("RFC "), "{}", block.row);
    }
}

#[test]
fn every_block_is_refused_to_its_edges_and_not_beyond_them() {
    let blocks = Block::all();
    let mut public_neighbours = 0;
    for block in &blocks {
        for address in block.within() {
            assert!(!is_public(address), "{address} of {}", block.row);
        }
        for address in block.beside() {
            let expected = expected(&blocks, address);
            assert_eq!(is_public(address), expected, "{address} beside {}", block.row);
            public_neighbours += u32::from(expected);
        }
    }
    assert!(public_neighbours > 30, "{public_neighbours}");
}

#[test]
fn what_everybody_reaches_is_public() {
    let known = [
        "1.1.1.1",
        "8.8.8.8",
        "52.95.110.1",
        "93.184.216.34",
        "223.255.255.255",
        "2001:4860:4860::8888",
        "2606:4700:4700::1111",
        "2600:9000:2000::1",
        "2a05:d014::1",
        "2600::1:5efe:a00:1",
    ];
    for address in known {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn no_form_of_ipv6_carries_an_ipv4_address_past_the_judge() {
    let addresses = special_v4();
    assert!(addresses.len() > 80, "{}", addresses.len());
    // Public ones, too: whoever means them can say so, and a tunnel's other end is not ours to judge.
    for address in addresses.into_iter().chain([Ipv4Addr::new(8, 8, 8, 8)]) {
        let bits = u128::from(u32::from(address));
        let prefix = |text: &str| u128::from(text.parse::<Ipv6Addr>().unwrap());
        let mut forms = vec![
            prefix("::ffff:0:0") | bits,
            bits,
            prefix("::ffff:0:0:0") | bits,
            prefix("64:ff9b::") | bits,
            prefix("64:ff9b:1::") | bits,
            prefix("64:ff9b:1:ffff:ffff:ffff::") | bits,
            // RFC 6052 with 48 bits of prefix: the address goes around the eighth byte.
            prefix("64:ff9b:1::") | (bits >> 16 << 64) | ((bits & 0xffff) << 40),
            prefix("2002::") | (bits << 80),
            prefix("2002::1") | (bits << 80),
            prefix("2001::") | (bits << 64),
            prefix("2001:0:4136:e378:8000:63bf::") | (bits ^ u128::from(u32::MAX)),
        ];
        for network in
            ["fe80::", "fd00::", "2001:db8::", "2600::", "2a05:d014:1:2::", "3ffe:ffff:ffff:ffff::"]
        {
            for marker in ["::5efe:0:0", "::200:5efe:0:0", "::100:5efe:0:0", "::300:5efe:0:0"] {
                forms.push(prefix(network) | prefix(marker) | bits);
            }
        }
        for form in forms.into_iter().map(Ipv6Addr::from) {
            assert!(!is_public(form.into()), "{address} in {form}");
        }
    }
}

/// The spellings of an IPv4 address that a browser takes.
fn spellings(address: Ipv4Addr) -> Vec<String> {
    let [a, b, c, d] = address.octets();
    let dotted = address.to_string();
    let whole = u32::from(address);
    let three = whole & 0xff_ffff;
    let full_width = |text: &str| text.chars().map(|one| if one == '.' { '。' } else { wide(one) }).collect();
    let per_cent = dotted.as_bytes().iter().fold(String::new(), |text, byte| text + &format!("%{byte:02X}"));
    vec![
        format!("{dotted}."),
        format!("{whole}"),
        format!("{whole}."),
        format!("0x{whole:x}"),
        format!("0X{whole:X}"),
        format!("0{whole:o}"),
        format!("0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        format!("000{a:o}.0x0{b:X}.{c}.{d}"),
        format!("{a}.{three}"),
        format!("0x{a:x}.0{three:o}"),
        format!("{a}.{b}.{}", whole & 0xffff),
        full_width(&dotted),
        per_cent,
        format!("[::ffff:{dotted}]"),
        format!("[0:0:0:0:0:FFFF:{:X}:{:X}]", whole >> 16, whole & 0xffff),
        format!("[64:FF9B::{dotted}]"),
        dotted,
    ]
}

/// U+FF10 and on for digits.
fn wide(digit: char) -> char {
    char::from_u32(0xff10 | digit.to_digit(10).unwrap()).unwrap()
}

async fn told(webhooks: &Webhooks, host: &str) -> Result<u16, SendError> {
    let message = Signed {
        id: "evt_1".to_owned(),
        timestamp: "1795000000".to_owned(),
        signature: "v1,AA==".to_owned(),
        body: "{}".to_owned(),
    };
    let url = TargetUrl::unchecked(format!("https://{host}/hook"));
    webhooks.deliver(&url, &message).await.map(|reply| reply.status)
}

#[tokio::test]
async fn a_special_address_is_refused_in_every_spelling() {
    let webhooks = Webhooks::new(Reach::Public).unwrap();
    for address in special_v4() {
        for host in spellings(address) {
            assert_eq!(told(&webhooks, &host).await, Err(NOT_PUBLIC), "{host} of {address}");
        }
    }
    for block in Block::all().iter().filter(|block| block.v6) {
        for address in block.within() {
            let IpAddr::V6(address) = address else { continue };
            let long = address.segments().map(|part| format!("{part:04X}")).join(":");
            for host in [format!("[{address}]"), format!("[{long}]")] {
                assert_eq!(told(&webhooks, &host).await, Err(NOT_PUBLIC), "{host} of {}", block.row);
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_address_after_all_is_refused_as_no_url() {
    let webhooks = Webhooks::new(Reach::Public).unwrap();
    let hosts = [
        "[fe80::1%25eth0]",
        "[fe80::1%eth0]",
        "[::1%250]",
        "[%3A%3A1]",
        "[::1",
        "127.0.0.256",
        "1.2.3.4.5",
        "0x",
    ];
    for host in hosts.into_iter().chain(["4294967296", "[::ffff:127.1]", "127.0.0.1%00.example.com"]) {
        let told = told(&webhooks, host).await;
        let refused = [Err(SendError::Forbidden("it is no URL")), Err(NOT_PUBLIC)];
        assert!(refused.contains(&told), "{host}: {told:?}");
    }
}

fn anywhere() -> impl Strategy<Value = IpAddr> {
    let blocks = Block::all();
    let near = (prop::sample::select(blocks), any::<u128>(), 0..200_u128, any::<bool>());
    let near = near.prop_map(|(block, within, beside, wide)| {
        let end = if block.v6 { u128::MAX } else { u128::from(u32::MAX) };
        let reach = if wide { within & (block.last ^ block.first) } else { beside };
        block.address(block.first.wrapping_sub(100).wrapping_add(reach) & end)
    });
    let isatap = (any::<u64>(), any::<u8>(), any::<u32>()).prop_map(|(prefix, ug, address)| {
        let identifier = (u64::from(ug) << 56) | 0x5efe_0000_0000 | u64::from(address);
        IpAddr::from(Ipv6Addr::from((u128::from(prefix) << 64) | u128::from(identifier)))
    });
    let global = any::<u128>().prop_map(|bits| Ipv6Addr::from((bits >> 3) | (1 << 125)));
    prop_oneof![
        any::<Ipv4Addr>().prop_map(IpAddr::from),
        any::<Ipv6Addr>().prop_map(IpAddr::from),
        global.prop_map(IpAddr::from),
        near,
        isatap,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_096))]
    #[test]
    fn the_judge_and_the_corpus_agree_on_any_address(address in anywhere()) {
        prop_assert_eq!(is_public(address), expected(&Block::all(), address), "{}", address);
    }
}
