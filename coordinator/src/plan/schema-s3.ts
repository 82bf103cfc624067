/** The keys of an S3 target. A part of schema.ts, which says how plans are looked at. */
import { z } from 'zod';
import { key } from './key-docs.js';
import { choice, decimal, duration, integer, size, text } from './leaf.js';
import { shareTarget } from './schema-share.js';
import { formatDuration, formatSize } from './units.js';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
const TiB = 1024 ** 4;

/** The most objects that may be asked for by number. */
const maxCount = 1_000_000_000;
/** The largest object that S3 takes. */
const maxObjectBytes = 5 * TiB;
/** The most endpoints: many times what a store has nodes. */
const maxEndpoints = 1000;

/** The values of keys that an S3 target leaves out. */
export const s3Defaults = {
  style: 'path',
  signing: 'signed',
  attempts: 1,
  backoffMs: 100,
  timeoutMs: 60_000,
  partBytes: 16 * MiB,
} as const;

/** Whether an address has a user or a password in it, which must not be shown. */
export function hasSecret(endpoint: string): boolean {
  const { username, password } = new URL(endpoint);
  return username !== '' || password !== '';
}

const endpoint = () =>
  text({
    takes: 'address, http or https',
    hint: 'write it as https://host or https://host:port',
    fault: (value) => {
      const url = URL.canParse(value) ? new URL(value) : undefined;
      if (url === undefined || !['http:', 'https:'].includes(url.protocol)) return 'is not an address of a server';
      // Refused by checks.ts: a message here would repeat it.
      if (hasSecret(value)) return undefined;
      return url.search + url.hash === '' && url.pathname === '/' ? undefined : 'has more than host and port';
    },
  });

const objectSize = () => size({ minimum: 4096, maximum: maxObjectBytes });

const sizes = z
  .strictObject({
    uniform: key(
      z
        .strictObject({
          min: key(objectSize(), { meaning: 'The smallest size.', example: 'min: 1MiB' }),
          max: key(objectSize(), { meaning: 'The largest size.', example: 'max: 64MiB' }),
        })
        .optional(),
      {
        meaning: 'All sizes between two are as likely.',
        default: 'lognormal decides',
        example: 'uniform: { min: 1MiB, max: 64MiB }',
      },
    ),
    lognormal: key(
      z
        .strictObject({
          median: key(objectSize(), { meaning: 'Half of the objects are smaller.', example: 'median: 4MiB' }),
          sigma: key(decimal({ minimum: 0.001, maximum: 5 }), {
            meaning: 'Standard deviation of the natural logarithm of the sizes.',
            example: 'sigma: 1.2',
          }),
          max: key(objectSize(), { meaning: 'Larger ones get this size.', example: 'max: 1GiB' }),
        })
        .optional(),
      {
        meaning: 'Many small objects and a few large ones, as buckets of users have them.',
        default: 'uniform decides',
        example: 'lognormal: { median: 4MiB, sigma: 1.2, max: 1GiB }',
      },
    ),
  })
  .refine((each) => (each.uniform === undefined) !== (each.lognormal === undefined), {
    message: 'needs either uniform or lognormal',
    params: { mend: 'write one of them, such as sizes: { uniform: { min: 1MiB, max: 64MiB } }' },
  })
  .meta({ minProperties: 1, maxProperties: 1 });

