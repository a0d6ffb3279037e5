import { describe, expect, test } from '@jest/globals';
import { freePort } from '../../../src/checks/verify/host-port.ts';
import { verifyChecks } from '../../../src/checks/verify/index.ts';
import { verdict, failing, warning, type CheckResult } from '../../../src/checks/verify/verify.ts';
import type { Cluster } from '../../../src/config/cluster.ts';
import { clusterOf } from '../preflight/hosts.ts';
import { ask, context, NOW, quick, trialOf, type Situation } from './situation.ts';

const DAY = 24 * 60 * 60 * 1000;

describe('a verdict', () => {
  test('says the same finding of several hosts once, failures before warnings', () => {
    const result = verdict(
      [warning('a', 'is old'), failing('b', 'is broken', { hint: 'mend it' }), failing('c', 'is broken', { hint: 'mend it' })],
      { message: 'fine' },
    );
    expect(result).toMatchObject({ ok: 'fail', message: 'b and c: is broken; a: is old', hint: 'mend it' });
  });

  test('passes without findings, and warns when nothing fails', () => {
    expect(verdict([], { message: 'fine' })).toEqual({ ok: 'pass', message: 'fine' });
    expect(verdict([warning([], 'soon')], { message: 'fine' })).toMatchObject({ ok: 'warn', message: 'soon' });
  });
});

describe('units', () => {
  const block = (id: string, fields: Record<string, string | number> = {}): string =>
    Object.entries({ Id: id, LoadState: 'loaded', ActiveState: 'active', SubState: 'running', Result: 'success', NRestarts: 0, ...fields })
      .map(([key, value]) => `${key}=${value}`)
      .join('\n');
  const worker = ['api-endpoint', 'containerd', 'kubelet', 'flanneld', 'kube-proxy', 'slipway-forwarding'].map((name) => `${name}.service`);
  const printed = (change: (name: string, look: 'before' | 'after') => Record<string, string | number>, logs = ''): string =>
    `@before\n${worker.map((name) => block(name, change(name, 'before'))).join('\n\n')}\n@after\n${worker.map((name) => block(name, change(name, 'after'))).join('\n\n')}\n${logs}`;
  const kubelet = (fields: Record<string, string | number>) => (name: string) => (name === 'kubelet.service' ? fields : {});

  test('pass when all are active, however often they were restarted before', () => {
    expect(ask('units', { printed: { 'w-1': printed(kubelet({ NRestarts: 7 })) } })).toMatchObject({
      ok: 'pass',
      data: { restarts: [{ host: 'w-1', unit: 'kubelet.service', restarts: 7 }] },
    });
  });

  test('name the one that was stopped, with systemd’s words', () => {
    const log = '@log kubelet.service\n2026-11-21T08:35:03+0000 w-1 systemd[1]: Stopped kubelet.service - Kubernetes kubelet.';
    expect(ask('units', { printed: { 'w-1': printed(kubelet({ ActiveState: 'inactive', SubState: 'dead' }), log) } })).toMatchObject({
      ok: 'fail',
      message: 'w-1: kubelet.service is inactive',
      evidence: 'w-1 kubelet.service:\n  2026-11-21T08:35:03+0000 Stopped kubelet.service - Kubernetes kubelet.',
      hint: expect.stringContaining('somebody stopped it'),
    });
  });

  test('name the one that is active at both looks but was restarted between them, and what its log points to', () => {
    const change = (name: string, look: string): Record<string, number> =>
      name === 'kubelet.service' ? { NRestarts: look === 'before' ? 4 : 9 } : {};
    const log =
      '@log kubelet.service\n2026-11-21T08:35:03+0000 w-1 kubelet[7]: E1121 08:35:03.0 7 run.go:72] "command failed" err="listen tcp :10250: bind: address already in use"';
    expect(ask('units', { printed: { 'w-1': printed(change, log) } })).toMatchObject({
      message: 'w-1: kubelet.service ends again and again (9 restarts)',
      evidence: expect.stringContaining('address already in use'),
      hint: expect.stringContaining('another process has the port'),
    });
  });

  test('name the one that is not installed', () => {
    expect(ask('units', { printed: { 'w-1': printed(kubelet({ LoadState: 'not-found', ActiveState: 'inactive' })) } }).message).toBe(
      'w-1: kubelet.service is not installed',
    );
  });
});

