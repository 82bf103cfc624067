//! Who keeps an engine alive: its JavaScript object, and work under way, so that an engine which nobody names any more
//! is not collected before its work is done. And what ends it at the latest: the end of JavaScript's environment.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::{Arc, Weak};

use napi::{Env, Result};
use seedstorm_engine::engine::Engine;

use crate::engine::aside;

/// A hold on an engine. The last one to go ends the lanes, on a thread of its own: they may have I/O in flight, and it
/// may go on JavaScript's thread (a collected object) or on a lane.
pub struct Hold(ManuallyDrop<Arc<Engine>>);

impl Hold {
    /// The first hold on an engine, taken on JavaScript's thread.
    pub fn new(env: &Env, engine: Engine) -> Result<Self> {
        let engine = Arc::new(engine);
        close_with_environment(env, &engine)?;
        Ok(Self(ManuallyDrop::new(engine)))
    }
}

impl Clone for Hold {
    fn clone(&self) -> Self {
        Self(ManuallyDrop::new(Arc::clone(&self.0)))
    }
}

impl Deref for Hold {
    type Target = Arc<Engine>;

    fn deref(&self) -> &Arc<Engine> {
        &self.0
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // SAFETY: taken here only, and nothing uses it after this.
        let engine = unsafe { ManuallyDrop::take(&mut self.0) };
        if let Some(last) = Arc::into_inner(engine) {
            // Without a thread to be had, dropped by `aside` on this one.
            let _ = aside("engine-drop", move || drop(last));
        }
    }
}

thread_local! {
    /// The engines of this thread's environment, and what closes them at its end; `None` before the first.
    static STARTED: RefCell<Option<Started>> = const { RefCell::new(None) };
}

struct Started {
    engines: Vec<Weak<Engine>>,
    /// Takes the hook back that closes them.
    unhook: Unhook,
}

type Unhook = Box<dyn FnOnce(&Env) -> Result<()>>;

/// Closes the engines at the end of the environment, unless taken back.
fn hook(env: &Env) -> Result<Unhook> {
    let hook = env.add_env_cleanup_hook((), |()| close_all())?;
    Ok(Box::new(move |env| env.remove_env_cleanup_hook(hook)))
}

/// Closes the engine when the environment ends (the process, or a worker thread) and nobody did before: its lanes may be
/// writing into memory that goes with the environment.
fn close_with_environment(env: &Env, engine: &Arc<Engine>) -> Result<()> {
    STARTED.with_borrow_mut(|started| {
        let mut now = match started.take() {
            Some(started) => started,
            None => Started { engines: Vec::new(), unhook: hook(env)? },
        };
        now.engines.retain(|engine| engine.strong_count() > 0);
        now.engines.push(Arc::downgrade(engine));
        *started = Some(now);
        Ok(())
    })
}

/// Sees to it that the environment's end closes the engines before it takes back the memory of external buffers that
/// were made until now: what was last to come is first to go, so the closing has to come after the buffers.
pub fn close_before_buffers(env: &Env) -> Result<()> {
    STARTED.with_borrow_mut(|started| {
        let Some(Started { engines, unhook }) = started.take() else { return Ok(()) };
        *started = Some(Started { engines, unhook: hook(env)? });
        unhook(env)
    })
}

fn close_all() {
    let started = STARTED.take();
    for engine in started.into_iter().flat_map(|started| started.engines).filter_map(|engine| engine.upgrade()) {
        // Closing fails on a lane only, and this is none.
        let _ = engine.close();
    }
}
