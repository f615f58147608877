// SPDX-License-Identifier: GPL-2.0
//! Programs as Debian has them, between two machines.

use super::{End, Ends};
use anyhow::{Result, ensure};

const SOCAT_PORT: u32 = 5000;
const NCAT_PORT: u32 = 5001;
const HTTP_PORT: u32 = 80;
const SSH_PORT: u32 = 22;

/// Sends a file through a program; the same has to come back.
fn echoes(client: &End<'_>, program: &str) -> Result<()> {
    let line = format!(
        "head -c 1000000 /dev/urandom >/tmp/sent; {program} </tmp/sent >/tmp/back; cmp /tmp/sent /tmp/back"
    );
    client.shell(&line).map(drop)
}

/// A stream there and back.
pub fn socat(ends: &Ends<'_>) -> Result<()> {
    let listen = format!("VSOCK-LISTEN:{SOCAT_PORT},fork");
    let _server = ends
        .server
        .listen(&["socat", &listen, "EXEC:cat"], SOCAT_PORT)?;
    let connect = format!("VSOCK-CONNECT:{}:{SOCAT_PORT}", ends.server_cid()?);
    for _ in 0..3 {
        echoes(&ends.client, &format!("socat -t 20 - {connect}"))?;
    }
    Ok(())
}

/// A file each way with another program, which half-closes when its input ends. No echo: what `ncat --exec` has
/// not yet sent when its peer half-closes is lost, over TCP as well.
pub fn ncat(ends: &Ends<'_>) -> Result<()> {
    let (server, client) = (&ends.server, &ends.client);
    let connect = format!("ncat --vsock {} {NCAT_PORT}", ends.server_cid()?);
    let listen = format!(
        "exec ncat --vsock --listen {} {NCAT_PORT}",
        ends.server_cid()?
    );
    let make = "head -c 1000000 /dev/urandom >/tmp/sent; sha256sum </tmp/sent";
    for _ in 0..3 {
        let line = format!("{listen} --recv-only >/tmp/got");
        let server_got = server.listen(&["sh", "-c", &line], NCAT_PORT)?;
        let sent = client.shell(&format!("{make}; {connect} </tmp/sent"))?;
        super::wait_until("all of the file", || {
            Ok(server.shell("sha256sum </tmp/got")? == sent)
        })?;
        drop(server_got);

        let sent = server.shell(make)?;
        let line = format!("{listen} --send-only </tmp/sent");
        let _sender = server.listen(&["sh", "-c", &line], NCAT_PORT)?;
        let got = client.shell(&format!(
            "{connect} </dev/null >/tmp/got; sha256sum </tmp/got"
        ))?;
        ensure!(got == sent, "{got} instead of {sent}");
    }
    Ok(())
}

/// A web server and a client that know nothing of AF_VSOCK, with a socat on either side.
pub fn http(ends: &Ends<'_>) -> Result<()> {
    let (server, client) = (&ends.server, &ends.client);
    let made = server.shell(
        "mkdir -p /tmp/http; head -c 3000000 /dev/urandom >/tmp/http/file; sha256sum </tmp/http/file",
    )?;
    let web = [
        "python3",
        "-m",
        "http.server",
        "--bind",
        "127.0.0.1",
        "--directory",
        "/tmp/http",
        "8000",
    ];
    let _web = server.start(&web)?;
    let there = format!("VSOCK-LISTEN:{HTTP_PORT},fork");
    let web = "TCP:127.0.0.1:8000,retry=100,interval=0.1";
    let _there = server.listen(&["socat", &there, web], HTTP_PORT)?;
    let here = format!("VSOCK-CONNECT:{}:{HTTP_PORT}", ends.server_cid()?);
    let _here = client.start(&["socat", "UNIX-LISTEN:/tmp/web,fork,unlink-early", &here])?;
    super::wait_until("/tmp/web", || {
        Ok(client.run(&["test", "-S", "/tmp/web"]).is_ok())
    })?;
    let get =
        "curl --silent --show-error --fail --unix-socket /tmp/web http://peer/file | sha256sum";
    for _ in 0..2 {
        let got = client.shell(get)?;
        ensure!(got == made, "{got} instead of {made}");
    }
    Ok(())
}

const SSHD_CONFIG: &str = "HostKey /tmp/ssh/host\n\
     AuthorizedKeysFile /tmp/ssh/authorized\n\
     StrictModes no\n\
     UsePAM no\n\
     PermitRootLogin yes\n";

/// sshd behind socat; ssh through socat, and by systemd's own way to `vsock/CID`.
pub fn ssh(ends: &Ends<'_>) -> Result<()> {
    let (server, client) = (&ends.server, &ends.client);
    let keygen =
        "mkdir -p /tmp/ssh; rm -f /tmp/ssh/NAME*; ssh-keygen -q -t ed25519 -N '' -f /tmp/ssh/NAME";
    server.shell(&keygen.replace("NAME", "host"))?;
    client.shell(&keygen.replace("NAME", "key"))?;
    server.shell("mkdir -p /run/sshd; chmod 755 /run/sshd")?;
    let key = client.machine.read("/tmp/ssh/key.pub")?;
    server
        .machine
        .write("/tmp/ssh/authorized", &format!("{key}\n"))?;
    server.machine.write("/tmp/ssh/sshd_config", SSHD_CONFIG)?;
    let listen = format!("VSOCK-LISTEN:{SSH_PORT},fork");
    let daemon = "EXEC:/usr/sbin/sshd -i -e -f /tmp/ssh/sshd_config";
    let _server = server.listen(&["socat", &listen, daemon], SSH_PORT)?;
    let cid = ends.server_cid()?;
    let ways = [
        format!("-o ProxyCommand='socat - VSOCK-CONNECT:{cid}:{SSH_PORT}' root@peer"),
        format!("root@vsock/{cid}"),
    ];
    for way in ways {
        let options = "-i /tmp/ssh/key -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null";
        let told = client.shell(&format!(
            "ssh -q {options} {way} 'cat; uname -n' </etc/debian_version"
        ))?;
        let name = server.run(&["uname", "-n"])?;
        ensure!(
            told.ends_with(&name) && told.lines().count() == 2,
            "{way}: {told}"
        );
    }
    Ok(())
}