describe('nodes', () => {
  const fine = ['cp-1', 'w-1', 'w-2'].map((name) => `version ${name} v1.36.3\nready ${name} True kubelet is posting ready status`);
  const asked = (text: string) => ask('nodes', { printed: { 'cp-1': text } });

  test('pass when all are Ready with the right version', () => {
    expect(asked(fine.join('\n'))).toMatchObject({ ok: 'pass', message: '3 nodes Ready, v1.36.3' });
  });

  test.each([
    ['is not registered', [fine[0], fine[1]], /^w-2: the node is not registered$/],
    [
      'is NotReady',
      [fine[0], fine[1], 'version w-2 v1.36.3\nready w-2 False cni plugin not initialized'],
      /^w-2: the node is NotReady \(cni plugin not initialized\)$/,
    ],
    [
      'no longer reports',
      [fine[0], fine[1], 'version w-2 v1.36.3\nready w-2 Unknown Kubelet stopped posting'],
      /^w-2: the node is Unknown/,
    ],
    ['has another version', [fine[0], fine[1], 'version w-2 v1.35.4\nready w-2 True'], /^w-2: the kubelet is v1\.35\.4, not v1\.36\.3$/],
  ])('name the one that %s', (_, lines, message) => {
    const result = asked(lines.join('\n'));
    expect(result.ok).toBe('fail');
    expect(result.message).toMatch(message);
  });

  test('know hosts of the file that were left out', () => {
    const printed = { 'cp-1': [...fine, 'version w-3 v1.36.3', 'ready w-3 Unknown'].join('\n') };
    expect(ask('nodes', { printed, leftOut: ['w-3'] }).ok).toBe('pass');
    expect(ask('nodes', { printed }).ok).toBe('warn');
  });

  test('are judged on hosts that could not be read too, whose nodes are no strangers', () => {
    const unread = (named: boolean) => [
      { host: { ...context().cluster.hosts[1]!, name: named ? 'w-3' : '10.0.0.23', named }, why: 'silent' },
    ];
    const w3 = 'version w-3 v1.36.3\nready w-3 Unknown';
    const printed = { 'cp-1': [...fine, w3].join('\n') };
    expect(ask('nodes', { printed, unread: unread(true) }).message).toMatch(/^w-3: the node is Unknown/);
    expect(ask('nodes', { printed, unread: unread(false) }).ok).toBe('pass');
    expect(ask('nodes', { printed: { 'cp-1': `${printed['cp-1']}\nversion x v1.36.3` }, unread: unread(false) }).ok).toBe('warn');
  });

  test('warn of strangers, of cordoned nodes and of pressure', () => {
    const result = asked(
      [...fine, 'version x v1.36.3\nready x True', 'cordoned w-1 -', 'trouble w-2 DiskPressure kubelet has disk pressure'].join('\n'),
    );
    expect(result.ok).toBe('warn');
    expect(result.message).toBe(
      'w-1: the node is cordoned: it gets no new pods; w-2: DiskPressure: kubelet has disk pressure; x: a node that is not in the cluster file',
    );
  });

  test('are not judged when no API server tells about them', () => {
    expect(asked('The connection to the server was refused')).toMatchObject({
      ok: 'untried',
      message: expect.stringContaining('not tried'),
    });
  });
});

