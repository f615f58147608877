// SPDX-License-Identifier: GPL-2.0
//! Programs that make one ioctl each, made from a module's own header, for 64 bits and for 32.

use anyhow::{Context, Result, ensure};
use bed::{Flavour, Guest, Machine, place};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const EFAULT: u64 = 14;
const EINVAL: u64 = 22;
const ENOTTY: u64 = 25;

/// Both kinds of programs, by their bits.
pub const BITS: [&str; 2] = ["64", "32"];

/// What every device refuses.
pub struct Refused<'a> {
    /// Calls, and how many 64-bit words each has reserved.
    pub calls: &'a [(&'a str, u32)],
    /// Those with `reserved0`.
    pub padded: &'a [&'a str],
    /// Those that write an answer, for which there is no place in a constant.
    pub answered: &'a [&'a str],
    /// Numbers that are no calls.
    pub numbers: &'a [&'a str],
}

/// Adds the programs for a device to a guest. `headers` is the folder of its header, in the clone.
pub fn equip(guest: Guest, device: &str, headers: &str) -> Result<Guest> {
    let folder = place::clone_path("build/client");
    std::fs::create_dir_all(&folder)?;
    BITS.into_iter().try_fold(guest, |guest, bits| {
        let program = folder.join(format!("{device}{bits}"));
        compile(bits, device, headers, &program)?;
        Ok(guest.file(program, &format!("bin/{device}{bits}")))
    })
}

/// Adds a program to a guest that is for nothing of ours: `tests/xen/client/<name>.c`.
pub fn plain(guest: Guest, name: &str) -> Result<Guest> {
    let program = program(name, "tests/xen/client")?;
    Ok(guest.file(program, &format!("bin/{name}")))
}

/// Compiles `tests/xen/client/<name>.c`; `headers` is the folder of a header of ours, in the clone.
pub fn program(name: &str, headers: &str) -> Result<PathBuf> {
    let folder = place::clone_path("build/client");
    std::fs::create_dir_all(&folder)?;
    let program = folder.join(name);
    compile("64", name, headers, &program)?;
    Ok(program)
}

/// Compiles a program: `tests/xen/client/<device>.c`.
pub fn compile(bits: &str, device: &str, headers: &str, program: &Path) -> Result<()> {
    let mut arguments: Vec<String> = ["-O2", "-Wall", "-Wextra", "-Werror", "-static", "-s"]
        .map(String::from)
        .into();
    arguments.push(format!("-m{bits}"));
    if bits == "32" {
        // There is no C library for it, but the kernel's headers can do without.
        arguments
            .extend(["-nostdlib", "-fno-stack-protector", "-fno-pie", "-no-pie"].map(String::from));
        let nolibc = place::kernel(Flavour::Stock)?.join("source/tools/include/nolibc");
        let system = "/usr/include/x86_64-linux-gnu".into();
        for folder in [nolibc, system] {
            arguments.extend(["-isystem".into(), folder.display().to_string()]);
        }
    }
    let headers = place::clone_path(headers);
    let source = place::clone_path(&format!("tests/xen/client/{device}.c"));
    arguments.extend(["-I".into(), headers.display().to_string(), "-o".into()]);
    arguments.extend([program, source.as_path()].map(|path| path.display().to_string()));
    duct::cmd("gcc", arguments)
        .run()
        .with_context(|| format!("compile {}", source.display()))?;
    Ok(())
}

/// What the program prints: `errno`, then the fields.
pub struct Answer(pub BTreeMap<String, u64>);

impl Answer {
    pub fn parse(text: &str) -> Result<Self> {
        let fields = text.lines().map(|line| {
            let (name, value) = line.split_once('=').context("no field")?;
            Ok((name.to_string(), value.parse()?))
        });
        let fields: BTreeMap<String, u64> = fields.collect::<Result<_>>()?;
        ensure!(fields.contains_key("errno"), "the program says {text:?}");
        Ok(Self(fields))
    }

    /// A field.
    pub fn get(&self, name: &str) -> Result<u64> {
        let value = self.0.get(name).copied();
        value.with_context(|| format!("no {name} in {:?}", self.0))
    }
}

/// A program in a guest.
pub struct Client<'a, 'b> {
    pub guest: &'a Machine<'b>,
    pub program: String,
}

impl<'a, 'b> Client<'a, 'b> {
    /// The one for a device, of so many bits.
    pub fn new(guest: &'a Machine<'b>, device: &str, bits: &str) -> Self {
        Self {
            guest,
            program: format!("/bin/{device}{bits}"),
        }
    }

    /// Makes one call; the words are options, the call and its fields.
    pub fn call(&self, words: &str) -> Result<Answer> {
        let argv: Vec<&str> = [self.program.as_str()]
            .into_iter()
            .chain(words.split_whitespace())
            .collect();
        let output = self.guest.run(&argv)?.ok()?;
        let answer = Answer::parse(&output.stdout);
        answer.with_context(|| format!("{output:?}"))
    }

    /// All of that is refused, each with its error.
    pub fn refuses(&self, refused: &Refused<'_>) -> Result<()> {
        for (call, words) in refused.calls {
            for version in [0, 2, u32::MAX] {
                self.expect(&format!("{call} version={version}"), EINVAL)?;
            }
            for word in 0..*words {
                self.expect(&format!("{call} reserved[{word}]=1"), EINVAL)?;
            }
            self.expect(&format!("-u {call}"), EFAULT)?;
        }
        for call in refused.padded {
            self.expect(&format!("{call} reserved0=1"), EINVAL)?;
        }
        for call in refused.answered {
            self.expect(&format!("-c {call}"), EFAULT)?;
        }
        for number in refused.numbers {
            self.expect(number, ENOTTY)?;
        }
        Ok(())
    }

    /// Makes one call, which has to end with that error, or 0.
    pub fn expect(&self, words: &str, errno: u64) -> Result<Answer> {
        let answer = self.call(words)?;
        let found = answer.get("errno")?;
        ensure!(
            found == errno,
            "{} {words}: error {found}, not {errno}",
            self.program
        );
        Ok(answer)
    }
}
