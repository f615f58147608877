// SPDX-License-Identifier: GPL-2.0
//! Xen on QEMU.

use crate::describe::Host;
use crate::guard;
use crate::payload::Files;
use crate::{place, tools};
use agent::message::PORT;
use anyhow::{Context, Result};
use std::path::Path;
use std::sync::Arc;

/// Xen refuses how TCG virtualises RDTSCP: a PVH guest would never get past its first one. The others are
/// promises about `rep movsb` and `rep stosb` that TCG does not keep: it goes byte by byte, and with them
/// kernels copy and clear pages so.
const CPU: &str = "max,-rdtscp,-erms,-fsrm,-fsrs";

/// A running QEMU, killed when dropped.
pub struct Qemu {
    child: Arc<duct::Handle>,
}

impl Qemu {
    /// Starts a machine whose port is a client of `socket`, and its terminal, if it has a shell, of
    /// `terminal`; Xen's and dom0's consoles go to `log`.
    pub fn start(
        host: &Host,
        files: &Files,
        socket: &Path,
        terminal: &Path,
        log: &Path,
    ) -> Result<Self> {
        let mut words = machine_words(host);
        words.extend(["-serial".into(), format!("file:{}", text(log)?)]);
        words.extend([
            "-kernel".into(),
            text(&place::xen()?)?,
            "-append".into(),
            xen_words(host),
        ]);
        words.extend(["-initrd".into(), modules(host, files)?]);
        let tools = match &host.tools_image {
            Some(image) => Some(image.clone()),
            None => host.has_tools().then(tools::image).transpose()?,
        };
        // dom0 knows them as vda, vdb and, if it is there, vdc.
        for image in [&place::dom0_image()?, &files.payload]
            .into_iter()
            .chain(&tools)
        {
            let drive = format!("file={},if=virtio,format=raw,snapshot=on", text(image)?);
            words.extend(["-drive".into(), drive]);
        }
        words.extend(["-device".into(), "virtio-serial-pci".into()]);
        words.extend([
            "-chardev".into(),
            format!("socket,id=bed,path={}", text(socket)?),
        ]);
        words.extend([
            "-device".into(),
            format!("virtserialport,chardev=bed,name={PORT}"),
        ]);
        words.extend_from_slice(&host.emulator_words);
        if host.shell {
            words.extend([
                "-chardev".into(),
                format!("socket,id=tty,path={}", text(terminal)?),
            ]);
            words.extend(["-device".into(), "virtconsole,chardev=tty".into()]);
        }
        let child = duct::cmd("setpriv", words)
            .stdin_null()
            .stdout_null()
            .stderr_path(log.with_file_name("qemu.log"))
            .unchecked()
            .start()
            .context("start setpriv and qemu-system-x86_64")?;
        let child = Arc::new(child);
        guard::add_child(&child);
        Ok(Self { child })
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end.
    pub fn wait(&self) {
        let _ = self.child.wait();
    }

    /// To end it from another thread.
    pub fn killer(&self) -> impl Fn() + Send + 'static {
        let child = self.child.clone();
        move || drop(child.kill())
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        let _ = self.child.kill();
        guard::remove_child(&self.child);
    }
}

fn machine_words(host: &Host) -> Vec<String> {
    let (cpus, memory) = (host.cpus.to_string(), host.memory_mib().to_string());
    let words = [
        "--pdeathsig",
        "KILL",
        "qemu-system-x86_64",
        "-accel",
        &host.accel,
    ];
    let mut words: Vec<String> = words.map(String::from).into();
    words.extend(["-cpu", CPU, "-smp", &cpus, "-m", &memory].map(String::from));
    words.extend(["-nodefaults", "-no-user-config", "-no-reboot"].map(String::from));
    words.extend(["-display", "none", "-monitor", "none"].map(String::from));
    words
}

fn xen_words(host: &Host) -> String {
    let memory = host.dom0_mib;
    // Xen's default, lazy FPU switching, corrupts registers under TCG. Scrubbing free memory would only
    // delay the guests.
    format!(
        "spec-ctrl=eager-fpu bootscrub=0 console=com1 com1=115200,8n1 dom0_mem={memory}M,max:{memory}M \
         dom0_max_vcpus=1 loglvl=all guest_loglvl=all{}",
        host.xen_words
    )
}

/// dom0's kernel with its command line, and its ramdisk, as multiboot modules.
fn modules(host: &Host, files: &Files) -> Result<String> {
    let shell = if host.shell { " bed.shell" } else { "" };
    let words = format!(
        "console=hvc0 loglevel=4 panic=-1 rodata=off bed.dom0{shell}{}",
        host.all_dom0_words().replace(',', ",,")
    );
    Ok(format!(
        "{} {words},{}",
        text(&files.dom0_kernel)?,
        text(&files.dom0_ramdisk)?
    ))
}

fn text(path: &Path) -> Result<String> {
    // QEMU takes a comma for the end of an option's value unless it is doubled.
    Ok(path
        .to_str()
        .with_context(|| format!("{path:?} is not UTF-8"))?
        .replace(',', ",,"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_processors_as_described() {
        for (host, count) in [(Host::new("a"), "2"), (Host::new("a").cpus(3), "3")] {
            let words = machine_words(&host);
            let at = words.iter().position(|word| word == "-smp").unwrap();
            assert_eq!(words[at + 1], count);
        }
    }
}
