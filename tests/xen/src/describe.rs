// SPDX-License-Identifier: GPL-2.0
//! Descriptions: which machines to boot, in a few lines each.

use crate::{network, tools};
use agent::message::DOM0;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Which of our kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Flavour {
    /// Debian's own.
    Stock,
    /// The small one with KUnit.
    Kunit,
    /// That one with KASAN; boots in PVH guests only.
    Kasan,
}

impl Flavour {
    /// Its name in paths.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stock => "stock",
            Self::Kunit => "kunit",
            Self::Kasan => "kasan",
        }
    }

    /// What its command line has besides, with a space before.
    fn words(self) -> &'static str {
        match self {
            Self::Stock => "",
            // 512 devices that nobody opens take 3 to 10 s under emulation.
            Self::Kunit | Self::Kasan => " pty.legacy_count=0",
        }
    }
}

impl std::str::FromStr for Flavour {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "stock" => Ok(Self::Stock),
            "kunit" => Ok(Self::Kunit),
            "kasan" => Ok(Self::Kasan),
            _ => Err(format!("no kernel flavour {name:?}: stock, kunit or kasan")),
        }
    }
}

/// How a guest is virtualised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Paravirtual.
    Pv,
    /// Hardware-assisted, without a device model.
    Pvh,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pv => "pv",
            Self::Pvh => "pvh",
        })
    }
}

impl Kind {
    /// The processors it may run on, in `xl.cfg`'s words.
    ///
    /// Under TCG a processor that loads FPU state rewrites, without a lock, the word in which the *first*
    /// processor keeps whether nested paging is on. So nothing that uses nested paging runs there.
    fn processors(self) -> &'static str {
        match self {
            Self::Pv => "all",
            Self::Pvh => "all,^0",
        }
    }
}

/// One guest.
#[derive(Clone, Debug)]
pub struct Guest {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) flavour: Flavour,
    pub(crate) memory_mib: u32,
    pub(crate) maxmem_mib: Option<u32>,
    pub(crate) vcpus: u32,
    pub(crate) modules: Vec<String>,
    pub(crate) first_modules: Vec<String>,
    pub(crate) kernel_modules: Vec<String>,
    pub(crate) later: bool,
    pub(crate) files: Vec<(PathBuf, String)>,
    pub(crate) words: String,
    pub(crate) processors: Option<String>,
    pub(crate) network: bool,
    pub(crate) tools: bool,
    pub(crate) frames: Option<(u32, u32)>,
    pub(crate) starves: bool,
}

impl Guest {
    /// A guest of this kind: stock kernel, 256 MiB, one vcpu.
    pub fn new(name: &str, kind: Kind) -> Self {
        Self {
            name: name.into(),
            kind,
            flavour: Flavour::Stock,
            memory_mib: 256,
            maxmem_mib: None,
            vcpus: 1,
            modules: Vec::new(),
            first_modules: Vec::new(),
            kernel_modules: Vec::new(),
            later: false,
            files: Vec::new(),
            words: String::new(),
            processors: None,
            network: false,
            tools: false,
            frames: None,
            starves: false,
        }
    }

    /// A PV guest.
    pub fn pv(name: &str) -> Self {
        Self::new(name, Kind::Pv)
    }

    /// A PVH guest.
    pub fn pvh(name: &str) -> Self {
        Self::new(name, Kind::Pvh)
    }

    /// Boots this kernel.
    pub fn kernel(mut self, flavour: Flavour) -> Self {
        self.flavour = flavour;
        self
    }

    /// Memory at boot.
    pub fn memory_mib(mut self, mib: u32) -> Self {
        self.memory_mib = mib;
        self
    }

    /// Memory at most; as at boot if not given.
    pub fn maxmem_mib(mut self, mib: u32) -> Self {
        self.maxmem_mib = Some(mib);
        self
    }

    /// Virtual processors.
    pub fn vcpus(mut self, count: u32) -> Self {
        self.vcpus = count;
        self
    }

    /// Has `build/<flavour>/<name>.ko` at hand as `/modules/<name>.ko`, not loaded.
    pub fn module(mut self, name: &str) -> Self {
        self.modules.push(name.into());
        self
    }