describe('the forwarding chain', () => {
  const good = `-P FORWARD DROP
-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-A FORWARD -j SLIPWAY-FORWARD
-A FORWARD -j DROP
-N SLIPWAY-FORWARD
-A SLIPWAY-FORWARD -s 10.244.0.0/16 -m comment --comment "from pods" -j ACCEPT
-A SLIPWAY-FORWARD -d 10.244.0.0/16 -m comment --comment "to pods" -j ACCEPT`;
  const judged = (rules: string, spec = '') => ask('forwarding', { printed: { 'w-1': rules }, cluster: clusterOf(spec) });

  test('passes where it is reached before anything drops', () => {
    expect(judged(good).ok).toBe('pass');
  });

  test.each([
    [
      'is not reached',
      good.replace('-A FORWARD -j SLIPWAY-FORWARD\n', ''),
      /does not lead to the chain SLIPWAY-FORWARD, and the policy of FORWARD is DROP/,
    ],
    ['was flushed', good.replace(/-A SLIPWAY.*\n?/g, ''), /does not accept traffic from pods and to pods/],
    ['lost one rule', good.replace(/-A SLIPWAY-FORWARD -d.*/, ''), /does not accept traffic to pods,/],
    [
      'comes too late',
      good.replace('-A FORWARD -m comment', '-A FORWARD -i eth0 -j DROP\n-A FORWARD -m comment'),
      /drops packets before the chain/,
    ],
    ['cannot be seen', 'sh: iptables: not found', /does not tell the rules/],
  ])('fails where it %s', (_, rules, message) => {
    const result = judged(rules);
    expect(result.ok).toBe('fail');
    expect(result.message).toMatch(message);
  });

  test('is the policy alone where forwarding is accept', () => {
    const spec = '  network: { forwarding: accept }\n';
    expect(judged('-P FORWARD ACCEPT', spec).ok).toBe('pass');
    expect(judged('-P FORWARD DROP', spec).message).toBe('w-1: the policy of FORWARD is DROP, not ACCEPT');
  });
});

describe('flannel', () => {
  const view = (
    own: number,
    others: readonly [number, string][],
    device = '7: flannel.1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450',
  ): string =>
    [
      `FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.${own}.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true`,
      '@routes',
      `10.244.${own}.0/24 dev cni0 proto kernel scope link src 10.244.${own}.1`,
      ...others.map(([n]) => `10.244.${n}.0/24 via 10.244.${n}.0 dev flannel.1 onlink`),
      '@device',
      device,
      '@fdb',
      ...others.map(([, address]) => `16:74:32:87:cb:e8 dst ${address} self permanent`),
    ].join('\n');
  const cp = view(0, [
    [1, '10.0.0.21'],
    [2, '10.0.0.22'],
  ]);
  const w1 = view(1, [
    [0, '10.0.0.11'],
    [2, '10.0.0.22'],
  ]);
  const w2 = view(2, [
    [0, '10.0.0.11'],
    [1, '10.0.0.21'],
  ]);

  test('passes when every node knows the way to all others', () => {
    expect(ask('flannel', { printed: { 'cp-1': cp, 'w-1': w1, 'w-2': w2 } })).toMatchObject({
      ok: 'pass',
      data: { subnets: { 'w-1': '10.244.1.0/24' } },
    });
  });

  test.each([
    ['a route is missing', view(1, [[0, '10.0.0.11']]), 'w-1: no route to the pods of w-2 (10.244.2.0/24)'],
    ['a peer is not known', w1.replace(/.*dst 10\.0\.0\.22.*\n?/, ''), 'w-1: flannel.1 does not know the address of w-2'],
    [
      'there is no lease',
      'cat: /run/flannel/subnet.env: No such file or directory\n@routes\n@device\n@fdb\n',
      'w-1: flanneld has no pod subnet (/run/flannel/subnet.env)',
    ],
    [
      'the device is gone',
      view(
        1,
        [
          [0, '10.0.0.11'],
          [2, '10.0.0.22'],
        ],
        'Device "flannel.1" does not exist.',
      ),
      'w-1: the device flannel.1 is missing',
    ],
  ])('says that %s', (_, broken, message) => {
    expect(ask('flannel', { printed: { 'cp-1': cp, 'w-1': broken, 'w-2': w2 } }).message).toBe(message);
  });
});