/** An S3 target. */
export const s3Target = z.strictObject({
  kind: key(z.literal('s3'), {
    meaning: "Objects in a bucket. Credentials come from each agent's environment or profile, never from the plan.",
    example: 'kind: s3',
  }),
  endpoint: key(endpoint().optional(), {
    meaning: 'The address of the store.',
    default: 'endpoints says it',
    example: 'endpoint: https://s3.example.com',
  }),
  endpoints: key(z.array(endpoint()).min(1).max(maxEndpoints).optional(), {
    meaning: 'Several addresses of one store, dealt out to the lanes of each agent by number.',
    default: 'endpoint says it',
    example: 'endpoints: [http://s3-1:9000, http://s3-2:9000]',
  }),
  bucket: key(
    text({
      takes: 'name of a bucket',
      hint: 'write 3 to 63 lower-case letters, digits, dots and hyphens',
      pattern: '^[a-z0-9._-]{3,63}$',
      fault: (bucket) => (/^[a-z0-9._-]{3,63}$/u.test(bucket) ? undefined : 'is not a name of a bucket'),
    }),
    { meaning: 'An existing bucket.', example: 'bucket: qualify' },
  ),
  prefix: key(
    text({
      takes: 'text, at most 900 bytes of UTF-8',
      hint: 'write parts between slashes such as teams/storage, none of them empty, . or ..',
      fault: (prefix) => {
        const parts = prefix.replace(/^\/|\/$/gu, '').split('/');
        if (parts.some((part) => ['', '.', '..'].includes(part))) return 'has a part that no key can have';
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
        if (/[\u0000-\u001f\u007f]/u.test(prefix)) return 'has a control character in it';
        // Behind it come the run id and the name of the object, in the 1024 bytes that S3 allows a key.
        return Buffer.byteLength(prefix) > 900 ? 'is longer than 900 bytes, so that keys would be too long' : undefined;
      },
    }).optional(),
    { meaning: 'What all keys begin with, before the run id.', default: 'nothing', example: 'prefix: qualify' },
  ),
  shareTarget,
  region: key(
    text({
      takes: 'text',
      hint: 'write the name of a region such as eu-west-1',
      pattern: '^[A-Za-z0-9-]{1,64}$',
      fault: (region) => (/^[A-Za-z0-9-]{1,64}$/u.test(region) ? undefined : 'is not a name of a region'),
    }).optional(),
    {
      meaning: 'The region of the signatures.',
      default: "what the agent's environment or profile says, else us-east-1",
      example: 'region: eu-west-1',
    },
  ),
  style: key(choice(['path', 'virtual']).optional(), {
    meaning: 'Where the bucket is named: in the path (https://host/bucket) or in the host (https://bucket.host).',
    default: s3Defaults.style,
    example: 'style: virtual',
  }),
  ca: key(
    text({
      takes: 'path',
      hint: 'write the path of a PEM file that every agent has',
      fault: (path) => (path.startsWith('/') && !path.includes('\0') ? undefined : 'is not an absolute path'),
    }).optional(),
    {
      meaning: "A PEM file on each agent, of certificate authorities to trust besides the system's.",
      default: "the system's only",
      example: 'ca: /etc/ssl/store-ca.pem',
    },
  ),
  signing: key(choice(['signed', 'unsigned']).optional(), {
    meaning:
      'Whether signatures cover the bytes. signed costs the agents a SHA-256 of all that they write; unsigned is what most clients do over TLS.',
    default: s3Defaults.signing,
    example: 'signing: unsigned',
  }),
  retries: key(
    z
      .strictObject({
        attempts: key(integer({ minimum: 1, maximum: 100 }).optional(), {
          meaning: 'Attempts in all at a request that fails in a way that may pass.',
          default: String(s3Defaults.attempts),
          example: 'attempts: 3',
        }),
        backoff: key(duration({ minimum: '0s', maximum: '60s' }).optional(), {
          meaning: 'Wait before the second attempt; it doubles with each further one, up to 10s.',
          default: formatDuration(s3Defaults.backoffMs),
          example: 'backoff: 100ms',
        }),
      })
      .optional(),
    {
      meaning: 'What is done about requests that fail. Each attempt is measured and counted by itself.',
      default: 'every failure counts as an error at once',
      example: 'retries: { attempts: 3, backoff: 100ms }',
    },
  ),
  timeout: key(duration({ minimum: '1s', maximum: '1h' }).optional(), {
    meaning: 'After this long an attempt is given up.',
    default: formatDuration(s3Defaults.timeoutMs),
    example: 'timeout: 30s',
  }),
  part: key(size({ minimum: 5 * MiB, maximum: 5 * GiB, multiple: 4096 }).optional(), {
    meaning:
      'Bytes in one request: larger objects are written in parts (multipart upload) and read in ranges of this size. Divides the unit or is a multiple of it.',
    default: `the unit, or a multiple or part of it, of about ${formatSize(s3Defaults.partBytes)}`,
    example: 'part: 16MiB',
  }),
  objects: key(
    z
      .strictObject({
        count: key(integer({ minimum: 1, maximum: maxCount }).optional(), {
          meaning: 'The number of objects, all of one size.',
          default: 'size or sizes decides',
          example: 'count: 100000',
        }),
        size: key(objectSize().optional(), {
          meaning: 'The size of each object but the last; a whole number of units.',
          default: 'count or sizes decides',
          example: 'size: 64MiB',
        }),
        sizes: key(sizes.optional(), {
          meaning: 'Objects of different sizes, rounded to whole units.',
          default: 'count or size decides',
          example: 'sizes: { uniform: { min: 1MiB, max: 64MiB } }',
        }),
      })
      .refine(({ count, size, sizes }) => [count, size, sizes].filter((each) => each !== undefined).length === 1, {
        message: 'needs one of count, size and sizes',
        params: { mend: 'write one of them, such as objects: { size: 64MiB }' },
      })
      .meta({ minProperties: 1, maxProperties: 1 })
      .optional(),
    {
      meaning: 'How the data is cut into objects. Leases end on their borders.',
      default: 'objects of 1/64 of the data, at most 1GiB',
      example: 'objects: { size: 64MiB }',
    },
  ),
});