    /// Loads `build/<flavour>/<name>.ko` before anything else runs, as a distribution's ramdisk does.
    pub fn first_module(mut self, name: &str) -> Self {
        self.first_modules.push(name.into());
        self
    }

    /// Is described, but not created at boot.
    pub fn later(mut self) -> Self {
        self.later = true;
        self
    }

    /// Loads a module that comes with the kernel, with what it needs, before the agent starts.
    pub fn kernel_module(mut self, name: &str) -> Self {
        self.kernel_modules.push(name.into());
        self
    }

    /// Has a copy of `host` at `path`.
    pub fn file(mut self, host: impl Into<PathBuf>, path: &str) -> Self {
        self.files.push((host.into(), path.into()));
        self
    }

    /// More words for the kernel's command line.
    pub fn cmdline(mut self, words: &str) -> Self {
        self.words = format!("{} {words}", self.words);
        self
    }

    /// The physical processors it may run on, in `xl.cfg`'s words; on the first no PVH guest may.
    pub fn processors(mut self, which: &str) -> Self {
        self.processors = Some(which.into());
        self
    }

    /// Has a network interface on dom0's bridge, and an address (see `Host::address`).
    pub fn network(mut self) -> Self {
        self.network = true;
        self
    }

    /// Has more programs at hand, below `/tools` (see `tools`).
    pub fn tools(mut self) -> Self {
        self.tools = true;
        self
    }

    /// Xen lets it have so many frames for grants, and so many to keep account of what it has mapped.
    pub fn frames(mut self, grant: u32, maptrack: u32) -> Self {
        self.frames = Some((grant, maptrack));
        self
    }

    /// Runs out of memory on purpose: when its kernel reports that, nothing is wrong.
    pub fn starves(mut self) -> Self {
        self.starves = true;
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is not created at boot.
    pub fn is_later(&self) -> bool {
        self.later
    }

    /// How it is virtualised.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn most_memory_mib(&self) -> u32 {
        self.maxmem_mib
            .unwrap_or(self.memory_mib)
            .max(self.memory_mib)
    }

    /// Modules of the kernel's own that it starts with.
    pub(crate) fn all_kernel_modules(&self) -> Vec<&str> {
        let network = self.network.then_some(network::FRONT_MODULE);
        let tools = self.tools.then_some(tools::FRONT_MODULES);
        let asked = self.kernel_modules.iter().map(String::as_str);
        asked
            .chain(network)
            .chain(tools.into_iter().flatten())
            .collect()
    }

    /// The text `xl create` reads.
    ///
    /// Xen would intercept every reading of the time stamp counter, 30 us each under TCG.
    pub(crate) fn config(&self) -> String {
        let Self {
            name,
            kind,
            memory_mib,
            vcpus,
            words,
            ..
        } = self;
        let (kernel, maxmem) = (self.flavour.name(), self.most_memory_mib());
        let own = self.flavour.words();
        let processors = self.processors.as_deref();
        let processors = processors.unwrap_or(kind.processors());
        let vif = if self.network { network::VIF } else { "" };
        let disk = if self.tools { tools::DISK } else { "" };
        let frames = self.frames.map_or(String::new(), |(grant, maptrack)| {
            format!("max_grant_frames={grant}\nmax_maptrack_frames={maptrack}\n")
        });
        format!(
            "name=\"{name}\"\n\
             type=\"{kind}\"\n\
             kernel=\"/bed/kernels/{kernel}\"\n\
             ramdisk=\"/bed/guests/{name}.img\"\n\
             memory={memory_mib}\n\
             maxmem={maxmem}\n\
             vcpus={vcpus}\n\
             cpus=\"{processors}\"\n\
             tsc_mode=\"native\"\n\
             extra=\"console=hvc0 loglevel=4{own}{words}\"\n\
             on_poweroff=\"destroy\"\n\
             on_reboot=\"destroy\"\n\
             on_crash=\"destroy\"\n\
             {vif}{disk}{frames}"
        )
    }
}