describe('the pod network', () => {
  const TIMEOUT = 'context deadline exceeded';

  test('passes when every pod reaches every pod', () => {
    expect(ask('pod-network', {})).toMatchObject({ ok: 'pass', message: '9 pairs of 3 nodes' });
  });

  test('names the node that is cut off, not its innocent neighbours', () => {
    const trial = trialOf({
      broken: ({ from, to, kind }) => (kind === 'pod' && from !== to && [from, to].includes('w-1') ? TIMEOUT : undefined),
    });
    expect(ask('pod-network', { trial })).toMatchObject({
      ok: 'fail',
      message: 'w-1: pods here and pods on other nodes do not reach each other',
      evidence: expect.stringContaining('cp-1 to w-1 (10.244.1.5): context deadline exceeded'),
    });
  });

  test('says it of the whole network when no node reaches another', () => {
    const trial = trialOf({ broken: ({ from, to, kind }) => (kind === 'pod' && from !== to ? TIMEOUT : undefined) });
    expect(ask('pod-network', { trial }).message).toBe('cp-1, w-1 and w-2: no pod reaches a pod on another node');
  });

  test('names the pair when only one way is broken', () => {
    const trial = trialOf({ broken: ({ from, to, kind }) => (kind === 'pod' && from === 'cp-1' && to === 'w-2' ? TIMEOUT : undefined) });
    expect(ask('pod-network', { trial }).message).toBe('cp-1: a pod here does not reach the pod on w-2');
  });

  test('does not take the answer of a wrong pod for an answer', () => {
    const trial = trialOf({});
    const calls = {
      ...trial.calls,
      'cp-1': trial.calls['cp-1']!.map((call) => (call.kind === 'pod' && call.to === 'echo-2' ? { ...call, answer: 'echo-1' } : call)),
    };
    expect(ask('pod-network', { trial: { ...trial, calls } })).toMatchObject({
      ok: 'fail',
      evidence: 'cp-1 to w-2 (10.244.2.5): echo-1 answered',
    });
  });

  test('tells a host that does not reach its own pod from a broken network', () => {
    const trial = trialOf({ broken: ({ from, kind }) => (from === 'w-1' && kind === 'host' ? 'no answer within 3 s' : undefined) });
    expect(ask('pod-network', { trial }).message).toBe('w-1: the host does not reach its own pod');
  });

  test('is judged among the nodes whose pods run; the others are named by the check of pods', () => {
    const trial = trialOf({ without: { 'w-1': 'Pending: ErrImageNeverPull' } });
    expect(ask('pod-network', { trial })).toMatchObject({ ok: 'pass', message: '4 pairs of 2 nodes' });
    expect(ask('pods', { trial })).toMatchObject({
      ok: 'fail',
      message: 'w-1: no pod starts: Pending: ErrImageNeverPull',
      hint: expect.stringContaining('slipway apply imports it again'),
    });
  });

  test('loses large packets only: that is what is said', () => {
    const trial = trialOf({ broken: ({ from, to, kind }) => (kind === 'large' && from === 'w-1' && to === 'w-2' ? TIMEOUT : undefined) });
    expect(ask('pod-network', { trial }).ok).toBe('pass');
    expect(ask('packet-size', { trial })).toMatchObject({
      ok: 'fail',
      message: 'w-1: small packets reach the pod on w-2, large ones do not',
      hint: expect.stringContaining('MTU'),
    });
  });
});

describe('names and Services', () => {
  const dnsFails = (answer: string) => trialOf({ broken: ({ kind }) => (kind === 'dns' ? answer : undefined) });

  test.each([
    ['lookup echo on 10.96.0.10:53: i/o timeout', /cannot resolve the names/],
    ['lookup echo on 10.96.0.10:53: no such host', /CoreDNS answers, but does not know a Service/],
    ['Get "http://10.96.0.100:80/hostname": context deadline exceeded', /resolve the name of a Service, but do not reach it/],
  ])('"%s" is told apart', (answer, message) => {
    expect(ask('dns', { trial: dnsFails(answer) }).message).toMatch(message);
  });

  test('a Service that does not work is not blamed on names or hairpins as well', () => {
    const trial = trialOf({
      broken: ({ from, kind }) =>
        from === 'w-1' && ['dns', 'service', 'self', 'host-service'].includes(kind) ? 'context deadline exceeded' : undefined,
    });
    expect(ask('services', { trial })).toMatchObject({ ok: 'fail', message: expect.stringMatching(/^w-1: /) });
    expect(ask('dns', { trial }).ok).toBe('pass');
    expect(ask('hairpin', { trial }).ok).toBe('pass');
  });

  test('a pod that does not reach itself through its Service is named', () => {
    const trial = trialOf({ broken: ({ from, kind }) => (from === 'w-1' && kind === 'self' ? 'context deadline exceeded' : undefined) });
    expect(ask('hairpin', { trial }).message).toBe('w-1: a pod here does not reach itself through its Service');
  });
});

