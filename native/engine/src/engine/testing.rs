//! Engines for the crate's own tests, on machines that nobody needs to have, and a job that keeps them busy.

use std::sync::{Arc, Condvar, Mutex};

use super::{Engine, EngineOptions};
use crate::error::{Error, Result};
use crate::lane::{Job, Lane};
use crate::topology::{Topology, TopologySource};

/// An engine of this many lanes on a made-up machine, unpinned, so that any machine can run it.
pub(crate) fn unpinned(lanes: usize) -> Engine {
    let topology = Topology::load(&TopologySource::Synthetic(format!("numa:1 core:{lanes} pu:1"))).unwrap();
    let options = EngineOptions { buffer_bytes: 4096, pin: false, ..EngineOptions::on(Arc::new(topology)) };
    Engine::new(options).unwrap()
}

/// A job that stays in every lane until it is aborted.
#[derive(Default)]
pub(crate) struct Endless {
    state: Mutex<(usize, bool, Vec<Result<()>>)>,
    changed: Condvar,
}

impl Endless {
    /// Waits until this many lanes are in it.
    pub(crate) fn wait_until_inside(&self, lanes: usize) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |state| state.0 < lanes).unwrap());
    }
    /// What `finished` was called with, each time.
    pub(crate) fn outcomes(&self) -> Vec<Result<()>> {
        self.state.lock().unwrap().2.clone()
    }
}

impl Job for Endless {
    fn run(&self, _: &mut Lane) {
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |state| !state.1).unwrap());
    }
    fn abort(&self, _: &Error) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }
    fn finished(&self, outcome: Result<()>) {
        self.state.lock().unwrap().2.push(outcome);
    }
}