/// The whole machine: Xen, dom0, guests.
#[derive(Clone, Debug)]
pub struct Host {
    pub(crate) guests: Vec<Guest>,
    pub(crate) label: String,
    pub(crate) limit: Duration,
    pub(crate) accel: String,
    pub(crate) cpus: u32,
    pub(crate) dom0_mib: u32,
    pub(crate) spare_mib: u32,
    pub(crate) shell: bool,
    pub(crate) xen_words: String,
    pub(crate) dom0_words: String,
    pub(crate) files: Vec<(PathBuf, String)>,
    pub(crate) dom0_modules: Vec<String>,
    pub(crate) dom0_kernel_modules: Vec<String>,
    pub(crate) tell: Option<fn(&str, Duration)>,
    pub(crate) emulator_words: Vec<String>,
    pub(crate) tools_image: Option<PathBuf>,
}

impl Host {
    /// Dom0 alone; its logs go to `build/log/<label>/`.
    pub fn new(label: &str) -> Self {
        Self {
            guests: Vec::new(),
            label: label.into(),
            limit: Duration::from_secs(900),
            accel: "tcg".into(),
            cpus: 2,
            dom0_mib: 512,
            spare_mib: 0,
            shell: false,
            xen_words: String::new(),
            dom0_words: String::new(),
            files: Vec::new(),
            dom0_modules: Vec::new(),
            dom0_kernel_modules: Vec::new(),
            tell: None,
            emulator_words: Vec::new(),
            tools_image: None,
        }
    }

    /// With this guest too.
    pub fn guest(mut self, mut guest: Guest) -> Self {
        if guest.network {
            let word = network::word(self.guests.len() + 1);
            guest = guest.cmdline(&word);
        }
        if guest.tools {
            guest = guest.cmdline(tools::WORD);
        }
        self.guests.push(guest);
        self
    }

    /// dom0 has `build/stock/<name>.ko` at hand as `/modules/<name>.ko`, not loaded.
    pub fn dom0_module(mut self, name: &str) -> Self {
        self.dom0_modules.push(name.into());
        self
    }

    /// dom0 starts with this module of the kernel's own, and what it needs.
    pub fn dom0_kernel_module(mut self, name: &str) -> Self {
        self.dom0_kernel_modules.push(name.into());
        self
    }

    /// The address of dom0 or of a guest on dom0's bridge.
    pub fn address(&self, name: &str) -> Option<String> {
        if name == DOM0 {
            return Some(network::address(0));
        }
        let at = self.guests.iter().position(|guest| guest.name == name)?;
        self.guests[at].network.then(|| network::address(at + 1))
    }

    /// Whether any guest has a network interface.
    pub(crate) fn has_network(&self) -> bool {
        self.guests.iter().any(|guest| guest.network)
    }

    /// Whether any guest has more programs; dom0 has them then, too.
    pub(crate) fn has_tools(&self) -> bool {
        self.guests.iter().any(|guest| guest.tools)
    }

    /// Modules of the kernel's own that dom0 starts with, on top of what it always needs.
    pub(crate) fn more_dom0_modules(&self) -> Vec<&str> {
        let network = self.has_network().then_some(network::BACK_MODULES);
        let tools = self.has_tools().then_some(tools::BACK_MODULE);
        let asked = self.dom0_kernel_modules.iter().map(String::as_str);
        asked
            .chain(network.into_iter().flatten())
            .chain(tools)
            .collect()
    }

    /// More words for dom0's kernel's command line.
    pub(crate) fn all_dom0_words(&self) -> String {
        let mut words = self.dom0_words.clone();
        if self.has_network() {
            words += &format!(" {}", network::word(0));
        }
        if self.has_tools() {
            words += &format!(" {}", tools::WORD);
        }
        words
    }

    /// Everything is killed that long after the start.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// QEMU's accelerator, in QEMU's words.
    pub fn accel(mut self, accel: &str) -> Self {
        self.accel = accel.into();
        self
    }

    /// Processors of the machine; 2 if not given. PVH guests run on all but the first.
    pub fn cpus(mut self, count: u32) -> Self {
        self.cpus = count;
        self
    }

    /// More words for the command lines of Xen and of dom0's kernel.
    pub fn cmdline(mut self, xen: &str, dom0: &str) -> Self {
        self.xen_words = format!(" {xen}");
        self.dom0_words = format!(" {dom0}");
        self
    }

    /// dom0 has a copy of `host` as `/bed/<name>`.
    pub fn file(mut self, host: impl Into<PathBuf>, name: &str) -> Self {
        self.files.push((host.into(), name.into()));
        self
    }

