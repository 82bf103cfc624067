//! What overwrote parts of the data, from JavaScript: patterns for a task, what is known of shards for a range, and what may
//! have come late to it.

use napi::Result;
use napi_derive::napi;
use seedstorm_engine::error::{Code, Error};
use seedstorm_engine::task::{LateWrites, Layer, Order, Overwrites, OwnShard, PatternSpec, Prefix, ShardHistory};

use crate::content::whole;
use crate::error::to_js;

/// Which operations a mixed task does.
#[napi(object)]
pub struct JsPattern {
    /// Tells stages apart.
    pub stage: u32,
    /// Of 2^16 operations, so many are writes.
    pub writes_of_65536: u32,
    /// Bytes of each operation.
    pub block_bytes: f64,
    /// Which blocks they go to.
    #[napi(ts_type = "'sequential' | 'random' | 'strided' | 'zipfian'")]
    pub order: String,
    /// Blocks from one operation to the next in a strided order.
    pub stride_blocks: f64,
    /// Of a zipfian order, times 1000.
    pub theta_milli: u32,
}

/// A mixed task that is over.
#[napi(object)]
pub struct JsLayer {
    /// What it did.
    pub pattern: JsPattern,
    /// Whether every unit was written after it.
    pub rewritten: bool,
}

/// What overwrote single blocks of the data, and what is to.
#[napi(object)]
pub struct JsOverwrites {
    /// Units of a shard, from each object's beginning on.
    pub shard_units: f64,
    /// Earlier mixed tasks, in order.
    pub layers: Vec<JsLayer>,
    /// What this task does, if it is mixed.
    pub own: Option<JsPattern>,
}

/// What is known of the operations on one shard.
#[napi(object)]
pub struct JsShardHistory {
    /// Of each earlier mixed task two numbers: operations below the first are done, none behind the second was begun.
    pub layers: Vec<f64>,
    /// Of this task: operations below are done.
    pub done: f64,
    /// Of this task: none behind was begun by others.
    pub reserved: f64,
    /// None behind may be begun until it is allowed.
    pub limit: f64,
    /// Operations end here.
    pub operations: f64,
}

/// What a lost holder may have written late, or may never have written.
#[napi(object)]
pub struct JsLateWrites {
    /// The first unit.
    pub first: f64,
    /// The unit behind the last one.
    pub end: f64,
    /// The first generation that may be found there.
    pub first_generation: u32,
    /// The generation behind the last one.
    pub end_generation: u32,
}

/// The engine's word for it.
pub fn overwrites_of(given: &JsOverwrites) -> Result<Overwrites> {
    let layer = |layer: &JsLayer| Ok(Layer { pattern: pattern_of(&layer.pattern)?, rewritten: layer.rewritten });
    Ok(Overwrites {
        shard_units: whole("units of a shard", given.shard_units)?,
        layers: given.layers.iter().map(layer).collect::<Result<_>>()?,
        own: given.own.as_ref().map(pattern_of).transpose()?,
    })
}

fn pattern_of(given: &JsPattern) -> Result<PatternSpec> {
    let order = match given.order.as_str() {
        "sequential" => Order::Sequential,
        "random" => Order::Uniform,
        "strided" => Order::Strided { cells: whole("stride", given.stride_blocks)? },
        "zipfian" => Order::Zipfian { theta: f64::from(given.theta_milli) / 1000.0 },
        other => {
            let what = format!("an order of blocks is “{other}”");
            let mend = "give sequential, random, strided or zipfian";
            return Err(to_js(&Error::new(Code::InvalidArgument, what, mend)));
        }
    };
    Ok(PatternSpec {
        stage: given.stage,
        writes_of_65536: given.writes_of_65536,
        order,
        block_bytes: whole("block", given.block_bytes)?,
    })
}

/// What is known of a shard.
pub fn history_of(given: &JsShardHistory) -> Result<ShardHistory> {
    let number = |value: f64| whole("a number of operations", value);
    let layers = given.layers.chunks(2).map(|pair| {
        // An odd number of them tells of one layer too few or too many, which the engine refuses.
        let reserved = pair.get(1).copied().unwrap_or(pair[0]);
        Ok(Prefix { done: number(pair[0])?, reserved: number(reserved)? })
    });
    Ok(ShardHistory {
        layers: layers.collect::<Result<_>>()?,
        own: OwnShard {
            before: Prefix { done: number(given.done)?, reserved: number(given.reserved)? },
            limit: number(given.limit)?,
            operations: number(given.operations)?,
        },
    })
}

/// What may have come late.
pub fn late_of(given: &JsLateWrites) -> Result<LateWrites> {
    let generation = |value: u32| {
        u16::try_from(value).map_err(|_| {
            let what = format!("there is no generation {value}");
            to_js(&Error::new(Code::InvalidArgument, what, "give generations up to 65,535"))
        })
    };
    Ok(LateWrites {
        units: whole("the first unit", given.first)?..whole("the end", given.end)?,
        generations: generation(given.first_generation)?..generation(given.end_generation)?,
    })
}
