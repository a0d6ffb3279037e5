import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { HTTP_GET } from '../../../src/base/http-get.ts';
import { execa } from 'execa';
import { apply } from '../../../playbooks/apply.ts';
import { join as joinHosts } from '../../../playbooks/join.ts';
import { remove } from '../../../playbooks/remove.ts';
import { reset } from '../../../playbooks/reset.ts';
import { restore } from '../../../playbooks/restore.ts';
import { quote } from '../../../src/base/quote.ts';
import { verifyChecks } from '../../../src/checks/verify/index.ts';
import { probeScript } from '../../../src/checks/verify/probe.ts';
import { callerScript, observerScript } from '../../../src/checks/verify/trial-script.ts';
import { BIN } from '../../../src/components/topology.ts';
import type { Host } from '../../../src/config/cluster.ts';
import { makePlan } from '../../../src/engine/plan.ts';
import { emptyState } from '../../../src/engine/state.ts';
import { stationScript } from '../../../src/checks/network/station.ts';
import type { Context } from '../../../src/phases/context.ts';
import { FLANNEL_STORE_PROBE } from '../../../src/phases/flannel-store.ts';
import { MEMBERS_PROBE } from '../../../src/phases/members.ts';
import { NODES_PROBE } from '../../../src/phases/nodes.ts';
import { OURS_PROBE } from '../../../src/phases/reset/scripts.ts';
import { contextOf } from './context.ts';
import { context as verifyContext } from '../verify/situation.ts';

/** Each makes a file where it is run: a redirection needs no command. No space: some values stand in lists of words. */
const payloads: Readonly<Record<string, string>> = {
  'a command': 'x;:>$PWNED;',
  'a substitution': '$(:>$PWNED)',
  'an old substitution': '`:>$PWNED`',
  'the end of single quotes': "x';:>$PWNED;'",
  'the end of double quotes': 'x";:>$PWNED;"',
  'another line': 'x\n:>$PWNED\n',
};

/** Three control planes with etcd as the store, whose names, addresses and labels are all what a stranger would like them to be. */
function hostile(payload: string, { limit }: { limit?: number } = {}): Context {
  const label = (i: number): string => `${i}${payload}`;
  const change = (host: Host, i: number): Host => ({
    ...host,
    name: label(i),
    privateAddress: label(i),
    interface: label(i),
    roles: ['control-plane', 'etcd', 'worker'],
    labels: { [label(i)]: label(i) },
    taints: [{ key: label(i), value: label(i), effect: 'NoSchedule' }],
  });
  const fresh = contextOf('  network: { flannel: { store: etcd } }');
  const hosts = fresh.cluster.hosts.map(change);
  const rename = <T>(of: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.values(of).map((value, i) => [hosts[i]!.name, value]));
  const units = { 'kubelet.service': { loaded: true, enabled: true, active: 'active', needsReload: false, restarts: 0, digest: 'x' } };
  const states = hosts.map(() => ({
    ...emptyState,
    units,
    probes: {
      [NODES_PROBE.name]: hosts.map(({ name }) => `version ${name} v1.36.3`).join('\n'),
      [OURS_PROBE.name]: `path /opt/slipway\npackage ${payload}`,
      [MEMBERS_PROBE.name]: 'data\nmember, 0abc, started, another, https://10.0.0.9:2380, https://10.0.0.9:2379, false',
      [FLANNEL_STORE_PROBE.name]: '',
    },
  }));
  const { network, api } = fresh.cluster;
  const cluster = {
    ...fresh.cluster,
    hosts,
    network: { ...network, podCidr: payload },
    api: { ...api, endpoint: { host: payload, port: 6443 } },
  };
  return {
    ...fresh,
    cluster,
    facts: rename(fresh.facts),
    states: rename(Object.fromEntries(states.entries())),
    ...(limit === undefined ? {} : { limit: [hosts[limit]!.name], observer: hosts[0]!.name }),
  };
}