    /// Tells of each step of the boot, with the time from the start to its end.
    pub fn tell(mut self, tell: fn(&str, Duration)) -> Self {
        self.tell = Some(tell);
        self
    }

    /// More words for QEMU's command line.
    pub fn emulator(mut self, words: &[String]) -> Self {
        self.emulator_words.extend_from_slice(words);
        self
    }

    /// Machines with tools have this image below `/tools` instead of the one that the set-up makes.
    pub fn tools_image(mut self, image: impl Into<PathBuf>) -> Self {
        self.tools_image = Some(image.into());
        self
    }

    /// dom0's memory.
    pub fn dom0_mib(mut self, mib: u32) -> Self {
        self.dom0_mib = mib;
        self
    }

    /// Memory that nobody may have at first, for guests that grow.
    pub fn spare_mib(mut self, mib: u32) -> Self {
        self.spare_mib = mib;
        self
    }

    /// For a person: shells on the consoles of dom0 and guests, no agent in the guests.
    pub fn shell(mut self) -> Self {
        self.shell = true;
        self.guests = self
            .guests
            .into_iter()
            .map(|guest| guest.cmdline("bed.shell"))
            .collect();
        self
    }

    /// Memory of the machine: what dom0 and guests may have, and some for Xen.
    pub(crate) fn memory_mib(&self) -> u32 {
        let guests: u32 = self
            .guests
            .iter()
            .map(|guest| guest.most_memory_mib() + 16)
            .sum();
        self.dom0_mib + guests + self.spare_mib + 192
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_text() {
        let guest = Guest::pvh("a").memory_mib(200).maxmem_mib(300).vcpus(2);
        let text = guest.cmdline("x=y").config();
        for line in [
            "name=\"a\"",
            "type=\"pvh\"",
            "memory=200",
            "maxmem=300",
            "vcpus=2",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
        assert!(text.contains("loglevel=4 x=y\"\n"));
        assert!(!text.contains("frames"));
        let text = Guest::pv("a").frames(4, 2).config();
        assert!(text.ends_with("max_grant_frames=4\nmax_maptrack_frames=2\n"));
    }

    #[test]
    fn nested_paging_keeps_off_the_first_processor() {
        assert!(Guest::pvh("a").config().contains("cpus=\"all,^0\"\n"));
        assert!(Guest::pv("a").config().contains("cpus=\"all\"\n"));
    }

    #[test]
    fn the_small_kernels_make_no_legacy_terminals() {
        let kunit = Guest::pv("a").kernel(Flavour::Kunit).cmdline("x=y");
        assert!(
            kunit
                .config()
                .contains("loglevel=4 pty.legacy_count=0 x=y\"\n")
        );
        assert!(!Guest::pv("a").config().contains("pty.legacy_count"));
    }

    #[test]
    fn addresses_go_by_the_order_of_guests() {
        let host = Host::new("a").guest(Guest::pv("a"));
        let host = host.guest(Guest::pvh("b").network().tools().processors("2"));
        assert_eq!(host.address("dom0").as_deref(), Some("10.0.0.1"));
        assert_eq!(host.address("a"), None);
        assert_eq!(host.address("b").as_deref(), Some("10.0.0.3"));
        let text = host.guests[1].config();
        assert!(
            text.contains(" bed.address=10.0.0.3/24 bed.tools\""),
            "{text}"
        );
        assert!(text.contains("cpus=\"2\"\n"), "{text}");
        assert!(
            text.contains("\nvif=") && text.contains("\ndisk="),
            "{text}"
        );
        let plain = host.guests[0].config();
        assert!(
            !plain.contains("\nvif=") && !plain.contains("\ndisk="),
            "{plain}"
        );
        assert!(host.all_dom0_words().contains("bed.address=10.0.0.1/24"));
    }

    #[test]
    fn maxmem_is_never_below_memory() {
        let low = Guest::pv("a").memory_mib(300).maxmem_mib(200).config();
        assert!(low.contains("maxmem=300\n"));
        assert!(
            Guest::pv("a")
                .memory_mib(300)
                .config()
                .contains("maxmem=300\n")
        );
    }
}
