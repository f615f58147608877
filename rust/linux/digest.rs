// SPDX-License-Identifier: GPL-2.0

//! Digests.
//!
//! C header: [`include/crypto/sha2.h`](srctree/include/crypto/sha2.h).

use kernel::bindings;

/// Returns the SHA-256 of `bytes`.
///
/// Context: any.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut digest = [0; 32];
    // SAFETY: `bytes` is valid for reading, and `digest` has room for the result.
    unsafe { bindings::sha256(bytes.as_ptr(), bytes.len(), digest.as_mut_ptr()) };
    digest
}