describe('what only --deep looks at', () => {
  test('a port of a node that does not lead to its pod is named, from whatever host it was tried', () => {
    expect(ask('host-port', { trial: trialOf({}) })).toMatchObject({ ok: 'pass', message: 'on 3 nodes' });
    const trial = trialOf({ broken: ({ to, kind }) => (to === 'w-2' && kind === 'host-port' ? 'Connection refused' : undefined) });
    expect(ask('host-port', { trial })).toMatchObject({
      ok: 'fail',
      message: "w-2: a pod's hostPort is not reached from another host",
      evidence: 'w-1 to the port of echo-2: Connection refused',
    });
  });

  test('a way out counts as one when somebody at its end refuses, and not when nobody answers', () => {
    const tried = (said: string): CheckResult =>
      ask('outside', { trial: trialOf({ work: { outside: `echo-0 192.0.2.53 reached \necho-1 192.0.2.53 ${said} \n` } }) });
    expect(tried('REFUSED command terminated with exit code 1')).toMatchObject({ ok: 'pass', message: 'from 2 nodes to 192.0.2.53' });
    expect(tried('TIMEOUT command terminated with exit code 1')).toMatchObject({
      ok: 'fail',
      message: 'w-1: a pod here does not reach 192.0.2.53, the name server of its node',
    });
  });

  test('the port that is tried is one on which no node listens', () => {
    const facts = (ports: readonly number[]) =>
      Object.fromEntries(
        Object.entries(context().facts).map(([name, own]) => [
          name,
          { ...own, listening: ports.map((port) => ({ protocol: 'tcp' as const, address: '*', port, process: 'x' })) },
        ]),
      );
    expect(freePort(context({ facts: facts([22]) }))).toBe(20_000);
    expect(freePort(context({ facts: facts([20_000, 20_001]) }))).toBe(20_002);
  });
});

describe('certificates', () => {
  const inventory = (days: number) => ({
    authorities: {},
    secrets: {},
    certificates: { 'w-1/kube-proxy': { spec: '', generation: 1, certificateSha256: '', keySha256: '', notAfter: NOW + days * DAY } },
  });

  test.each([
    [364, 'pass', '1 certificate, the first ends in 364 days'],
    [29, 'warn', 'w-1: the certificate kube-proxy ends in 29 days'],
    [-1, 'fail', 'w-1: the certificate kube-proxy has expired on 2026-11-20'],
  ])('with %i days left: %s', (days, ok, message) => {
    expect(ask('certificates', { inventory: inventory(days) })).toMatchObject({ ok, message });
  });
});

describe('leaders', () => {
  const lease = (holder: string, age: number | string): string =>
    `HTTP 200\nok\n@lease ${age} {"kind":"Lease","spec":{"holderIdentity":"${holder}"}}`;

  test('pass with a lease that is renewed, and are named', () => {
    expect(ask('scheduler', { printed: { 'cp-1': lease('cp-1_0c6e3a3e-0a1c-4b8e-9d57-0a0a0a0a0a0a', 3) } })).toMatchObject({
      ok: 'pass',
      data: { leader: 'cp-1' },
    });
  });

  test.each([
    ['is stale', lease('cp-1_0c6e3a3e-0a1c-4b8e-9d57-0a0a0a0a0a0a', 48), /no kube-scheduler leads: cp-1 renewed its lease 48 s ago/],
    ['is that of a process that has ended', lease('cp-1_0c6e3a3e-0a1c-4b8e-9d57-0a0a0a0a0a0a', '6 lost'), /cp-1 renewed its lease 6 s ago/],
    ['was given back', lease('', 48), /gave its lease back/],
    [
      'never was',
      'HTTP 200\nok\n@lease - Error from server (NotFound): leases "kube-scheduler" not found',
      /nobody has ever taken its lease/,
    ],
  ])('fail when the lease %s', (_, text, message) => {
    expect(ask('scheduler', { printed: { 'cp-1': text } }).message).toMatch(message);
  });

  test('are not judged by a lease that nobody can read', () => {
    expect(ask('scheduler', { printed: { 'cp-1': 'HTTP 200\nok\n@lease - The connection to the server was refused' } }).ok).toBe('pass');
  });
});

