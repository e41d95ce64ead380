// SPDX-License-Identifier: GPL-2.0

//! The kernel's functions by address.

use std::fs;
use std::io;

/// One function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    /// Its name; that of a Rust function with its path, without generics' hashes.
    pub name: String,
    /// The module it is in, if any.
    pub module: Option<String>,
}

/// All functions, sorted by address.
pub struct Symbols(Vec<(u64, Symbol)>);

impl Symbols {
    /// Those of the running kernel.
    pub fn read() -> io::Result<Symbols> {
        Ok(Symbols::parse(&fs::read_to_string("/proc/kallsyms")?))
    }

    fn parse(text: &str) -> Symbols {
        let mut symbols: Vec<_> = text.lines().filter_map(line).collect();
        symbols.sort_by_key(|(address, _)| *address);
        Symbols(symbols)
    }

    /// The function that contains an address.
    pub fn find(&self, address: u64) -> Option<&Symbol> {
        let next = self.0.partition_point(|(start, _)| *start <= address);
        Some(&self.0.get(next.checked_sub(1)?)?.1)
    }
}

/// `ADDRESS TYPE NAME [MODULE]`, of code.
fn line(line: &str) -> Option<(u64, Symbol)> {
    let mut words = line.split_whitespace();
    let address = u64::from_str_radix(words.next()?, 16).ok()?;
    if !matches!(words.next()?, "t" | "T" | "w" | "W") {
        return None;
    }
    let name = words.next()?;
    // The kernel's own alias of an entry point, at the same address.
    if name.starts_with("__pfx_") || name.starts_with("__cfi_") {
        return None;
    }
    let module = words
        .next()
        .map(|module| module.trim_matches(['[', ']']).to_owned());
    let symbol = Symbol {
        name: format!("{:#}", rustc_demangle::demangle(name)),
        module,
    };
    Some((address, symbol))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_belongs_to_the_function_before_it() {
        let symbols = Symbols::parse(
            "ffffffffc0a00010 t _RNvNtCs2l5vSQ6n8cD_10ovnet_main2tx8transmit\t[ovnet]\n\
             ffffffff81000000 T _stext\nffffffff81000100 T ip6_output\n\
             ffffffff810000f0 T __pfx_ip6_output\nffffffff81000180 d some_data\n",
        );
        let name = |address| symbols.find(address).map(|symbol| symbol.name.as_str());
        assert_eq!(name(0xffff_ffff_8000_0000), None);
        assert_eq!(name(0xffff_ffff_8100_00ff), Some("_stext"));
        assert_eq!(name(0xffff_ffff_8100_0100), Some("ip6_output"));
        assert_eq!(name(0xffff_ffff_8100_0200), Some("ip6_output"));
        let ours = symbols.find(0xffff_ffff_c0a0_0020).unwrap();
        assert_eq!(ours.name, "ovnet_main::tx::transmit");
        assert_eq!(ours.module.as_deref(), Some("ovnet"));
    }
}
