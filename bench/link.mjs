// npm run bench:link: the same install, and an apply without changes after it, once straight and once with every host behind a slow link of its own: 50 ms
// there and back, 10 Mbit/s in each direction. Run it on an idle machine.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../test/setup.mjs';
import { benchLab } from './lab.mjs';

const link = { roundTripMs: 50, mbitPerSecond: 10 };
const lab = await benchLab('link');

const { kubernetesVersions } = await import('../dist/src/artifacts/catalogue.js');
const { apply, describe } = await import('./apply.mjs');
const { keep } = await import('./report.mjs');
const { machine, megabytes, rounded, today } = await import('./results.mjs');
const startTcpProxy = await proxyOfTheTests();
const described = { date: today(), machine: machine(), versions: { kubernetes: kubernetesVersions.at(-1), node: process.versions.node } };

/** It is TypeScript, and not part of the product. */
async function proxyOfTheTests() {
  const { default: ts } = await import('typescript');
  const source = readFileSync(join(root, 'test/helpers/tcp-proxy.ts'), 'utf8');
  const { outputText } = ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 } });
  const directory = mkdtempSync(join(tmpdir(), 'slipway-bench-proxy-'));
  try {
    writeFileSync(join(directory, 'tcp-proxy.mjs'), outputText);
    return (await import(join(directory, 'tcp-proxy.mjs'))).startTcpProxy;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** SSH goes through the links, the cluster's own traffic stays where it was. */
async function slowLinks() {
  const knownHosts = join(lab.directory, 'known_hosts');
  let cluster = readFileSync(lab.clusterFile, 'utf8');
  let known = readFileSync(knownHosts, 'utf8');
  const proxies = [];
  for (const [text, name, address] of cluster.matchAll(/name: ([\w-]+), +address: ([\d.]+)/g)) {
    const loopback = `127.0.0.${address.split('.').at(-1)}`;
    const proxy = await startTcpProxy(22, address, loopback);
    proxy.delay(link.roundTripMs / 2);
    proxy.limit((link.mbitPerSecond * 1e6) / 8);
    proxies.push(proxy);
    cluster = cluster.replace(text, `name: ${name}, address: ${loopback}, privateAddress: ${address}, ssh: { port: ${proxy.port} }`);
    known = known.replaceAll(`${address} `, `[${loopback}]:${proxy.port} `);
  }
  writeFileSync(lab.clusterFile, cluster);
  writeFileSync(knownHosts, known);
  return proxies;
}

async function both(name) {
  const install = await apply(lab, `${name}-install`);
  const again = await apply(lab, `${name}-again`);
  if (again.steps !== 0) throw new Error(`the second apply did ${again.steps} steps`);
  console.log(`${name}: install`);
  describe(install);
  console.log(`${name}: again, with nothing to do`);
  describe(again);
  return { install, again };
}

/** What of a link's capacity the bytes of a host took while its archives arrived. */
const used = ({ bytesSent, deliverSeconds }) => rounded((bytesSent * 8) / deliverSeconds / (link.mbitPerSecond * 1e6));

try {
  await lab.fresh();
  const straight = await both('straight');
  await lab.fresh();
  const proxies = await slowLinks();
  const slow = await both('link');
  await Promise.all(proxies.map((proxy) => proxy.close()));
  for (const host of slow.install.hosts) {
    host.linkUsed = used(host);
    console.log(
      `${host.host}: ${megabytes(host.bytesSent)} in ${host.deliverSeconds.toFixed(1)} s, ${(100 * host.linkUsed).toFixed(0)} % of the link`,
    );
  }
  for (const run of ['install', 'again'])
    console.log(
      `${run}: ${straight[run].seconds.toFixed(1)} s straight, ${slow[run].seconds.toFixed(1)} s through the link, ratio ${(slow[run].seconds / straight[run].seconds).toFixed(2)}`,
    );
  keep('link', { ...described, link, straight, slow });
} finally {
  await lab.end();
}
