//! Traffic between engines for JavaScript: what a network stage does on one host.

use std::sync::Arc;

use napi::bindgen_prelude::{BigInt, Object, Uint8Array};
use napi::{Env, Result};
use napi_derive::napi;
use seedstorm_engine::clock::now_ns;
use seedstorm_engine::error::{Code, Error};
use seedstorm_engine::network::{ListenOn, Network, NetworkSnapshot, NetworkSpec, TOKEN_BYTES, Target, Unreached};

use crate::content::{u64_of, whole, whole32};
use crate::ending::Ending;
use crate::engine::{NativeEngine, aside};
use crate::error::to_js;
use crate::hold::Hold;
use crate::settle::{Resolver, Settle, value};
use crate::snapshot::{JsPoolCounters, pool_of};

/// What lanes send, for how long, and where peers find them.
#[napi(object)]
pub struct JsNetworkSpec {
    /// Bytes in a block.
    pub block_bytes: f64,
    /// Sending connections of each lane, at least.
    pub streams: f64,
    /// How many lanes take part; all when absent.
    pub lanes: Option<f64>,
    /// How long they send, from the common start, in ns.
    pub duration_ns: f64,
    /// What every connection begins with: 32 bytes.
    pub token: Uint8Array,
    /// The address of this host to listen on.
    pub listen_address: Option<String>,
    /// Without it: listen on the address by which this host reaches that host:port.
    pub way_to: Option<String>,
}

/// Somebody to send to.
#[napi(object)]
pub struct JsTarget {
    /// The peer's number.
    pub peer: f64,
    /// Where it listens, as host:port.
    pub address: String,
}

/// A peer that could not be reached.
#[napi(object, object_from_js = false)]
pub struct JsUnreached {
    /// Its number.
    pub peer: u32,
    /// Where it was looked for, and why it was not found.
    pub why: String,
}

/// What was exchanged with one peer.
#[napi(object, object_from_js = false)]
pub struct JsPeerTraffic {
    /// The peer's number.
    pub peer: u32,
    /// Bytes that the system took to send to it.
    pub sent_bytes: f64,
    /// Bytes that came from it.
    pub received_bytes: f64,
    /// Connections that broke before their time.
    pub broken: f64,
    /// Why the first of them did.
    pub why: Option<String>,
}

/// How far the traffic has come. Counters are cumulative; histograms are what is new since the snapshot before.
#[napi(object, object_from_js = false)]
pub struct JsNetworkSnapshot {
    /// When this was taken, by the monotonic clock in ns.
    pub taken_ns: BigInt,
    /// When the first block was begun or byte received; 0: none yet.
    pub started_ns: BigInt,
    /// When the last bytes were taken by the system or received; 0: none yet.
    pub last_done_ns: BigInt,
    /// What each pool did; operations and bytes are what it sent.
    pub pools: Vec<JsPoolCounters>,
    /// What was exchanged with each peer.
    pub peers: Vec<JsPeerTraffic>,
    /// Connections that did not know the token.
    pub strangers: f64,
}

/// Traffic of one engine.
#[napi]
pub struct NativeNetwork {
    network: Arc<Network>,
    end: Arc<Ending<Network>>,
}

/// Listens, and gives the job to the lanes; on a thread of its own, for names may have to be looked up.
#[napi(ts_return_type = "Promise<NativeNetwork>")]
pub fn listen_network<'env>(env: &'env Env, engine: &NativeEngine, spec: JsNetworkSpec) -> Result<Object<'env>> {
    let spec = network_spec(&spec)?;
    let hold = engine.hold().clone();
    settled(env, "network-listen", move || NativeNetwork::listen(hold, spec).map(|network| value(|| network)))
}

impl NativeNetwork {
    fn listen(hold: Hold, spec: NetworkSpec) -> std::result::Result<Self, Error> {
        let end = Arc::new(Ending::default());
        let (at_end, engine) = (Arc::clone(&end), hold.clone());
        let ended = Box::new(move |outcome: std::result::Result<(), Error>| {
            at_end.tell(&outcome);
            drop(hold);
        });
        let network = Arc::new(Network::listen(&engine, spec, ended)?);
        Ok(Self { network, end })
    }
}

#[napi]
impl NativeNetwork {
    /// Where peers reach it, as host:port.
    #[napi]
    pub fn address(&self) -> String {
        self.network.address().to_string()
    }

