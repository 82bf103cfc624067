/**
 * One agent's part in the proof that all agents see one target: writes a token, looks for those of others, removes what
 * was written. Leaves nothing behind; must not know who the others are.
 */
import { SeedstormError } from '@seedstorm/errors';
import { type ProbeTarget, type TargetProbed, type Token, toErrorDetail, type Unseen } from '@seedstorm/proto';
import { type Notes, placesOf } from './notes.js';

/** How long a token is looked for: clients of network file systems remember for some seconds what was not there. */
const patienceMs = 6000;
const pauseMs = 200;
const proofPattern = /^[0-9a-f]{8,64}$/u;

/** Does one step of the proof; what goes wrong is in the answer. */
export async function probeTarget(question: ProbeTarget): Promise<TargetProbed> {
  const answer: TargetProbed = { id: question.id, error: undefined, unseen: [] };
  try {
    const { target, proof, step, own, others } = question;
    if (!proofPattern.test(proof)) {
      throw new SeedstormError({ code: 'SEEDSTORM_E_MESSAGE_INVALID', what: 'a proof needs a name' });
    }
    const { written, seen } = placesOf(target, `.seedstorm-check-${proof}`);
    const ownToken = own === undefined ? [] : [own];
    if (step === 'write') {
      for (const place of written) for (const { agent, token } of ownToken) await place.write(String(agent), token);
    }
    // Whoever comes last removes the folder too; what others left there who are gone by now goes with it.
    if (step === 'remove') await Promise.all(written.map((place) => remove(place, [...ownToken, ...others])));
    // Its own is seen through the place that it was written to; through another way to the target it need not be.
    const more = seen.length > written.length ? ownToken : [];
    if (step === 'read') answer.unseen = await unseen(seen, [...others, ...more]);
  } catch (error) {
    answer.error = toErrorDetail(error);
  }
  return answer;
}

/** The tokens that do not turn up in time. */
async function unseen(places: readonly Notes[], tokens: readonly Token[]): Promise<Unseen[]> {
  const deadline = performance.now() + patienceMs;
  let missing = places.flatMap((place) => tokens.map((token) => ({ place, token })));
  for (;;) {
    const names = new Map<Notes, Set<string>>();
    for (const place of new Set(missing.map((each) => each.place))) names.set(place, new Set(await place.names()));
    const looked = await Promise.all(
      missing.map(async (each) => {
        const { place, token } = each;
        const name = String(token.agent);
        const text = names.get(place)?.has(name) === true ? await place.read(name) : undefined;
        return text === token.token ? [] : [each];
      }),
    );
    missing = looked.flat();
    if (missing.length === 0 || performance.now() > deadline) break;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return missing.map(({ place, token }) => ({ path: place.where, agent: token.agent }));
}

async function remove(place: Notes, tokens: readonly Token[]): Promise<void> {
  for (const { agent } of tokens) await place.remove(String(agent));
  await place.tidy();
}