describe('etcd', () => {
  const member = (name: string) => ({ ID: 7343214583514008074, name, peerURLs: ['https://10.0.0.11:2380'], clientURLs: [] });
  const status = (fields: object = {}) => ({
    Endpoint: 'https://10.0.0.11:2379',
    Status: { header: { member_id: '1' }, version: '3.6.8', dbSize: 1e6, dbSizeQuota: 8e9, leader: '1', ...fields },
  });
  const printed = (members: object[], statuses: object[]): Record<string, string> => ({
    'cp-1': `HTTP 200\n{"health":"true"}\n@members\n${JSON.stringify({ members })}\n@status\n${JSON.stringify(statuses)}`,
  });

  test.each([
    ['is well', [member('cp-1')], [status()], 'pass', /^1 member/],
    ['has a member too many', [member('cp-1'), member('old')], [status()], 'fail', /has the member old, which is no etcd host/],
    ['lacks a member', [], [status()], 'fail', /does not know cp-1 as a member/],
    ['has an alarm', [member('cp-1')], [status({ errors: ['memberID:8925027824743593106 alarm:NOSPACE '] })], 'fail', /alarm:NOSPACE/],
    ['is nearly full', [member('cp-1')], [status({ dbSize: 7.5e9 })], 'warn', /94 % of its quota/],
    ['has no leader', [member('cp-1')], [status({ leader: undefined })], 'fail', /no leader/],
  ])('%s', (_, members, statuses, ok, message) => {
    const result = ask('etcd', { printed: printed(members, statuses) });
    expect(result.ok).toBe(ok);
    expect(result.message).toMatch(message);
  });
});

test('etcd may have members on hosts that were left out', () => {
  const members = ['cp-1', 'cp-2'].map((name) => ({ name, peerURLs: ['https://10.0.0.11:2380'] }));
  const printed = { 'cp-1': `HTTP 200\n{"health":"true"}\n@members\n${JSON.stringify({ members })}\n@status\n[]` };
  expect(ask('etcd', { printed }).message).toContain('the member cp-2, which is no etcd host');
  expect(ask('etcd', { printed, leftOut: ['cp-2'] }).message).not.toContain('cp-2');
});

describe('Secrets in etcd', () => {
  test.each([
    ['k8s:enc:secretbox:v1:key-1:', 'pass', /secretbox/],
    ['k8sv1Secretverify', 'fail', /not encrypted/],
    ['', 'fail', /cannot be read/],
  ])('beginning with "%s": %s', (begin, ok, message) => {
    const result = ask('encryption', { trial: trialOf({ work: { encryption: begin } }) });
    expect(result.ok).toBe(ok);
    expect(result.message).toMatch(message);
  });
});

describe('a Deployment', () => {
  const asked = (text: string) => ask('scheduling', { trial: trialOf({ work: { scheduling: text } }) });
  test.each([
    ['available\npod w-1 Running', 'pass', /^on w-1$/],
    ['', 'fail', /nobody makes the pods/],
    ['pod - Pending', 'fail', /nobody chooses a node/],
    ['pod - Pending 0/3 nodes are available: 3 Insufficient memory', 'fail', /no node takes a pod: 0\/3 nodes are available/],
    ['pod w-1 Pending ErrImageNeverPull', 'fail', /^w-1: the pod of a Deployment does not start/],
  ])('of which is seen "%s"', (text, ok, message) => {
    const result = asked(text);
    expect(result.ok).toBe(ok);
    expect(result.message).toMatch(message);
  });
});

