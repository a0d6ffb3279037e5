// node bench/report.mjs: writes docs/performance.md from the figures that the benches kept. Each bench calls it at its end.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { median, megabytes } from './results.mjs';

const root = join(import.meta.dirname, '..');
const fileOf = (name) => join(root, 'bench/results', `${name}.json`);

/** Keeps a bench's result and renders the report anew. */
export function keep(name, result) {
  mkdirSync(join(root, 'bench/results'), { recursive: true });
  writeFileSync(fileOf(name), `${JSON.stringify(result, null, 2)}\n`);
  writeReport();
}

function writeReport() {
  const sections = Object.entries({ engine, install, link, change }).flatMap(([name, section]) =>
    existsSync(fileOf(name)) ? [section(JSON.parse(readFileSync(fileOf(name), 'utf8')))] : [],
  );
  writeFileSync(join(root, 'docs/performance.md'), [introduction, ...sections].join('\n'));
}

const introduction = `# Performance

Every figure here was measured by a bench of this repository, which wrote this page: \`npm run bench:engine\`, \`npm run bench:install\`,
\`npm run bench:link\` and \`npm run bench:change\` measure again. They want a Debian machine, root, and nobody else at work on it. Hosts and operator share the machine, so seconds
say little; what is compared ran in one go, in turn, and the ratios are what to read. The figures themselves are in \`bench/results/\`.
`;

function engine({ fanOut, limitSeconds, rows, versions, ...described }) {
  const titles = { slipway: 'Slipway', ssh: 'plain ssh', pyinfra: 'pyinfra', ansible: 'Ansible' };
  const lines = rows.map((row) => {
    const ours = rows.find(({ hosts, tool }) => hosts === row.hosts && tool === 'slipway');
    const run = (which) =>
      row[which].stopped === undefined
        ? [seconds(row[which].seconds), times(row[which].seconds / ours[which].seconds)]
        : [`stopped after ${row[which].stopped} s`, ''];
    const { first } = row;
    const costs =
      first.stopped === undefined ? [seconds(first.cpuSeconds), seconds(first.hostsCpuSeconds), `${first.memoryMB} MB`] : ['', '', ''];
    return [row.hosts, titles[row.tool], ...run('first'), ...run('second'), ...costs];
  });
  return `## The engine alone

Four idempotent steps on every host: a directory with mode and owner, a file with content of its own for each host, a link, and a command that is
run only if what it makes is not there. Each tool ran twice: on hosts that nobody had touched (first), and again with nothing to do (second). Every
host is an address of this machine, with a key in known_hosts, behind one OpenSSH server, and has directories of its own. What was written was read
back and compared, and every tool had to report four changes for each host, then none.

- Slipway: fleet, gather, plan, locks, execution and journal of the product, through its own modules. No facts of Kubernetes are gathered.
- plain ssh: one script with the same four things by hand; \`xargs -P ${fanOut}\`. It takes no lock and keeps no record.
- pyinfra ${versions.pyinfra}: \`--parallel ${fanOut} --yes\`.
- Ansible (ansible-core ${versions['ansible-core']}): ${fanOut} forks, pipelining, connections kept, no facts. The second run finds the connections of the first.

Slipway connects to ${fanOut} hosts at a time too, and then works on all. All used the same key exchange (curve25519). Seconds are those of the whole process, from
its start to its end; processor seconds are those of all its processes in the first run, and of the servers with everything they ran (on the hosts); memory is
the highest that all its processes together held in it, beside their programs' files. With one and ten hosts, the median of ${rows[0].rounds} rounds.
${stoppedNote(rows, limitSeconds)}
${table(['hosts', 'tool', 'first', 'times Slipway’s', 'second', 'times Slipway’s', 'processor, first', 'on the hosts', 'memory'], lines)}

${measuredOn({ ...described, versions })}
`;
}

function stoppedNote(rows, limitSeconds) {
  return rows.some(({ first, second }) => first.stopped ?? second.stopped) ? `A run is stopped after ${limitSeconds} s.\n` : '';
}

