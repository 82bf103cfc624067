/** What the ports of an agent's host carried in a stage, as rates. Pure. */
import type { AgentStageResult, HostNetwork } from '@seedstorm/proto';

/** The rates over a stage of `seconds`; ports that carried nothing and had no fault are left out. */
export function portResults(
  network: HostNetwork | undefined,
  seconds: number,
): Pick<AgentStageResult, 'ports' | 'tcpRetransmits'> {
  const perSecond = (bytes: bigint): number => (seconds > 0 ? Number(bytes) / seconds : 0);
  const ports = (network?.ports ?? []).filter(
    ({ receivedBytes, sentBytes, errors, drops }) => receivedBytes + sentBytes + errors + drops > 0n,
  );
  return {
    ports: ports.map(({ name, kind, receivedBytes, sentBytes, errors, drops }) => ({
      name,
      kind,
      receivedBytesPerSecond: perSecond(receivedBytes),
      sentBytesPerSecond: perSecond(sentBytes),
      errors,
      drops,
    })),
    tcpRetransmits: network?.tcpRetransmits ?? 0n,
  };
}