    /// Connects, as peer number `own`, to those that it is to send to; tells who could not be reached.
    #[napi(ts_return_type = "Promise<JsUnreached[]>")]
    pub fn connect<'env>(&self, env: &'env Env, own: f64, targets: Vec<JsTarget>) -> Result<Object<'env>> {
        let own = whole32("the own number", own)?;
        let target = |JsTarget { peer, address }| whole32("a peer's number", peer).map(|peer| Target { peer, address });
        let targets = targets.into_iter().map(target).collect::<Result<Vec<_>>>()?;
        let network = Arc::clone(&self.network);
        settled(env, "network-dial", move || {
            let unreached = network.connect(own, &targets)?;
            let plain = |Unreached { peer, why }| JsUnreached { peer, why };
            Ok(value(move || unreached.into_iter().map(plain).collect::<Vec<_>>()))
        })
    }

    /// Settles when every lane has left and every connection is closed.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn ended<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        self.end.promise(env, &self.network)
    }

    /// What the engine has to say.
    #[napi]
    pub fn notes(&self) -> Vec<String> {
        self.network.notes()
    }

    /// Lanes begin at this instant of the monotonic clock, in ns.
    #[napi]
    pub fn begin_at(&self, ns: BigInt) -> Result<()> {
        self.network.begin_at(u64_of("the start", &ns)?);
        Ok(())
    }

    /// What was sent and received so far, gathered off JavaScript's thread.
    #[napi(ts_return_type = "Promise<JsNetworkSnapshot>")]
    pub fn snapshot<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let network = Arc::clone(&self.network);
        settled(env, "network-snapshot", move || {
            let snapshot = network.snapshot();
            Ok(value(|| snapshot_of(snapshot)))
        })
    }

    /// Lanes leave at once.
    #[napi]
    pub fn cancel(&self) {
        self.network.cancel();
    }
}

/// A promise of what `work` makes on a thread of its own.
fn settled<'env, T: napi::bindgen_prelude::ToNapiValue + 'static>(
    env: &'env Env,
    name: &str,
    work: impl FnOnce() -> std::result::Result<Resolver<T>, Error> + Send + 'static,
) -> Result<Object<'env>> {
    let (settle, promise) = Settle::<T>::new(env)?;
    let refused = settle.clone();
    if let Err(error) = aside(name, move || settle.with(work())) {
        refused.with(Err(error));
    }
    Ok(promise)
}

fn network_spec(given: &JsNetworkSpec) -> Result<NetworkSpec> {
    let invalid = |what: String, mend: &str| to_js(&Error::new(Code::InvalidArgument, what, mend));
    let token = <[u8; TOKEN_BYTES]>::try_from(given.token.as_ref());
    let listen = match (&given.listen_address, &given.way_to) {
        (Some(address), _) => match address.parse() {
            Ok(address) => ListenOn::Address(address),
            Err(_) => return Err(invalid(format!("“{address}” is no IP address"), "give one, such as 10.0.0.7")),
        },
        (None, Some(host)) => ListenOn::WayTo(host.clone()),
        (None, None) => return Err(invalid("no address to listen on was given".into(), "give one")),
    };
    Ok(NetworkSpec {
        block_bytes: whole("block", given.block_bytes)? as usize,
        streams: whole("streams", given.streams)? as usize,
        lanes: given.lanes.map(|lanes| whole("lanes", lanes).map(|lanes| lanes as usize)).transpose()?,
        duration_ns: whole("duration", given.duration_ns)?,
        token: token.map_err(|_| invalid(format!("the token has not {TOKEN_BYTES} bytes"), "make a new one"))?,
        listen,
    })
}

fn snapshot_of(snapshot: NetworkSnapshot) -> JsNetworkSnapshot {
    let peers = snapshot.peers.into_iter().map(|peer| JsPeerTraffic {
        peer: peer.peer,
        sent_bytes: peer.sent_bytes as f64,
        received_bytes: peer.received_bytes as f64,
        broken: peer.broken as f64,
        why: peer.why,
    });
    JsNetworkSnapshot {
        taken_ns: BigInt::from(now_ns()),
        started_ns: BigInt::from(snapshot.started_ns),
        last_done_ns: BigInt::from(snapshot.last_done_ns),
        pools: snapshot.pools.into_iter().map(pool_of).collect(),
        peers: peers.collect(),
        strangers: snapshot.strangers as f64,
    }
}
