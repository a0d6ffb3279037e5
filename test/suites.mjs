// What `npm test` runs on hosts, in this order: nothing of it is drawn by chance. Suites that start from the same installed state stand together.
export const labSuites = [
  'lab',
  'refusals',
  'preflight',
  'network-matrix',
  'install',
  'reset',
  'addons',
  'identity',
  'interruption',
  'network-faults',
  'drift',
  'verify',
  'join-remove',
  'full-disk',
  'broken-unit',
  'firewalls',
  'flags',
  'mixed',
  'offline',
  'virtual-machine',
];

/** Changes here show in no cluster. */
const elsewhere = [/\.md$/, /^(docs|bench|schema)\//, /^test\/(unit|integration|soak|lint)\//, /^test\/(check|demo|generate)\.mjs$/];

/** The suites on hosts that a change of these files concerns: its own for a suite, all for what all of them run. */
export function labSuitesFor(files) {
  const concerned = files.filter((file) => !elsewhere.some((pattern) => pattern.test(file)));
  const own = concerned.map((file) => /^test\/lab\/(.+)\.test\.ts$/.exec(file)?.[1]);
  return own.every((name) => name !== undefined) ? labSuites.filter((name) => own.includes(name)) : [...labSuites];
}
