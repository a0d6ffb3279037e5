import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { parseCall } from '../../../src/checks/verify/trial.ts';
import { callerScript, observerLabel, observerScript } from '../../../src/checks/verify/trial-script.ts';
import { RUN } from '../../../src/engine/state.ts';
import { KUBECTL } from '../../../src/components/topology.ts';

const run = (file: string) => execa('sh', ['-c', `(eval "$(cat ${file})")`], { reject: false, stdin: 'pipe' });
type Running = ReturnType<typeof run>;

describe('what a caller prints', () => {
  test.each([
    ['pod echo-1 HTTP 200 {"responses":["echo-1"]} ', { kind: 'pod', to: 'echo-1', ok: true, answer: 'echo-1' }],
    ['pod echo-1 HTTP 200 {"errors":["i/o timeout"]} ', { kind: 'pod', to: 'echo-1', ok: false, answer: 'i/o timeout' }],
    [
      'dns - HTTP 400 host and/or port param are invalid. lookup echo: no such host ',
      { kind: 'dns', to: '-', ok: false, answer: expect.stringContaining('lookup echo') },
    ],
    ['self - no answer within 7 s', { kind: 'self', to: '-', ok: false, answer: 'no answer within 7 s' }],
    ['host-service - HTTP 200 echo-2 ', { kind: 'host-service', to: '-', ok: true, answer: 'echo-2' }],
    ['host-port echo-2 HTTP 200 echo-2', { kind: 'host-port', to: 'echo-2', ok: true, answer: 'echo-2' }],
    ['host - Connection refused', { kind: 'host', to: '-', ok: false, answer: 'Connection refused' }],
    ['large echo-0 HTTP 200 {"responses":["~"]}', { kind: 'large', to: 'echo-0', ok: true, answer: 'echo-0' }],
    ['nothing - bash is not installed', { kind: 'host', to: '-', ok: false, answer: 'bash is not installed' }],
  ])('is read: %s', (line, call) => {
    expect(parseCall(line)).toEqual([call]);
  });

  test('is nothing when it is anything else', () => {
    expect(parseCall('sh: 1: oops')).toEqual([]);
  });
});

test('the caller’s script is one that a POSIX shell takes', async () => {
  const script = callerScript({
    own: '10.244.0.5',
    port: 8080,
    pods: { 'echo-0': '10.244.0.5' },
    services: { echo: '10.96.0.1', self: '10.96.0.2', name: 'echo' },
    patience: 5,
  });
  expect((await execa('sh', ['-n'], { input: script })).exitCode).toBe(0);
});

test('a name that is not known yet is asked for again, when all else has come to an end', async () => {
  let asked = 0;
  const pod = createServer((request, response) => {
    const unknown = request.url!.includes('host=echo&') && ++asked < 4;
    if (unknown) return void response.writeHead(400).end('lookup echo on 10.96.0.10:53: no such host');
    response.end('{"responses":["echo-0"]}');
  });
  await new Promise<void>((listening) => pod.listen(0, '127.0.0.1', listening));
  try {
    const { port } = pod.address() as AddressInfo;
    const services = { echo: '127.0.0.1', self: '127.0.0.1', name: 'echo' };
    const { stdout } = await execa('sh', ['-s'], { input: callerScript({ own: '127.0.0.1', port, pods: {}, services, patience: 0 }) });
    expect(stdout.split('\n').flatMap(parseCall)).toContainEqual({ kind: 'dns', to: '-', ok: true, answer: 'echo-0' });
    expect(asked).toBe(4);
  } finally {
    pod.close();
  }
});

test('a label value is cut to what Kubernetes takes', () => {
  expect(observerLabel(`${'a'.repeat(62)}.b`)).toBe('a'.repeat(62));
  expect(observerLabel('cp-1')).toBe('cp-1');
});

