/** The agents' stream: from bytes on the wire to members and what they say. Must not know what is said. */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { SeedstormError } from '@seedstorm/errors';
import { type AgentServiceServer, type AttendRequest, type AttendResponse, toStatus } from '@seedstorm/proto';
import type { Member } from '../membership/member.js';
import type { Members } from '../membership/members.js';

/** An agent that does not introduce itself holds a place that others need. */
const helloTimeoutMs = 10_000;

/** The service that agents call. */
export function agentService(members: Members, log: (line: string) => void): AgentServiceServer {
  return { attend: (call) => attend(call, members, log) };
}

type Call = ServerDuplexStream<AttendRequest, AttendResponse>;

function attend(call: Call, members: Members, log: (line: string) => void): void {
  let member: Member | undefined;
  let refused = false;
  const stream = { write: (message: AttendResponse) => call.write(message), end: () => call.end() };
  const refuse = (error: unknown): void => {
    refused = true;
    log(`refused ${member?.name ?? call.getPeer()}: ${error instanceof Error ? error.message : String(error)}`);
    call.emit('error', toStatus(error));
  };
  const late = setTimeout(
    () => refuse(new SeedstormError({ code: 'SEEDSTORM_E_MESSAGE_INVALID', what: 'no Hello came in time' })),
    helloTimeoutMs,
  );
  const gone = (): void => {
    clearTimeout(late);
    if (member !== undefined) members.disconnected(member, stream);
  };
  call.on('data', ({ message }: AttendRequest) => {
    // What was on its way when the refusal was sent is not listened to.
    if (refused) return;
    try {
      if (message === undefined) {
        throw new SeedstormError({
          code: 'SEEDSTORM_E_MESSAGE_INVALID',
          what: 'a message says nothing that is known here',
        });
      }
      if (member !== undefined) {
        members.receive(member, message);
        return;
      }
      if (message.$case !== 'hello') {
        throw new SeedstormError({ code: 'SEEDSTORM_E_MESSAGE_INVALID', what: 'the first message is not Hello' });
      }
      clearTimeout(late);
      member = members.admit(message.value, stream);
    } catch (error) {
      refuse(error);
    }
  });
  call.on('error', gone);
  call.on('cancelled', gone);
  call.on('end', () => {
    gone();
    call.end();
  });
}