/** The scripts of a plan in which a value of the stranger's stands, by step. */
function scriptsOf(context: Context, playbook: Parameters<typeof makePlan<Context>>[0]): [string, string][] {
  return makePlan(playbook, context, context.states).steps.flatMap(({ id, action }): [string, string][] =>
    action.kind === 'script' ? [[id, action.script]] : action.kind === 'wait' ? [[id, action.condition]] : [],
  );
}

/** All that verify sends, with what it was told by hosts and by the cluster. */
function verifyScripts(context: Context, payload: string): [string, string][] {
  const checking = verifyContext({ cluster: context.cluster, facts: context.facts, states: context.states, patience: 0 });
  const trial = { namespace: payload, observer: context.cluster.hosts[0]!, pods: [payload], podOf: () => payload };
  const probes = verifyChecks.flatMap((check): [string, string][] => [
    ...context.cluster.hosts.flatMap((host): [string, string][] => {
      const text = check.probe?.(host, checking);
      return text === undefined ? [] : [[`probe ${check.id}`, `${HTTP_GET}${text}`]];
    }),
    ...(check.work ? [[`work ${check.id}`, check.work(trial, checking)] as [string, string]] : []),
  ]);
  const services = { echo: payload, self: payload, name: payload };
  const hostPort = { pod: payload, address: payload, port: 1 };
  const observer = { namespace: payload, observer: payload, manifest: JSON.stringify(payload), pods: [payload], patience: 0, takeover: 0 };
  return [
    ...probes,
    ['probes of a host', probeScript({ a: `: ${quote(payload)}` }, 5)],
    ['caller', callerScript({ own: payload, port: 80, pods: { [payload]: payload }, services, hostPort, patience: 0 })],
    ['observer', observerScript({ ...observer, work: {} })],
    ['station', stationScript({ address: payload, token: 'abc' })],
  ];
}

/** Names stay as they may be, so that members of etcd are found; only addresses are what a stranger would like them to be. */
function withNames(context: Context): Context {
  const names = ['cp-1', 'cp-2', 'cp-3'];
  const renamed = <T>(of: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.values(of).map((value, i) => [names[i]!, value]));
  const members = names.map((name, i) => `member, ${i}abc, started, ${name}, https://10.0.0.${i}:2380, https://10.0.0.${i}:2379, false`);
  const states = Object.values(context.states).map((state) => ({
    ...state,
    probes: {
      ...state.probes,
      [NODES_PROBE.name]: names.map((name) => `version ${name} v1.36.3`).join('\n'),
      [MEMBERS_PROBE.name]: ['data', ...members].join('\n'),
    },
  }));
  const hosts = context.cluster.hosts.map((host, i) => ({ ...host, name: names[i]! }));
  return {
    ...context,
    cluster: { ...context.cluster, hosts },
    facts: renamed(context.facts),
    states: renamed(Object.fromEntries(states.entries())),
    limit: ['cp-2'],
    observer: 'cp-1',
  };
}

function everyScript(payload: string): [string, string][] {
  const removal = { dead: false, force: false, timeout: 1 };
  const one = hostile(payload, { limit: 1 });
  const all: [string, string][] = [
    ...scriptsOf(hostile(payload), apply),
    ...scriptsOf(one, joinHosts),
    ...scriptsOf(one, remove(removal)),
    ...scriptsOf(one, remove({ ...removal, dead: true })),
    ...scriptsOf(withNames(hostile(payload)), remove(removal)),
    ...scriptsOf(one, reset),
    ...scriptsOf(one, restore),
    ...verifyScripts(hostile(payload), payload),
  ];
  return all.filter(([, script]) => script.includes('PWNED'));
}

