import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { measured } from './measure.mjs';
import { megabytes, rounded } from './results.mjs';

/** One `slipway apply`: seconds since its start at which each stage was over, and what it cost the operator's process. */
export async function apply(lab, name) {
  const file = join(lab.work, `${name}.ndjson`);
  const began = Date.now();
  const run = await measured([...lab.slipway, 'apply', '-f', lab.clusterFile, '--yes', '--events', file], { name, cwd: lab.work });
  await run.end();
  if (run.code !== 0) throw new Error(`slipway apply ended with code ${run.code}:\n${run.output}`);
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  const found = read(
    lines.map((line) => JSON.parse(line)),
    began,
  );
  return { ...found, seconds: rounded(run.seconds), cpuSeconds: rounded(run.cpuSeconds), memoryMB: Math.round(run.memory / 1e6) };
}

function read(events, began) {
  const at = (event) => (Date.parse(event.time) - began) / 1000;
  const last = (test) => events.filter(test).map(at).at(-1);
  const done = events.filter(({ code }) => code === 'step.done');
  const stages = {
    gather: last(({ code }) => code === 'host.gathered'),
    deliver: last(({ code, step }) => code === 'step.done' && step.kind === 'artefact'),
    activate: last(({ code, step }) => code === 'step.done' && step.kind === 'unit'),
    // As the oracle sees it: nodes Ready and CoreDNS available.
    ready: last(({ code, id }) => code === 'check.done' && id === 'coredns'),
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
