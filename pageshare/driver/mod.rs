// SPDX-License-Identifier: GPL-2.0

//! What the module keeps: areas and their members, and the owners that this domain is a member of.

mod callers;

use crate::{
    area::wire,
    arguments,
    linux::{
        device::{
            Call,
            Ioctl, //
        },
        folder::Place,
        uapi::{
            ShareMember,
            SHARE_NEXT_MEMBER,
            SHARE_VERSION,
            SHARE_WITHDRAW, //
        },
        work::{
            Task,
            Worker, //
        }, //
    },
    member::{
        offer,
        Disks,
        Figures,
        Owner,
        Shown,
        Sight, //
    },
    owner::{
        Areas,
        Guest, //
    },
    settings::Settings,
    xen::{
        domain::DomId,
        lifecycle::Pausing,
        meeting::Meeting,
        store::{
            self,
            Watcher, //
        }, //
    }, //
};
use callers::Callers;
use kernel::{
    fmt,
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
    time::Msecs, //
};

/// How often members that are gone are dropped, and it is looked for what they have unmapped since.
const REAP_MS: Msecs = 500;

/// The state behind the module.
#[pin_data]
pub(crate) struct Driver {
    own: Atomic<u32>,
    settings: Arc<Settings>,
    meeting: Arc<Meeting>,
    areas: Arc<Areas>,
    #[pin]
    disks: Disks,
    /// The number of the last member.
    last: Atomic<u32>,
    #[pin]
    guests: Mutex<KVec<Arc<Worker<Guest>>>>,
    #[pin]
    owners: Mutex<KVec<Arc<Worker<Owner>>>>,
    sight: Arc<Sight>,
    #[pin]
    callers: Mutex<Callers>,
}

impl Driver {
    /// Context: a program's process, may sleep.
    pub(crate) fn new(
        module: &'static ThisModule,
        settings: Arc<Settings>,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            own: Atomic::new(u32::from(store::own_domid()?.number())),
            meeting: Arc::pin_init(Meeting::new(c"data/pageshare"), GFP_KERNEL)?,
            areas: Arc::pin_init(Areas::new(settings.clone()), GFP_KERNEL)?,
            settings,
            disks <- Disks::new(module),
            last: Atomic::new(0),
            guests <- new_mutex!(KVec::new()),
            owners <- new_mutex!(KVec::new()),
            sight: Arc::pin_init(Sight::new(), GFP_KERNEL)?,
            callers <- new_mutex!(Callers::new()),
        })
    }

    /// The domain this kernel runs in.
    pub(crate) fn own(&self) -> DomId {
        DomId::new(self.own.load(Relaxed)).unwrap_or(DomId::SELF)
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn areas(&self) -> &Arc<Areas> {
        &self.areas
    }

    /// How many domains have areas of this one mounted, or a link to do so.
    pub(crate) fn members(&self) -> usize {
        self.guests.lock().len()
    }

    /// What this domain has of others' areas, all owners together.
    pub(crate) fn figures(&self) -> Figures {
        let owners = self.owners.lock();
        let each = owners.iter().map(|owner| owner.figures());
        each.fold(Figures::default(), |sum, figures| sum + figures)
    }

    /// Sets for how long mappings are kept that nobody uses.
    ///
    /// # Errors
    ///
    /// `ERANGE`, see [`Settings::set_idle_seconds`].
    pub(crate) fn set_idle_seconds(&self, seconds: u64) -> Result {
        self.settings.set_idle_seconds(seconds)?;
        for owner in self.owners.lock().iter() {
            owner.kick();
        }
        Ok(())
    }

    /// Makes it possible to call others.
    ///
    /// Context: a privileged program or a thread of the kernel, sleeps until xenstored has answered.
    ///
    /// # Errors
    ///
    /// As for [`Meeting::prepare`].
    pub(crate) fn prepare(&self) -> Result {
        self.meeting.prepare(self.own())
    }

    /// Returns what this domain has of the areas of the domain `owner`.
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `EINVAL` if that is this domain itself, `ENOMEM`.
    pub(crate) fn owner(&self, owner: DomId) -> Result<Arc<Worker<Owner>>> {
        if owner == self.own() {
            return Err(EINVAL);
        }
        let mut owners = self.owners.lock();
        if let Some(known) = owners.iter().find(|known| known.domain() == owner) {
            return Ok(known.clone());
        }
        let (meeting, settings) = (self.meeting.clone(), self.settings.clone());
        let new = Owner::new(meeting, owner, settings, self.sight.clone())?;
        owners.push(new.clone(), GFP_KERNEL)?;
        Ok(new)
    }

    /// Has areas, members and owners seen at `place`, until [`Driver::hide`].
    ///
    /// Context: process context, may sleep.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn show(&self, place: Place<'_>) -> Result {
        self.sight.begin(Shown::new(place)?);
        self.areas.show(place)?;
        self.show_members();
        Ok(())
    }

    /// Has nothing seen of areas, members and owners any more.
    ///
    /// Context: process context, may sleep.
    pub(crate) fn hide(&self) {
        self.areas.hide();
        self.sight.end();
    }

    /// Writes all grants that members have, one a line: the domain, and the reference. By the hypervisor's own
    /// account (`xl debug-keys g`) these are mapped, unless a member is about to map or unmap some.
    pub(crate) fn grants(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = Ok(());
        let found = self.guests().and_then(|guests| {
            self.areas.each_grant(&guests, |domain, reference| {
                written = written.and(f.write_fmt(fmt!("{domain} {reference}\n")));
            })
        });
        found.map_err(|_| fmt::Error).and(written)
    }

    /// Members have come or gone.
    fn show_members(&self) {
        self.areas.show_members(|| self.guests());
    }

    /// Returns all members.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    fn guests(&self) -> Result<KVec<Arc<Worker<Guest>>>> {
        let guests = self.guests.lock();
        let mut list = KVec::with_capacity(guests.len(), GFP_KERNEL)?;
        for guest in guests.iter() {
            list.push(guest.clone(), GFP_KERNEL)?;
        }
        Ok(list)
    }

    /// `PAGESHARE_NEXT_MEMBER`.
    fn next_member(&self, call: Call) -> Result {
        let (mut reader, mut writer) = call.argument.reader_writer();
        let asked: ShareMember = reader.read()?;
        arguments::check(asked.version, &asked.reserved)?;
        let guests = self.guests()?;
        let mut guests = guests.iter();
        let next = guests.find(|guest| u64::from(guest.number()) > asked.number);
        let next = next.ok_or(ENOENT)?;
        let [granted, pages] = next.pages();
        writer.write(&ShareMember {
            version: SHARE_VERSION,
            domain: next.domain().number().into(),
            number: next.number().into(),
            mounts: next.mounts() as u64,
            granted: granted.into(),
            pages: pages.into(),
            ..ShareMember::default()
        })
    }

    /// Returns a member that is gone, which is not in the list any more.
    fn take_over(&self) -> Option<Arc<Worker<Guest>>> {
        let mut guests = self.guests.lock();
        let at = guests.iter().position(|guest| guest.is_over())?;
        guests.remove(at).ok()
    }

    /// Drops members that are gone. Returns whether there are others.
    fn reap(&self) -> bool {
        while let Some(over) = self.take_over() {
            // Not under the lock: it waits for the member's worker.
            self.show_members();
            drop(over);
        }
        !self.guests.lock().is_empty()
    }

    /// Ends all links.
    ///
    /// Context: process context, may sleep; nothing is mounted, or all programs are frozen.
    pub(crate) fn close(&self) {
        let guests = core::mem::take(&mut *self.guests.lock());
        for guest in &guests {
            guest.end();
        }
        self.show_members();
        for owner in self.owners.lock().iter() {
            owner.close();
        }
    }

    /// Ends all links, and all areas.
    ///
    /// Context: process context, may sleep; nothing is mounted, and no program has the device open.
    pub(crate) fn end(&self) {
        self.disks.clear();
        self.close();
        self.areas.clear();
        for owner in core::mem::take(&mut *self.owners.lock()) {
            owner.forget_worker();
        }
    }
}