function install({ rows, ...described }) {
  const of = (pick) => median(rows.map(pick));
  const stages = ['gather', 'deliver', 'activate', 'ready', 'verify'];
  return `## An install

The same cluster (one control plane, two workers, from binaries that are there already) by hand and by \`slipway apply\`, in turn, on systemd hosts of
this machine that nobody had touched. By hand is \`bench/install.sh\`: a script that knows this one case, starts everything in parallel over plain
OpenSSH, checks nothing and keeps nothing. Both are measured until everything is on the hosts, all nodes are Ready and both pods of CoreDNS are. The aim
is a ratio of 1.15. Not by hand: the image of the test pods with which Slipway verifies (agnhost, 16 MB for each host), digests of what arrived, plan,
record and journal.

${table(
  ['round', 'by hand', 'Slipway', 'ratio', ...stages.map((stage) => `${stage} done`), 'an apply after it'],
  rows.map(({ oracleSeconds, ratio, install, again }, i) => [
    i + 1,
    seconds(oracleSeconds),
    seconds(install.stages.ready),
    times(ratio),
    ...stages.map((stage) => seconds(install.stages[stage])),
    seconds(again.seconds),
  ]),
)}

Stages are seconds since \`apply\` was called: all hosts were read; the last binary was on its host; the last unit was told to start; everything done,
nodes and CoreDNS Ready; every check of the cluster done. An apply after it finds nothing to do, and verifies.

Operator and hosts share this machine's processors, which are at work nearly all the time in both: seconds follow from what they have to do. Processor
seconds of the whole machine until the cluster is verified, by what the processes are for, as the kernel accounts for them (acct(5)), each the median of
the rounds:

${table(
  ['processor seconds', 'by hand', 'Slipway', 'difference'],
  [
    ...Object.keys(rows[0].processor.install.purposes).map((purpose) => processorLine(rows, purpose, ({ purposes }) => purposes[purpose])),
    processorLine(rows, 'all', ({ all }) => all),
  ],
)}

${table(
  ['operator’s process', 'processor', 'memory'],
  [
    ['install', seconds(of(({ install }) => install.cpuSeconds)), `${of(({ install }) => install.memoryMB)} MB`],
    ['an apply after it', seconds(of(({ again }) => again.cpuSeconds)), `${of(({ again }) => again.memoryMB)} MB`],
  ],
)}

${traffic(rows.at(-1))}

${measuredOn(described)}
`;
}

function processorLine(rows, title, pick) {
  const [hand, ours] = ['oracle', 'install'].map((run) => median(rows.map(({ processor }) => pick(processor[run]))));
  return [title, hand.toFixed(1), ours.toFixed(1), (ours - hand).toFixed(1)];
}

function change({ rows, ...described }) {
  const clients = { new: 'a new connection for each request', kept: 'a kept connection', service: 'a Service' };
  const cell = ({ requests, failed, gap }) => `${failed} of ${requests}, ${seconds(gap)}`;
  return `## A running cluster that changes

Three control planes and two workers; on a worker ten rounds a second through the node's own endpoint of the Kubernetes API (a write and a read), and to a
workload of two pods behind a Service, each request with a second to be answered. Shown are the requests that failed, and the longest time without an answer.
The aim is none, and less than 2 s.

${table(
  ['one more', ...Object.values(clients), 'the change took'],
  rows.map(({ what, clients: saw, seconds: took }) => [what, ...Object.keys(clients).map((mode) => cell(saw[mode])), seconds(took)]),
)}

${measuredOn(described)}
`;
}

function link({ link, straight, slow, ...described }) {
  const stages = ['gather', 'deliver', 'activate', 'ready', 'verify'];
  const line = (title, one, other) => [title, seconds(one), seconds(other), times(other / one)];
  return `## Over a slow link

The same install once straight and once with every host behind a link of its own: ${link.roundTripMs} ms there and back, ${link.mbitPerSecond} Mbit/s in each direction. Only the operator's
connections go through it; the hosts reach each other as before.

${table(
  ['seconds until', 'straight', 'through the link', 'ratio'],
  [
    ...stages.map((stage) => line(`${stage} done`, straight.install.stages[stage], slow.install.stages[stage])),
    line('the end of an apply after it', straight.again.seconds, slow.again.seconds),
  ],
)}

What the link's time was used for: bytes that were sent to a host, over the time in which its archives arrived, as a part of what the link could carry.

${table(
  ['host', 'sent', 'archives arrived in', 'of the link’s capacity'],
  slow.install.hosts.map(({ host, bytesSent, deliverSeconds, linkUsed }) => [
    host,
    megabytes(bytesSent),
    seconds(deliverSeconds),
    `${Math.round(100 * linkUsed)} %`,
  ]),
)}

${measuredOn(described)}
`;
}

function traffic({ install, again }) {
  return table(
    ['over one connection', 'round trips', 'sent', 'received', 'round trips of an apply after it', 'sent', 'received'],
    install.hosts.map(({ host, roundTrips, bytesSent, bytesReceived }) => {
      const later = again.hosts.find((one) => one.host === host);
      return [
        host,
        roundTrips,
        megabytes(bytesSent),
        megabytes(bytesReceived),
        later.roundTrips,
        megabytes(later.bytesSent),
        megabytes(later.bytesReceived),
      ];
    }),
  );
}

function measuredOn({ date, machine, versions }) {
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `Measured on ${date}: ${machine.cores} cores (${machine.processor}), ${machine.memoryGiB} GiB, ${machine.system}, load ${machine.load} when it began; ${named.join(', ')}.`;
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function seconds(number) {
  return `${number.toFixed(number < 10 ? 2 : 1)} s`;
}

function times(ratio) {
  return ratio.toFixed(2);
}

if (process.argv[1] === import.meta.filename) writeReport();
