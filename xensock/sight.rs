// SPDX-License-Identifier: GPL-2.0

//! What the curious see: the files in `/sys/kernel/debug/xensock/`.

use crate::{
    driver::Driver,
    link::ring::{
        Field,
        Lines, //
    },
    linux::work::Worker,
    memory::RingAt, //
};
use kernel::{
    debugfs::Scope,
    fmt,
    prelude::*,
    sync::Arc, //
};

/// The files. Dropped, they are gone before what they are about.
#[pin_data]
pub(crate) struct Sight {
    #[pin]
    files: Scope<Arc<Worker<Driver>>>,
}

impl Sight {
    /// Creates them. Without debugfs there are none, and that is no error.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new(driver: Arc<Worker<Driver>>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            files <- Scope::dir(driver, c"xensock", |driver, dir| {
                dir.read_callback_file(c"links", driver, &|driver, f| driver.describe(f));
            }),
        }? Error)
    }
}

/// The words of a ring as they are in shared memory; those of the other end may be anything.
pub(crate) fn ring(f: &mut fmt::Formatter<'_>, name: &str, lines: &RingAt) -> fmt::Result {
    write!(f, "{name}:")?;
    for (name, field) in [
        ("prod", Field::Prod),
        ("cons", Field::Cons),
        ("data_event", Field::DataEvent),
        ("space_event", Field::SpaceEvent),
        ("fin", Field::ProdFlags),
        ("gone", Field::ConsFlags),
        ("prod_gen", Field::ProdGen),
        ("cons_gen", Field::ConsGen),
        ("switch_at", Field::SwitchAt),
        ("limit", Field::Limit),
    ] {
        write!(f, " {name}={}", lines.load(field))?;
    }
    writeln!(f)
}
