import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { apply } from '../../../playbooks/apply.ts';
import { KUBECTL } from '../../../src/components/topology.ts';
import { makePlan } from '../../../src/engine/plan.ts';
import { RUN } from '../../../src/engine/state.ts';
import { contextOf } from './context.ts';
import { installed } from './installed.ts';

/** What the API says: whether each is ready; pods by node. */
interface Api {
  nodes: Record<string, boolean>;
  pods?: Record<string, Record<string, boolean>>;
  /** Nodes whose kubelets renew their leases no more. */
  silent?: readonly string[];
}

const line =
  (kind: string, rest = '') =>
  ([name, ready]: [string, boolean]) =>
    `${ready ? 'well' : 'ill'} ${kind} ${name}${rest}\n`;

describe('between batches of nodes', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'slipway-batches-'));
    await Promise.all(['api', 'bin', 'run'].map((name) => mkdir(join(directory, name))));
    // The clock runs so fast that every second look is the last.
    await stub(
      'cut',
      `case "$*" in *" /proc/uptime") echo 100 >>${directory}/uptime; wc -l <${directory}/uptime | sed 's/$/00/' ;; *) exec /usr/bin/cut "$@" ;; esac`,
    );
    await stub('sleep', ':');
    await stub(
      'kubectl',
      `cd ${directory}/api
case "$*" in
  *'get nodes'*) cat nodes ;;
  *'get leases'*) echo x >>asked; for n in $(cat leases); do echo "$n $(wc -l <asked)"; done; for n in $(cat silent); do echo "$n 0"; done ;;
  *spec.nodeName=*) n=\${*#*spec.nodeName=}; cat "pods-\${n%% *}" 2>/dev/null || : ;;
esac`,
    );
  });
  afterEach(() => rm(directory, { recursive: true }));

  const stub = (name: string, text: string): Promise<void> =>
    writeFile(join(directory, 'bin', name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });

  async function says({ nodes, pods = {}, silent = [] }: Api): Promise<void> {
    const file = (name: string, text: string): Promise<void> => writeFile(join(directory, 'api', name), text);
    await file('nodes', Object.entries(nodes).map(line('node')).join(''));
    for (const [node, own] of Object.entries(pods)) await file(`pods-${node}`, Object.entries(own).map(line('pod', ' uid')).join(''));
    await file(
      'leases',
      Object.keys(nodes)
        .filter((node) => !silent.includes(node))
        .join('\n'),
    );
    await file('silent', silent.join('\n'));
  }

  /** Runs what the observer does before this batch; all three hosts have their turn, one after the other. */
  async function look(batch: number): Promise<{ exitCode?: number | undefined; stdout: string }> {
    const { states } = installed(contextOf(''));
    const context = { ...contextOf('  components: { kubelet: { args: { v: 3 } } }'), states };
    const { action } = makePlan(apply, context, states).steps.find(({ id }) => id === `cp-1/ready/batch-${batch}`)!;
    if (action.kind !== 'script') throw new Error('it is a script');
    const script = action.script.replaceAll(KUBECTL, join(directory, 'bin/kubectl')).replaceAll(`${RUN}/`, `${directory}/run/`);
    const env = { PATH: `${join(directory, 'bin')}:/usr/bin:/bin` };
    return execa('sh', ['-c', `set -e\n${script}`], { reject: false, env, extendEnv: false });
  }

  const nodes = { 'cp-1': true, 'w-1': true, 'w-2': true };

  test.each<[string, Api, Api, string | undefined]>([
    ['all is as it was', { nodes }, { nodes }, undefined],
    [
      'a pod is not ready any more',
      { nodes, pods: { 'cp-1': { 'a/b': true } } },
      { nodes, pods: { 'cp-1': { 'a/b': false } } },
      'the pod a/b was ready before, and is not',
    ],
    ['a pod is gone', { nodes, pods: { 'cp-1': { 'a/b': true } } }, { nodes, pods: { 'cp-1': {} } }, undefined],
    [
      'a pod was not ready before either',
      { nodes, pods: { 'cp-1': { 'a/b': false } } },
      { nodes, pods: { 'cp-1': { 'a/b': false } } },
      undefined,
    ],
    [
      'a pod of another node is not ready any more',
      { nodes, pods: { 'w-1': { 'a/b': true } } },
      { nodes, pods: { 'w-1': { 'a/b': false } } },
      undefined,
    ],
    ['the node is not ready any more', { nodes }, { nodes: { ...nodes, 'cp-1': false } }, 'the node cp-1 was ready before, and is not'],
    ['its kubelet is not heard of', { nodes }, { nodes, silent: ['cp-1'] }, 'the kubelet of cp-1 has not been heard of since'],
    [
      'it was not ready before',
      { nodes: { ...nodes, 'cp-1': false } },
      { nodes: { ...nodes, 'cp-1': false }, silent: ['cp-1'] },
      undefined,
    ],
  ])('the next has its turn, or not: %s', async (_, before, after, complaint) => {
    await says(before);
    expect((await look(0)).exitCode).toBe(0);
    await says(after);
    const { exitCode, stdout } = await look(1);
    expect([exitCode, stdout]).toEqual(complaint === undefined ? [0, ''] : [1, complaint]);
  });
});
