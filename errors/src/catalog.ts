/**
 * The one list of Seedstorm's error codes: what each means, its usual mend and the exit code it leads to.
 * `docs/errors.md` is made from it, and the native engine's codes are among it under the same names.
 */

/** What the `seedstorm` command ends with. */
export const ExitCode = {
  /** Done, and everything passed. */
  passed: 0,
  /** The run, or what the command was asked to do, failed. */
  failed: 1,
  /** The command line or the plan is wrong; nothing was done. */
  usage: 2,
  /** Done, but a criterion was missed, data was corrupt, or I/O errors were let pass. */
  criterion: 3,
  /** Stopped by the user, after a graceful stop. */
  stopped: 130,
} as const;

/** One of the exit codes of the `seedstorm` command. */
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Which part of Seedstorm an error is about; the sections of `docs/errors.md`. */
export type ErrorArea = 'command and plan' | 'cluster' | 'run' | 'target' | 'engine';

interface CatalogShape {
  readonly code: `SEEDSTORM_E_${string}`;
  readonly area: ErrorArea;
  readonly exit: ExitCode;
  readonly meaning: string;
  readonly mend: string;
}

/** Every error code, grouped by area. A code, once released, keeps its meaning. */
export const catalog = [
  {
    code: 'SEEDSTORM_E_USAGE',
    area: 'command and plan',
    exit: ExitCode.usage,
    meaning: 'The command line has an unknown command or option, or an option without a valid value.',
    mend: 'run the command with --help to see what it takes',
  },
  {
    code: 'SEEDSTORM_E_PLAN_UNREADABLE',
    area: 'command and plan',
    exit: ExitCode.usage,
    meaning: 'The plan file is missing, is not a readable text file, or is too long to be a plan.',
    mend: 'check the path and the rights of the plan file',
  },
  {
    code: 'SEEDSTORM_E_PLAN_SYNTAX',
    area: 'command and plan',
    exit: ExitCode.usage,
    meaning: 'The plan is not valid YAML.',
    mend: 'mend the YAML at the line and column given; indent with spaces',
  },
  {
    code: 'SEEDSTORM_E_PLAN_UNKNOWN_KEY',
    area: 'command and plan',
    exit: ExitCode.usage,
    meaning: 'The plan has a key that Seedstorm does not know at this place.',
    mend: 'see docs/reference/plan.md for the keys that a plan may have',
  },
  {
    code: 'SEEDSTORM_E_PLAN_INVALID',
    area: 'command and plan',
    exit: ExitCode.usage,
    meaning: 'A value in the plan is missing, malformed, out of range, or does not fit the rest of the plan.',
    mend: 'see docs/reference/plan.md for what the key takes',
  },
  {
    code: 'SEEDSTORM_E_INVALID_ARGUMENT',
    area: 'command and plan',
    exit: ExitCode.usage,
    meaning: 'A parameter is outside its valid range.',
    mend: 'give a value in the range that the message names',
  },
  {
    code: 'SEEDSTORM_E_COORDINATOR_UNREACHABLE',
    area: 'cluster',
    exit: ExitCode.failed,
    meaning: 'No coordinator answers at the address given.',
    mend: 'check that the coordinator runs and that its address and port are right',
  },
  {
    code: 'SEEDSTORM_E_PORT_TAKEN',
    area: 'cluster',
    exit: ExitCode.failed,
    meaning: 'Another process listens on the address and port that the coordinator was to use.',
    mend: 'stop the other process, or choose another port with --listen',
  },
  {
    code: 'SEEDSTORM_E_PROTOCOL_VERSION',
    area: 'cluster',
    exit: ExitCode.failed,
    meaning: 'Agent, operator and coordinator do not speak the same version of the protocol.',
    mend: 'install the same version of Seedstorm on both sides',
  },
  {
    code: 'SEEDSTORM_E_UNAUTHENTICATED',
    area: 'cluster',
    exit: ExitCode.failed,
    meaning: 'The coordinator does not accept the token it was shown.',
    mend: 'give the token file that the coordinator wrote when it started',
  },
  {
    code: 'SEEDSTORM_E_MESSAGE_INVALID',
    area: 'cluster',
    exit: ExitCode.failed,
    meaning: 'A message from the other side is malformed or comes at the wrong time.',
    mend: 'install the same version of Seedstorm on both sides; if it stays, report it as a bug',
  },
  {
    code: 'SEEDSTORM_E_LIMIT',
    area: 'cluster',
    exit: ExitCode.failed,
    meaning: 'A limit on the number or the length of messages, agents, runs, queues or open files was passed.',
    mend: 'ask for less at a time; the message names the limit',
  },
  {
    code: 'SEEDSTORM_E_NO_AGENTS',
    area: 'cluster',
    exit: ExitCode.failed,
    meaning: 'Fewer agents joined in time than the plan needs.',
    mend: 'start more agents, or lower agents.minimum in the plan',
  },
  {
    code: 'SEEDSTORM_E_AGENT_REFUSED',
    area: 'cluster',
    exit: ExitCode.failed,
    meaning: 'The coordinator does not let this agent join.',
    mend: 'read the reason in the message; an agent needs a name that no other agent uses',
  },
  {
    code: 'SEEDSTORM_E_AGENT_LOST',
    area: 'cluster',
    exit: ExitCode.failed,
    meaning: 'An agent fell silent, and what it held could not be handed to another.',
    mend: "look at the agent's log and at the network between it and the coordinator",
  },
  {
    code: 'SEEDSTORM_E_NETWORK',
    area: 'cluster',
    exit: ExitCode.failed,
    meaning: 'The network refuses what a network stage needs: an address, a port, a connection between two agents.',
    mend: 'look at the addresses and firewalls of the hosts that the message names',
  },
  {
    code: 'SEEDSTORM_E_RUN_NOT_FOUND',
    area: 'run',
    exit: ExitCode.usage,
    meaning: 'The coordinator knows no run of this id.',
    mend: 'check the run id; the coordinator prints it when a run begins',
  },
  {
    code: 'SEEDSTORM_E_RUN_RECORD_MISSING',
    area: 'run',
    exit: ExitCode.usage,
    meaning: "The coordinator's data folder has no record of the run whose data a plan is about.",
    mend: 'see `seedstorm runs` for the runs that are known; --data names the folder of the coordinator that ran it',
  },
  {
    code: 'SEEDSTORM_E_RUN_RECORD_UNREADABLE',
    area: 'run',
    exit: ExitCode.failed,
    meaning: 'The record of a run is damaged, is none, or was made by a newer version; it is left as it is.',
    mend: 'put the file back from a copy, or use the version that made it',
  },
  {
    code: 'SEEDSTORM_E_RUN_RECORD_UNWRITABLE',
    area: 'run',
    exit: ExitCode.failed,
    meaning: "The record of a run could not be written: its data cannot be verified by the run's id later.",
    mend: 'give the coordinator a folder that it may write to, with --data or SEEDSTORM_DATA',
  },
  {
    code: 'SEEDSTORM_E_RUN_DATA_DELETED',
    area: 'run',
    exit: ExitCode.usage,
    meaning: 'The data of the earlier run was deleted, or its deletion was begun.',
    mend: 'let a run keep its data: without a delete stage, or with --keep',
  },
  {
    code: 'SEEDSTORM_E_RUN_DATA_UNKNOWN',
    area: 'run',
    exit: ExitCode.failed,
    meaning: 'The record of the earlier run does not say what its data must be.',
    mend: 'see docs/run-records.md for what a record knows; write the data again with a run that keeps it',
  },
  {
    code: 'SEEDSTORM_E_RUN_DATA_REPEATED',
    area: 'run',
    exit: ExitCode.usage,
    meaning: 'A plan sets the seed and the namespace of an earlier run, so that its bytes are the same.',
    mend: 'leave out seed or namespace, unless the same bytes are wanted',
  },
  {
    code: 'SEEDSTORM_E_RUN_BUSY',
    area: 'run',
    exit: ExitCode.failed,
    meaning: 'Another run holds the agents.',
    mend: 'wait until the other run has ended, or cancel it',
  },
  {
    code: 'SEEDSTORM_E_STAGE_FAILED',
    area: 'run',
    exit: ExitCode.failed,
    meaning: 'A stage ended before all of its units were done.',
    mend: 'see the first error that the message names',
  },
  {
    code: 'SEEDSTORM_E_TOO_MANY_ERRORS',
    area: 'run',
    exit: ExitCode.failed,
    meaning: "A stage had more I/O errors than the plan's `errors` lets pass.",
    mend: 'look at the errors that the result lists by kind, file, agent and lane; mend the storage, or raise the limit',
  },
  {
    code: 'SEEDSTORM_E_UNITS_LOST',
    area: 'run',
    exit: ExitCode.failed,
    meaning: 'Units are left that no living agent can do.',
    mend: 'start an agent that can reach the target, and run again',
  },
  {
    code: 'SEEDSTORM_E_DATA_CORRUPT',
    area: 'run',
    exit: ExitCode.criterion,
    meaning: 'Verification found bytes that are not the ones that were written.',
    mend: 'the report names each file, offset and unit; faulty files are kept as evidence',
  },
  {
    code: 'SEEDSTORM_E_STOPPED',
    area: 'run',
    exit: ExitCode.stopped,
    meaning: 'The run was stopped by the user before its end.',
    mend: 'run it again to get a whole result',
  },
  {
    code: 'SEEDSTORM_E_CANCELLED',
    area: 'run',
    exit: ExitCode.stopped,
    meaning: 'The task was cancelled.',
    mend: 'run it again to get a whole result',
  },
  {
    code: 'SEEDSTORM_E_SPACE',
    area: 'target',
    exit: ExitCode.failed,
    meaning: "The target has less free space than the plan's data needs; nothing was written.",
    mend: 'free some space, choose another target, or lower data.size',
  },
  {
    code: 'SEEDSTORM_E_TARGET_MISSING',
    area: 'target',
    exit: ExitCode.failed,
    meaning: 'The target folder does not exist.',
    mend: 'make the folder, or mend target.path in the plan',
  },
  {
    code: 'SEEDSTORM_E_TARGET_NOT_WRITABLE',
    area: 'target',
    exit: ExitCode.failed,
    meaning: 'The target cannot be written to, or is not a folder.',
    mend: 'give the user that runs the agents the right to write there, or choose another target.path',
  },
  {
    code: 'SEEDSTORM_E_DISK_FULL',
    area: 'target',
    exit: ExitCode.failed,
    meaning: 'The file system has no room left.',
    mend: 'free some space, choose another target, or lower data.size',
  },
  {
    code: 'SEEDSTORM_E_DIRECT_REFUSED',
    area: 'target',
    exit: ExitCode.failed,
    meaning: 'The file system refuses O_DIRECT and the plan insists on it.',
    mend: 'set target.io.direct to auto or false',
  },
  {
    code: 'SEEDSTORM_E_IO_ENGINE',
    area: 'target',
    exit: ExitCode.failed,
    meaning: 'The way for I/O that the plan names cannot be had on this agent.',
    mend: 'set target.io.engine to auto, which takes the best that the kernel has',
  },
  {
    code: 'SEEDSTORM_E_UNALIGNED',
    area: 'target',
    exit: ExitCode.failed,
    meaning:
      "The block or the unit is no multiple of what the target's file system wants of O_DIRECT; nothing was written.",
    mend: 'choose a block and a unit that are multiples of what the message names, or set target.io.direct to false',
  },
  {
    code: 'SEEDSTORM_E_PREALLOCATE_REFUSED',
    area: 'target',
    exit: ExitCode.failed,
    meaning: 'The file system cannot preallocate and the plan insists on it.',
    mend: 'set target.io.preallocate to auto or false',
  },
  {
    code: 'SEEDSTORM_E_DROP_CACHES_REFUSED',
    area: 'target',
    exit: ExitCode.failed,
    meaning: "A host's page cache could not be dropped and the plan insists on it.",
    mend: 'run the agents as root, or set dropCaches to auto',
  },
  {
    code: 'SEEDSTORM_E_TARGET_LOCKED',
    area: 'target',
    exit: ExitCode.failed,
    meaning: 'Another run is using the target; nothing was written.',
    mend: 'wait until the other run has ended, choose another target, or set target.shareTarget in both plans',
  },
  {
    code: 'SEEDSTORM_E_TARGET_NOT_SHARED',
    area: 'target',
    exit: ExitCode.failed,
    meaning:
      'Agents do not see in the target, which is said to be shared, what others wrote there; no data was written.',
    mend: 'mount the same file system on every node, or set target.scope to local; of a store, look where the names of its endpoints lead on every node',
  },
  {
    code: 'SEEDSTORM_E_TARGET_OUTSIDE',
    area: 'target',
    exit: ExitCode.failed,
    meaning:
      'A name in the target leads out of it by a symbolic link, or two paths of the target are one; nothing was written.',
    mend: 'remove the symbolic link, or name each folder itself and once',
  },
  {
    code: 'SEEDSTORM_E_OBJECT_MISSING',
    area: 'target',
    exit: ExitCode.failed,
    meaning: 'An object that the layout names is not there, or is shorter than the layout says.',
    mend: 'find out who removed or cut it; the message names the object',
  },
  {
    code: 'SEEDSTORM_E_DEVICE_UNFIT',
    area: 'target',
    exit: ExitCode.failed,
    meaning: 'The target is no block device, or its size or sectors do not suit the plan; nothing was written.',
    mend: 'give the path of a block device, and sizes that are multiples of its sector and lie within it',
  },
  {
    code: 'SEEDSTORM_E_DEVICE_IDENTITY',
    area: 'target',
    exit: ExitCode.failed,
    meaning: 'The device is not the one that the plan names, or not the one that the other agents see.',
    mend: 'compare target.device and target.identity with what `seedstorm check` prints for each agent',
  },
  {
    code: 'SEEDSTORM_E_DEVICE_IN_USE',
    area: 'target',
    exit: ExitCode.failed,
    meaning: 'The device, one of its partitions or its disk is mounted, is swap, or is part of another device.',
    mend: 'unmount or detach it if it is the device that is meant; nothing lets Seedstorm write to a device in use',
  },
  {
    code: 'SEEDSTORM_E_DEVICE_NOT_EMPTY',
    area: 'target',
    exit: ExitCode.failed,
    meaning: 'There is something on the device that would be lost.',
    mend: 'choose an empty device; if all that is on this one may be lost, repeat its identity as target.identity',
  },
  {
    code: 'SEEDSTORM_E_ACCESS_DENIED',
    area: 'target',
    exit: ExitCode.failed,
    meaning: 'The object store refuses the credentials, or the agent finds none.',
    mend: 'give the agents credentials by AWS_ variables or a profile, and look at what the bucket lets them do',
  },
  {
    code: 'SEEDSTORM_E_UNREACHABLE',
    area: 'target',
    exit: ExitCode.failed,
    meaning: 'A server of the target cannot be reached, does not answer in time, or the connection to it broke.',
    mend: 'look whether the server runs and whether the agents can reach it',
  },
  {
    code: 'SEEDSTORM_E_IO',
    area: 'target',
    exit: ExitCode.failed,
    meaning: 'The operating system reports an error on an I/O.',
    mend: 'look at the kernel log of the node and at the state of the storage',
  },
  {
    code: 'SEEDSTORM_E_ENGINE_CLOSED',
    area: 'engine',
    exit: ExitCode.failed,
    meaning: 'The engine was closed before this call.',
    mend: 'make a new engine; one that is closed stays closed',
  },
  {
    code: 'SEEDSTORM_E_CLOSE_ON_LANE',
    area: 'engine',
    exit: ExitCode.failed,
    meaning: 'The engine was asked to close by one of its own lanes, which would wait for itself.',
    mend: 'close the engine from another thread than its lanes',
  },
  {
    code: 'SEEDSTORM_E_QUEUE_FULL',
    area: 'engine',
    exit: ExitCode.failed,
    meaning: 'As much work waits for the engine as it takes.',
    mend: 'wait until some of the work is done before asking for more',
  },
  {
    code: 'SEEDSTORM_E_SELF_CHECK_FAILED',
    area: 'engine',
    exit: ExitCode.failed,
    meaning: 'Bytes that a lane had just made in memory did not verify.',
    mend: 'do not trust this machine: test its memory and CPU, then report it as a bug',
  },
  {
    code: 'SEEDSTORM_E_LANE_PANICKED',
    area: 'engine',
    exit: ExitCode.failed,
    meaning: 'A lane panicked while it worked on the task. This is a bug in Seedstorm.',
    mend: 'report it as a bug, with the message and the plan',
  },
  {
    code: 'SEEDSTORM_E_LANE_START',
    area: 'engine',
    exit: ExitCode.failed,
    meaning: 'The system refused to start or to pin a thread.',
    mend: "raise the limit on threads (ulimit -u, the cgroup's pids.max), or use fewer lanes",
  },
  {
    code: 'SEEDSTORM_E_TOPOLOGY_UNREADABLE',
    area: 'engine',
    exit: ExitCode.usage,
    meaning: 'hwloc could not load the machine, the XML file or the synthetic description.',
    mend: 'check the XML file or the synthetic description with lstopo',
  },
  {
    code: 'SEEDSTORM_E_NO_CORES',
    area: 'engine',
    exit: ExitCode.usage,
    meaning: 'Nothing is left to place a lane on.',
    mend: 'reserve fewer cores, allow more NUMA nodes, or widen the cpuset of the process',
  },
  {
    code: 'SEEDSTORM_E_OUT_OF_MEMORY',
    area: 'engine',
    exit: ExitCode.failed,
    meaning: 'A buffer could not be had.',
    mend: 'free memory on the NUMA node, use fewer lanes, or a smaller block',
  },
  {
    code: 'SEEDSTORM_E_NUMA_MEMORY',
    area: 'engine',
    exit: ExitCode.failed,
    meaning: 'Strict memory does not lie, or would not fit, on its NUMA node.',
    mend: 'free memory on the node, use smaller buffers or fewer lanes there, or ask for preferred memory',
  },
  {
    code: 'SEEDSTORM_E_HUGE_PAGES',
    area: 'engine',
    exit: ExitCode.failed,
    meaning: 'Explicit huge pages were asked for, and too few are set aside.',
    mend: 'set more aside in nr_hugepages, or ask for transparent ones',
  },
  {
    code: 'SEEDSTORM_E_INTERNAL',
    area: 'engine',
    exit: ExitCode.failed,
    meaning: 'Something happened that the code holds to be impossible. This is a bug in Seedstorm.',
    mend: 'report it as a bug, with the message and the plan',
  },
] as const satisfies readonly CatalogShape[];

/** A stable error code, such as `SEEDSTORM_E_PLAN_INVALID`. */
export type ErrorCode = (typeof catalog)[number]['code'];

/** What the catalogue says about one code. */
export type CatalogEntry = CatalogShape & { readonly code: ErrorCode };

const byCode: ReadonlyMap<string, CatalogEntry> = new Map(catalog.map((entry) => [entry.code, entry]));

/** Whether a string is one of the codes of this version. */
export function isErrorCode(code: string): code is ErrorCode {
  return byCode.has(code);
}

/** What the catalogue says about a code. */
export function catalogEntry(code: ErrorCode): CatalogEntry {
  const entry = byCode.get(code);
  if (entry === undefined) throw new TypeError(`not an error code: ${code}`);
  return entry;
}

/**
 * The code for a name without the `SEEDSTORM_E_` in front, as the native engine gives it (`DISK_FULL`).
 * Returns undefined for a name that this version does not know.
 */
export function codeFromName(name: string): ErrorCode | undefined {
  const code = `SEEDSTORM_E_${name}`;
  return isErrorCode(code) ? code : undefined;
}