describe('kubectl logs and exec', () => {
  test('fail on the node they fail on', () => {
    const work = {
      'exec-logs':
        'logs [pod/echo-0/echo] Started\nlogs [pod/echo-2/echo] Started\nlogs error: echo-1: dial tcp 10.0.0.21:10250: i/o timeout\nexec echo-2 app version 2.63.0',
    };
    expect(ask('exec-logs', { trial: trialOf({ work }) })).toMatchObject({
      ok: 'fail',
      message: 'w-1: kubectl logs does not work',
      evidence: expect.stringContaining('10250'),
    });
  });
});

describe('the API', () => {
  test('names what is not ready in it', () => {
    const said =
      'Error from server (InternalError): an error on the server ("[+]ping ok\\n[-]etcd failed: reason withheld\\nreadyz check failed")';
    expect(ask('api-server', { printed: { 'cp-1': said } }).message).toBe('cp-1: the API server is not ready: etcd');
  });

  test('is not reached where HAProxy runs without any server behind it', () => {
    const answers = {
      'cp-1': 'HTTP 400\nClient sent an HTTP request to an HTTPS server.',
      'w-1': 'closed the connection without an answer',
      'w-2': 'Connection refused',
    };
    expect(ask('api-endpoint', { printed: answers }).message).toBe(
      'w-1: api-endpoint (HAProxy on 127.0.0.1:6444) has no API server that is ready; w-2: nothing listens on 127.0.0.1:6444: api-endpoint (HAProxy) does not run',
    );
  });
});

describe('the quick look', () => {
  const { states } = (() => {
    const unit = { loaded: true, enabled: true, active: 'active', needsReload: false, restarts: 0, digest: undefined };
    const names = [
      'etcd',
      'kube-apiserver',
      'kube-controller-manager',
      'kube-scheduler',
      'api-endpoint',
      'containerd',
      'kubelet',
      'flanneld',
      'kube-proxy',
      'slipway-forwarding',
    ];
    const state = {
      files: {},
      directories: {},
      links: {},
      users: [],
      sysctls: {},
      commands: [],
      artefacts: {},
      recorded: {},
      probes: {},
      units: Object.fromEntries(names.map((name) => [`${name}.service`, unit])),
    };
    const nodes = ['cp-1', 'w-1', 'w-2'].map((name) => `ready ${name} True\nversion ${name} v1.36.3`).join('\n');
    return { states: { 'cp-1': { ...state, probes: { nodes } }, 'w-1': state, 'w-2': state } };
  })();

  test('passes from the gathered states alone', () => {
    expect(quick({ states })).toEqual({
      units: 'pass active on 3 hosts',
      'api-server': 'pass 1 API server answered',
      nodes: 'pass 3 nodes Ready, v1.36.3',
    });
  });

  test('fails when a unit is down, the API is silent, or a node is not Ready', () => {
    const down = {
      ...states['w-1'],
      units: { ...states['w-1'].units, 'kubelet.service': { ...states['w-1'].units['kubelet.service']!, active: 'failed' } },
    };
    expect(quick({ states: { ...states, 'w-1': down } })['units']).toBe('fail w-1: kubelet.service is failed');
    expect(quick({ states: { ...states, 'cp-1': { ...states['cp-1'], probes: {} } } })['api-server']).toBe(
      'fail cp-1: the API server does not answer',
    );
    const notReady = { nodes: states['cp-1'].probes.nodes.replace('ready w-2 True', 'ready w-2 Unknown') };
    expect(quick({ states: { ...states, 'cp-1': { ...states['cp-1'], probes: notReady } } })['nodes']).toMatch(
      /^fail w-2: the node is Unknown/,
    );
  });
});

test('every probe is text that a POSIX shell can be given, for every host', () => {
  // The scripts themselves are run by the lab tests; here: that they can be made at all, for roles alone and together.
  const situation = context({ cluster: clusterOf('  network: { flannel: { backend: host-gw } }\n') });
  expect(situation.cluster.hosts.map(({ name }) => name)).toEqual(['cp-1', 'w-1', 'w-2']);
});