impl Task for Driver {
    fn step(&self) -> Option<Msecs> {
        let next = self.answer_all();
        let left = self.reap() | self.areas.look_at_overdue();
        next.or(left.then_some(REAP_MS))
    }
}

impl Watcher for Worker<Driver> {
    fn changed(&self, path: &CStr) {
        let Some(wire::Path { member, owner }) = wire::parse_path(path.to_bytes()) else {
            return;
        };
        let own = self.own();
        let Some(caller) = DomId::new(u32::from(member)) else {
            return;
        };
        if owner != own.number() || caller == own {
            return;
        }
        // With no memory to note it the caller will call again.
        let noted = self.callers.lock().add(caller);
        if noted.is_ok_and(|is_new| is_new) {
            self.kick();
        }
    }
}

impl Pausing for Worker<Driver> {
    fn pause(&self) -> Result {
        for owner in self.owners.lock().iter() {
            owner.return_loans(None).inspect_err(|error| {
                pr_err!("no memory for what programs have of others: {error:?}\n");
            })?;
        }
        self.disks.shut();
        self.close();
        self.disks.wait();
        Ok(())
    }

    fn proceed(&self) {
        let ready = store::own_domid().and_then(|own| {
            self.own.store(u32::from(own.number()), Relaxed);
            self.prepare()
        });
        if let Err(error) = ready {
            pr_warn!("no other domain can be called any more: {error:?}\n");
        }
        for owner in self.owners.lock().iter() {
            owner.reopen();
        }
        self.disks.open();
        self.kick();
    }
}

impl Ioctl for Worker<Driver> {
    fn ioctl(&self, call: Call) -> Result {
        if Disks::is_asked(&call) {
            return self.disks.request(self, call);
        }
        if offer::is_asked(&call) {
            return offer::request(self, call);
        }
        match call.command {
            SHARE_WITHDRAW => self.areas.withdraw(call, &self.guests()?),
            SHARE_NEXT_MEMBER => self.next_member(call),
            _ => self.areas.request(call),
        }
    }
}
