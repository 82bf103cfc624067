/** What both ends of a connection must agree on: protocol version, message limits, keepalive, the token's header. */
import { type ChannelOptions, credentials, logVerbosity, Metadata, setLogVerbosity } from '@grpc/grpc-js';

// What goes wrong comes as an error, which is shown once and in Seedstorm's words; grpc-js would print lines beside it.
if (process.env.GRPC_VERBOSITY === undefined) setLogVerbosity(logVerbosity.NONE);

/** Rises when an agent and a coordinator of different versions could misunderstand each other. */
export const protocolVersion = 1;

/** The longest message that a coordinator takes, in bytes. A report of 24 pools with full histograms is about 1 MiB. */
const maxMessageBytes = 4 * 1024 * 1024;

/** The longest answer that a client takes of its coordinator, in bytes: the result of a run on thousands of agents. */
const maxAnswerBytes = 64 * 1024 * 1024;

/** Channel options of every client and server: explicit limits, and keepalive that finds dead peers behind firewalls. */
export const channelOptions: ChannelOptions = {
  'grpc.max_receive_message_length': maxMessageBytes,
  'grpc.max_send_message_length': maxAnswerBytes,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.enable_retries': 0,
};

/**
 * Channel options of clients. No proxy from the environment stands between nodes of one cluster. A channel by itself
 * would wait for up to two minutes before it dials again, whatever its user does.
 */
export const clientChannelOptions: ChannelOptions = {
  ...channelOptions,
  'grpc.max_receive_message_length': maxAnswerBytes,
  'grpc.max_send_message_length': maxMessageBytes,
  'grpc.enable_http_proxy': 0,
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 5000,
};

/** Credentials of a connection without TLS. */
export const insecureCredentials = credentials.createInsecure();

const header = 'authorization';

/** The metadata that every call carries. */
export function tokenMetadata(token: string): Metadata {
  const metadata = new Metadata();
  metadata.set(header, `Bearer ${token}`);
  return metadata;
}

/** The token that a call carries, or undefined. */
export function tokenOf(metadata: Metadata): string | undefined {
  const [value] = metadata.get(header);
  return typeof value === 'string' && value.startsWith('Bearer ') ? value.slice('Bearer '.length) : undefined;
}

/** Whether what is sent to an address never leaves this host. */
export function isLoopback(address: string): boolean {
  const host = address.slice(0, address.lastIndexOf(':'));
  return host === 'localhost' || host === '[::1]' || /^127\.\d+\.\d+\.\d+$/u.test(host);
}
