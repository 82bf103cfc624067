/** Plans that several suites use. */

/** Writes, verifies and deletes little data in a folder; `more` goes into the target. */
export function planTo(target: string, size = '8MiB', more = ''): string {
  return `
data: { size: ${size} }
target: { kind: file, path: ${target}${more} }
stages: [{ write: {} }, { verify: {} }, { delete: {} }]
`;
}
