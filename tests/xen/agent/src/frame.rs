// SPDX-License-Identifier: GPL-2.0
//! Frames: one line each, so that they share a console with whatever the kernel prints there.
//!
//! A frame is `MARK`, eight hex digits of CRC-32, and JSON, up to the end of the line. A line without a whole
//! frame is raw console output; so is what stands before the mark.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Starts a frame: ASCII "record separator", which no kernel message contains.
pub const MARK: u8 = 0x1e;

const CRC_DIGITS: usize = 8;

/// What a received line holds.
#[derive(Debug, PartialEq)]
pub struct Line<'a, T> {
    /// Console output, without the line's end.
    pub raw: &'a [u8],
    /// The frame behind it.
    pub frame: Option<T>,
}

/// Makes a line of `value`.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let json = serde_json::to_vec(value)?;
    let mut line = format!("{}{:08x}", MARK as char, crc32fast::hash(&json)).into_bytes();
    line.extend_from_slice(&json);
    line.push(b'\n');
    Ok(line)
}

/// Splits a line into console output and frame.
pub fn decode<T: DeserializeOwned>(line: &[u8]) -> Line<'_, T> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if let Some(at) = line.iter().rposition(|&byte| byte == MARK) {
        if let Some(value) = parse(&line[at + 1..]) {
            return Line {
                raw: &line[..at],
                frame: Some(value),
            };
        }
    }
    Line {
        raw: line,
        frame: None,
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let (digits, json) = body.split_at_checked(CRC_DIGITS)?;
    let crc = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    if crc != crc32fast::hash(json) {
        return None;
    }
    serde_json::from_slice(json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_survives() {
        let line = encode(&("a\nb\u{1e}", 7)).unwrap();
        assert_eq!(line.iter().filter(|&&byte| byte == b'\n').count(), 1);
        let got: Line<(String, u32)> = decode(&line);
        assert_eq!(
            got,
            Line {
                raw: b"",
                frame: Some(("a\nb\u{1e}".into(), 7))
            }
        );
    }

    #[test]
    fn console_output_before_a_frame_is_kept() {
        let mut line = b"[    1.0] half a li".to_vec();
        line.extend(encode(&1u32).unwrap());
        let got: Line<u32> = decode(&line);
        assert_eq!(
            got,
            Line {
                raw: b"[    1.0] half a li",
                frame: Some(1)
            }
        );
    }

    #[test]
    fn a_damaged_frame_is_console_output() {
        let mut line = encode(&12345u32).unwrap();
        line[10] ^= 1;
        let got: Line<u32> = decode(&line);
        assert_eq!(got.frame, None);
        assert_eq!(got.raw, &line[..line.len() - 1]);
        let got: Line<u32> = decode(b"\x1e12\r\n");
        assert_eq!(
            got,
            Line {
                raw: b"\x1e12",
                frame: None
            }
        );
    }
}
