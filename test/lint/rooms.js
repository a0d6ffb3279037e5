/** Who may import whom, and what is pure: DESIGN.md's rooms as data. `types` are rooms from which only `import type` is allowed. */
export const rooms = {
  base: { values: [] },
  config: { values: ['base'] },
  remote: { values: ['base'] },
  engine: { values: ['base', 'remote'] },
  facts: { values: ['base', 'remote'] },
  pki: { values: ['base', 'config', 'engine'] },
  artifacts: { values: ['base', 'config', 'engine'] },
  // The catalogue is a table: names of images stand in no second place.
  components: { values: ['base', 'config'], types: ['facts', 'pki', 'artifacts'], files: ['src/artifacts/catalogue.ts'] },
  phases: { values: ['base', 'config', 'remote', 'engine', 'facts', 'pki', 'artifacts', 'components'] },
  checks: { values: ['base', 'config', 'remote', 'engine', 'facts', 'pki', 'artifacts', 'components'] },
  playbooks: { values: ['phases', 'checks', 'engine'] },
  lab: { values: ['base', 'config'] },
  verbs: { values: ['base', 'config', 'remote', 'engine', 'facts', 'pki', 'artifacts', 'components', 'phases', 'checks', 'playbooks'] },
  cli: {
    values: [
      'base',
      'config',
      'remote',
      'engine',
      'facts',
      'pki',
      'artifacts',
      'components',
      'phases',
      'checks',
      'playbooks',
      'verbs',
      'lab',
    ],
  },
};

/** Packages that belong to one room: the rest of the program goes through it. */
export const packageRooms = {
  'node-ssh': 'remote',
  ssh2: 'remote',
  '@peculiar/x509': 'pki',
  'reflect-metadata': 'pki',
  commander: 'cli',
  inquirer: 'cli',
  listr2: 'cli',
  zx: undefined,
};

/** What computes and does nothing else: the same inputs give the same plan. */
const pure = [
  /^playbooks\//,
  /^src\/base\/(errors|group|http-get|quote|redact|words)\.ts$/,
  /^src\/config\//,
  /^src\/components\//,
  /^src\/phases\//,
  /^src\/verbs\/guards\//,
  /^src\/checks\/check\.ts$/,
  /^src\/checks\/preflight\//,
  /^src\/checks\/network\/(needs|fold|station)\.ts$/,
  /^src\/engine\/(step|phase|plan|order|state)\.ts$/,
  /^src\/engine\/actions\//,
  /^src\/facts\/os\//,
  /^src\/pki\/(types|status|groups)\.ts$/,
  /^src\/artifacts\/(types|catalogue|digest|package-names|progress-text)\.ts$/,
];

/** The parts of pure rooms that read files or hosts: what is read there is passed in elsewhere. */
const impure = [/^src\/config\/(load|paths|parse)\.ts$/, /^src\/phases\/gather\.ts$/];

export function isPure(file) {
  return pure.some((pattern) => pattern.test(file)) && !impure.some((pattern) => pattern.test(file));
}

/** `src/pki/state.ts` lies in pki; `test/run.mjs` in no room. */
export function roomOf(file) {
  if (file.startsWith('playbooks/')) return 'playbooks';
  const [, room] = /^src\/([^/]+)\//.exec(file) ?? [];
  return room;
}