describe('the metrics check', () => {
  const cluster = clusterOf('  addons: { metricsServer: true }\n');
  const metrics = (...nodes: string[]): string =>
    `${JSON.stringify({ items: nodes.map((name) => ({ metadata: { name }, timestamp: 'now' })) })}\n@log\nscrape failed`;
  const say = (printed: string) => ask('metrics', { cluster, printed: { 'cp-1': printed } });

  test('passes when metrics-server knows every node, and names those that it does not', () => {
    expect(say(metrics('cp-1', 'w-1', 'w-2'))).toMatchObject({ ok: 'pass', message: '3 of 3 nodes' });
    expect(say(metrics('cp-1', 'w-2'))).toMatchObject({
      ok: 'fail',
      message: 'w-1: metrics-server has nothing of the node',
      evidence: 'scrape failed',
    });
  });

  test('says why the API does not answer', () => {
    expect(
      say('Error from server (ServiceUnavailable): the server is currently unable to handle the request\n@log\nno pods'),
    ).toMatchObject({
      ok: 'fail',
      message:
        'the metrics API does not answer: Error from server (ServiceUnavailable): the server is currently unable to handle the request',
      evidence: 'no pods',
    });
  });
});

describe('privileged pods', () => {
  const elsewhere = `elsewhere 1 Error from server (Forbidden): error when creating "STDIN": pods "privileged" is forbidden: violates PodSecurity "baseline:latest": privileged (container "pause" must not set securityContext.privileged=true)`;
  const ready = 'here 0 pod/privileged created\npod w-1 ready Running';
  const say = (work: string, more: Partial<Situation> = {}) =>
    ask('privileged', { trial: trialOf({ work: { privileged: work } }), ...more });
  const withArgs = (args: string): Cluster => clusterOf(`  components: { kube-apiserver: { args: { ${args} } } }\n`);

  test('start where they are allowed, and are refused elsewhere', () => {
    expect(say(`${elsewhere}\n${ready}`)).toEqual({ ok: 'pass', message: 'started on w-1, refused by a namespace without labels' });
  });

  test('that no namespace may have are the API server’s fault alone', () => {
    const never =
      '1 The Pod "privileged" is invalid: spec.containers[0].securityContext.privileged: Forbidden: disallowed by cluster policy';
    expect(say(`elsewhere ${never}\nhere ${never}`)).toMatchObject({
      ok: 'fail',
      message: 'the API server takes no privileged pod, in no namespace',
      hint: expect.stringContaining('--allow-privileged=true'),
    });
  });

  test.each([
    ['elsewhere 0 pod/privileged created (server dry run)', ready, /^a namespace without labels takes a privileged pod/],
    ['elsewhere 1 Error: admission webhook "x" denied the request', ready, /^a namespace without labels refuses .* for another reason/],
    [elsewhere, elsewhere.replace('elsewhere', 'here'), /^a privileged pod cannot be made in a namespace that allows it$/],
    [
      elsewhere,
      'here 0 pod/privileged created\npod w-1 unready Pending CreateContainerError no',
      /^w-1: a privileged pod does not start: Pending CreateContainerError no$/,
    ],
  ])('name the half that is wrong: %s, %s', (there, here, message) => {
    const result = say(`${there}\n${here}`);
    expect(result).toMatchObject({ ok: 'fail', message: expect.stringMatching(message), hint: expect.anything() });
    expect(result.findings).toHaveLength(1);
  });

  test('are not judged without a pod, nor against what the cluster file wants', () => {
    expect(say('')).toMatchObject({ message: 'not tried: no pod runs' });
    const open = `elsewhere 0 pod/privileged created (server dry run)\n${ready}`;
    expect(say(open, { cluster: withArgs('disable-admission-plugins: PodSecurity') })).toEqual({ ok: 'pass', message: 'started on w-1' });
    const check = verifyChecks.find(({ id }) => id === 'privileged')!;
    expect([check.applies!(context()), check.applies!(context({ cluster: withArgs('allow-privileged: false') }))]).toEqual([true, false]);
  });
});