describe('what a stranger says stands in commands as data', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'slipway-quoting-'));
    await Promise.all(['run', 'stubs', 'scripts', 'made'].map((name) => mkdir(join(directory, name))));
    // Commands succeed and say something, so that scripts get to their ends; the clock runs fast, so that they give up soon.
    const stub = async (name: string, text: string): Promise<void> =>
      writeFile(join(directory, 'stubs', name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    for (const name of COMMANDS) await stub(name, 'echo "x y z"');
    await stub('date', 'echo $(($(/bin/date +%s%N) / 1000000))');
    await stub('cut', 'case "$*" in *" /proc/uptime") exec date ;; esac; exec /usr/bin/cut "$@"');
    await stub('sleep', ':');
    await writeFile(join(directory, 'run', 'subnet.env'), 'FLANNEL_SUBNET=10.244.0.1/24\n');
    await Promise.all(['', 'run', 'scripts', 'made'].map((name) => chmod(join(directory, name), 0o777)));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  /** Runs scripts side by side, as nobody; returns the numbers of those that are no shell text, and of those that made a file. */
  async function run(scripts: readonly string[]): Promise<{ broken: number[]; made: number[] }> {
    await Promise.all(scripts.map((text, i) => writeFile(join(directory, 'scripts', String(i)), safe(text))));
    const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    const driver = `cd ${directory}/scripts
for s in *; do sh -n "$s" 2>/dev/null || echo "$s"; PWNED=${directory}/made/$s timeout -k 1 10 sh "$s" </dev/null >/dev/null 2>&1 & done
wait`;
    const env = { PATH: `${join(directory, 'stubs')}:/usr/bin:/bin` };
    const { stdout } = await execa('sh', ['-c', driver], { env, extendEnv: false, ...nobody });
    return { broken: stdout.split('\n').filter(Boolean).map(Number), made: (await readdir(join(directory, 'made'))).map(Number) };
  }

  const safe = (text: string): string =>
    text
      .replaceAll(BIN, join(directory, 'stubs'))
      .replaceAll('/run/flannel/', join(directory, 'run/'))
      .replaceAll(/(?<![\w/])\/(run|var|etc|opt)\//g, `${directory}/run/`);

  test.each(Object.entries(payloads))('%s', async (_, payload) => {
    const scripts = everyScript(payload);
    const { broken, made } = await run(scripts.map(([, text]) => text));
    const ids = (numbers: readonly number[]): string[] => numbers.map((i) => scripts[i]![0]);
    expect({ broken: ids(broken), made: ids(made) }).toEqual({ broken: [], made: [] });
  });

  test('in all of these', () => {
    const ids = everyScript('-PWNED-').map(([id]) => id.replaceAll(/\d?-PWNED-/g, 'X'));
    expect([...new Set(ids)].sort()).toEqual([
      'X/etcd/add-X',
      'X/etcd/promote-X',
      'X/flannel-store/users',
      'X/nodes/X',
      ...[0, 1, 2, 3].map((batch) => `X/ready/batch-${batch}`),
      'X/remove/drain-X',
      'X/remove/node-X',
      'X/reset/network',
      'X/reset/packages',
      'caller',
      'cp-1/remove/leave-etcd-cp-2',
      'cp-1/remove/node-cp-2',
      'cp-2/reset/network',
      'cp-2/reset/packages',
      'observer',
      'probe api-endpoint',
      'probe flannel',
      'probe nodes',
      'probes of a host',
      'station',
      'work encryption',
      'work exec-logs',
      'work outside',
      'work privileged',
      'work scheduling',
    ]);
  });

  // What would be seen if it were not so.
  test.each(Object.entries(payloads))('as %s would not raw', async (_, payload) => {
    const raw = [`echo ${payload}`, `echo '${payload}'`, `echo "${payload}"`];
    expect((await run(raw)).made).not.toEqual([]);
  });
});

/** What scripts call that could change this machine, were it not for its owner. */
const COMMANDS = [
  ...['kubectl', 'etcdctl', 'ctr', 'systemctl', 'journalctl', 'ip', 'bridge', 'iptables', 'ip6tables', 'iptables-save', 'ip6tables-save'],
  ...['iptables-restore', 'ip6tables-restore', 'nft', 'apt-get', 'apt-mark', 'dpkg', 'umount', 'mount', 'modprobe', 'useradd', 'userdel'],
];