describe('the script that holds the trial’s namespace', () => {
  let directory: string;
  beforeEach(async () => (directory = await mkdtemp(join(tmpdir(), 'slipway-verify-'))));
  afterEach(() => rm(directory, { recursive: true, force: true }));

  /** Runs the script itself, with a kubectl that writes down what it is asked for. */
  async function start(kubectl: string, work: Record<string, string> = {}): Promise<{ script: Running }> {
    await writeFile(join(directory, 'kubectl'), `#!/bin/sh\nprintf '%s\\n' "$*" >>${directory}/calls\n${kubectl}\n`, { mode: 0o755 });
    await writeFile(join(directory, 'calls'), '');
    const script = observerScript({
      namespace: 'slipway-verify-1',
      observer: 'cp-1',
      manifest: 'kind: Namespace',
      pods: ['echo-0'],
      work,
      patience: 30,
      takeover: 5,
    })
      .replaceAll(KUBECTL, join(directory, 'kubectl'))
      .replaceAll(RUN, join(directory, 'run'));
    await writeFile(join(directory, 'script'), script);
    // In an object: as a promise itself, it would be awaited.
    return { script: run(join(directory, 'script')) };
  }
  const calls = async (): Promise<string[]> =>
    (await readFile(join(directory, 'calls'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.replace(/^-n \S+ /, '').split(' ')[0]!);
  /** A look around that was under way at the end may be written down later. */
  const changes = async (): Promise<string[]> => (await calls()).filter((verb) => verb === 'create' || verb === 'delete');
  const leftFiles = async (): Promise<string[]> => (await readdir(join(directory, 'run'))).filter((name) => name !== 'verify.lock');
  /** Not with `iterable`: that waits for the end of the process, even where the loop is left. */
  function untilOutput(script: Running, text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      let said = '';
      script.stdout.on('data', (data: Buffer) => {
        said += String(data);
        if (said.includes(text)) resolve(said);
      });
      script.stdout.on('end', () => reject(new Error(`it ended without ${text}: ${said}`)));
    });
  }

  const working = `case "$*" in *create*) echo 'Service echo 10.96.0.5'; echo 'Service self 10.96.0.6' ;; *' wait '*) echo 'echo-0 10.244.0.5' ;; *endpointslices*) echo xx ;; esac`;

  test('does its work for the pods that run, and removes everything when its input ends', async () => {
    const { script } = await start(working, { look: 'printf "for %s" "$s_pods"' });
    const output = await untilOutput(script, '@finished');
    expect(output).toContain('@created\nService echo 10.96.0.5');
    expect(output).toContain('@ready\necho-0 10.244.0.5\n@go');
    expect(output).toContain('@work look\nfor echo-0\n');
    expect(await calls()).not.toContain('delete');
    script.stdin.end();
    await script;
    expect((await calls()).filter((verb) => verb === 'delete')).toHaveLength(3);
    expect(await leftFiles()).toEqual([]);
  });

  test('removes everything when its input ends while it waits for pods', async () => {
    const { script } = await start(`case "$*" in *create*) echo 'Service echo 10.96.0.5' ;; *' wait '*) sleep 600 ;; esac`);
    await untilOutput(script, '@created');
    script.stdin.end();
    await script;
    expect((await changes()).at(-1)).toBe('delete');
    expect(await leftFiles()).toEqual([]);
  });

  test('removes what was made when making it fails half-way', async () => {
    const { script } = await start(`case "$*" in *create*) echo 'namespace made'; echo 'Error: pods are forbidden' >&2; exit 1 ;; esac`);
    await untilOutput(script, '@problem the objects of the trial could not be made');
    await script;
    expect((await calls()).at(-1)).toBe('delete');
    expect(await leftFiles()).toEqual([]);
  });

  test('makes nothing when another verification runs on the host', async () => {
    const { script: first } = await start(working);
    await untilOutput(first, '@finished');
    const script = (await readFile(join(directory, 'script'), 'utf8')).replace('flock -w 60', 'flock -n');
    await writeFile(join(directory, 'calls'), '');
    const second = await execa('sh', ['-s'], { input: script, reject: false });
    expect(second.stdout).toBe('@problem another verification runs on this host');
    expect(await calls()).toEqual(['']);
    first.stdin.end();
    await first;
  });
});
