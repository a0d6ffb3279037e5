import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { KUBECTL } from '../dist/src/components/topology.js';
import { measured } from './measure.mjs';
import { megabytes, rounded } from './results.mjs';

/** One `slipway apply`: seconds since its start at which each stage was over, and what it cost the operator's process; `done` is called before it verifies. */
export async function apply(lab, name, done) {
  const file = join(lab.work, `${name}.ndjson`);
  rmSync(file, { force: true });
  const began = Date.now();
  const watching =
    done &&
    setInterval(() => {
      if (!existsSync(file) || !readFileSync(file, 'utf8').includes('"stage":"verify"')) return;
      clearInterval(watching);
      done();
    }, 50);
  const run = await measured([...lab.slipway, 'apply', '-f', lab.clusterFile, '--yes', '--events', file], { name, cwd: lab.work });
  clearInterval(watching);
  await run.end();
  if (run.code !== 0) throw new Error(`slipway apply ended with code ${run.code}:\n${run.output}`);
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  const found = read(
    lines.map((line) => JSON.parse(line)),
    { began, ready: await readyAt(lab) },
  );
  return { ...found, seconds: rounded(run.seconds), cpuSeconds: rounded(run.cpuSeconds), memoryMB: Math.round(run.memory / 1e6) };
}

/**
 * When the last node and the last pod of CoreDNS became Ready, in ms, as the API server noted it: a verify that has seen it comes later. It notes whole
 * seconds, so this is up to one second late.
 */
async function readyAt({ quiet, addresses, directory }) {
  const ssh = [
    'ssh',
    '-F',
    'none',
    '-i',
    join(directory, 'id_ed25519'),
    '-o',
    `UserKnownHostsFile=${join(directory, 'known_hosts.straight')}`,
  ];
  const all = `${KUBECTL} get nodes -o json; ${KUBECTL} -n kube-system get pods -l k8s-app=kube-dns -o json`;
  const { stdout } = await quiet`${ssh} -l root ${addresses[0]} ${all}`;
  const [nodes, pods] = stdout.split(/(?<=^})\n/m).map((text) => (text.trim() === '' ? undefined : JSON.parse(text)));
  const ready = [...nodes.items, ...pods.items].map(({ status }) => status.conditions.find(({ type }) => type === 'Ready'));
  if (ready.some((condition) => condition?.status !== 'True')) throw new Error('not everything is Ready');
  return Math.max(...ready.map(({ lastTransitionTime }) => Date.parse(lastTransitionTime))) + 1000;
}

function read(events, { began, ready }) {
  const at = (event) => (Date.parse(event.time) - began) / 1000;
  const last = (test) => events.filter(test).map(at).at(-1);
  const done = events.filter(({ code }) => code === 'step.done');
  const stages = {
    gather: last(({ code }) => code === 'host.gathered'),
    deliver: last(({ code, step }) => code === 'step.done' && step.kind === 'artefact'),
    activate: last(({ code, step }) => code === 'step.done' && step.kind === 'unit'),
    // As the oracle sees it: everything done, all nodes and CoreDNS Ready.
    ready:
      done.length === 0
        ? undefined
        : Math.max(
            last(({ code, stage }) => code === 'stage' && stage === 'verify'),
            (ready - began) / 1000,
          ),
    verify: last(({ code }) => code === 'run.finished'),
  };
  const { stats } = events.find(({ code }) => code === 'run.finished');
  const hosts = Object.entries(stats).map(([host, traffic]) => ({ host, ...traffic, deliverSeconds: deliverSeconds(host) }));
  return { steps: done.length, stages, hosts };

  /** Its archives arrive one after the other: from the first to the last. */
  function deliverSeconds(host) {
    const own = events.filter(({ step }) => step?.host === host && step.kind === 'artefact');
    return own.length === 0 ? undefined : rounded(at(own.at(-1)) - at(own[0]));
  }
}

/** For the terminal. */
export function describe(run) {
  const stages = Object.entries(run.stages).filter(([, seconds]) => seconds !== undefined);
  console.log(`  ${stages.map(([stage, seconds]) => `${stage} ${seconds.toFixed(1)}`).join(', ')} s`);
  console.log(
    `  the operator's process: ${run.seconds.toFixed(1)} s, ${run.cpuSeconds.toFixed(1)} s of processor time, ${run.memoryMB} MB`,
  );
  for (const { host, roundTrips, bytesSent, bytesReceived } of run.hosts)
    console.log(`  ${host}: 1 connection, ${roundTrips} round trips, ${megabytes(bytesSent)} sent, ${megabytes(bytesReceived)} received`);
}
