import { describe, expect, test } from '@jest/globals';
import { apply } from '../../../playbooks/apply.ts';
import { repair } from '../../../playbooks/repair.ts';
import { etcdStore } from '../../../src/components/flanneld.ts';
import { makePlan } from '../../../src/engine/plan.ts';
import { emptyState, type HostState } from '../../../src/engine/state.ts';
import { refuseLostMembers } from '../../../src/phases/drift.ts';
import type { Context } from '../../../src/phases/context.ts';
import { contextOf } from './context.ts';
import { digest, installed } from './installed.ts';

type Change = (state: HostState) => HostState;

/** A cluster that was installed as `then` says, with its hosts changed since, and a cluster file that says `now`. */
function cluster({ then = '', now = then, hosts = {} }: { then?: string; now?: string; hosts?: Record<string, Change> }): Context {
  const { states } = installed(contextOf(then));
  const { context } = installed(contextOf(now));
  const changed = Object.fromEntries(Object.entries(states).map(([name, state]) => [name, (hosts[name] ?? ((same) => same))(state)]));
  return { ...context, states: changed };
}

/** Without what only follows from the others. */
const stepsOf = (context: Context) => makePlan(repair, context, context.states).steps.filter(({ accompanies }) => !accompanies);
const drift = (context: Context): string[] => stepsOf(context).map(({ id, reason }) => `${id}: ${reason}`);

const unit =
  (name: string, change: Partial<HostState['units'][string]>): Change =>
  (state) => ({ ...state, units: { ...state.units, [name]: { ...state.units[name]!, ...change } } });
const file =
  (path: string, change: Partial<HostState['files'][string]>): Change =>
  (state) => ({ ...state, files: { ...state.files, [path]: { ...state.files[path]!, ...change } } });
const without =
  (path: string): Change =>
  (state) => ({ ...state, files: Object.fromEntries(Object.entries(state.files).filter(([name]) => name !== path)) });

describe('drift', () => {
  test('is not there on hosts as they were left', () => {
    expect(drift(cluster({}))).toEqual([]);
  });

  test.each<[string, Change, string[]]>([
    ['a stopped unit', unit('kube-proxy.service', { active: 'inactive' }), ['w-1/kube-proxy/unit: is inactive']],
    ['a disabled unit', unit('kubelet.service', { enabled: false }), ['w-1/kubelet/unit: not enabled']],
    [
      'an edited file',
      file('/var/lib/kubelet/config.yaml', { sha256: digest('9') }),
      ['w-1/kubelet/file/var/lib/kubelet/config.yaml: content differs'],
    ],
    [
      'another mode',
      file('/var/lib/kubelet/config.yaml', { mode: '0644' }),
      ['w-1/kubelet/file/var/lib/kubelet/config.yaml: mode 0644, should be 0600'],
    ],
    [
      'a deleted certificate',
      without('/etc/kubernetes/pki/kubelet-server.crt'),
      [
        'operator/issue-certificates/w-1: to be done',
        'w-1/kubelet/file/etc/kubernetes/pki/kubelet-server.key: new content, known after issue',
        'w-1/kubelet/file/etc/kubernetes/pki/kubelet-server.crt: missing',
      ],
    ],
    [
      'another mode of a private key, whose bytes stay',
      file('/etc/kubernetes/pki/flannel.key', { mode: '0644' }),
      ['w-1/flanneld/file/etc/kubernetes/pki/flannel.key: mode 0644, should be 0600'],
    ],
    [
      'a deleted certificate that its daemon reads again when it is told to',
      without('/etc/kubernetes/pki/api-endpoint.crt'),
      [
        'operator/issue-certificates/w-1: to be done',
        'w-1/api-endpoint/file/etc/kubernetes/pki/api-endpoint.key: new content, known after issue',
        'w-1/api-endpoint/file/etc/kubernetes/pki/api-endpoint.crt: missing',
        'w-1/api-endpoint/reload: if need be, after this: write /etc/kubernetes/pki/api-endpoint.key',
      ],
    ],
    ['a masked unit', unit('kube-proxy.service', { loaded: false, masked: true }), ['w-1/kube-proxy/unit: is masked']],
    [
      'a kernel parameter',
      (state) => ({ ...state, sysctls: { ...state.sysctls, 'net.ipv4.ip_forward': '0' } }),
      ['w-1/node/sysctls: net.ipv4.ip_forward is 0, should be 1'],
    ],
  ])('%s is one line, with what should be', (_, change, lines) => {
    expect(drift(cluster({ hosts: { 'w-1': change } }))).toEqual(lines);
  });

  test('a certificate that an interrupted run has issued and not brought restarts what reads it', () => {
    const then = '  network: { flannel: { store: etcd } }';
    const { inventory, ...context } = cluster({ then, hosts: { 'w-1': without(etcdStore.certificate) } });
    const issued = inventory.certificates['w-1/flannel-etcd']!;
    const again = { ...issued, generation: issued.generation + 1, certificateSha256: digest('8'), keySha256: digest('9') };
    const interrupted = { ...context, inventory: { ...inventory, certificates: { ...inventory.certificates, 'w-1/flannel-etcd': again } } };
    expect(drift(interrupted)).toContain('w-1/flanneld/unit: runs with other settings');
    // The unit file had been brought already, and its process was stopped for it.
    const stopped = unit('flanneld.service', { active: 'inactive' });
    const states = { ...interrupted.states, 'w-1': stopped(interrupted.states['w-1']!) };
    expect(drift({ ...interrupted, states })).toContain('w-1/flanneld/unit: is inactive');
  });

  test('a replaced binary is delivered again, and what runs it is looked at', () => {
    const replaced: Change = (state) => ({
      ...state,
      artefacts: Object.fromEntries(Object.entries(state.artefacts).filter(([name]) => !name.startsWith('kube-proxy/'))),
    });
    const ids = stepsOf(cluster({ hosts: { 'w-1': replaced } })).map(({ id }) => id);
    expect(ids.filter((id) => id.startsWith('w-1/'))).toEqual(['w-1/deliver-artifacts/kube-proxy', 'w-1/kube-proxy/unit']);
  });

  test('is not what the cluster file wants otherwise since', () => {
    const context = cluster({ then: '', now: '  network: { flannel: { mtu: 1400 } }' });
    expect(makePlan(apply, context, context.states).steps.length).toBeGreaterThan(0);
    expect(drift(context)).toEqual([]);
  });

  test('is found beside a pending change, which is left alone', () => {
    const context = cluster({
      now: '  network: { flannel: { mtu: 1400 } }',
      hosts: { 'w-2': unit('kubelet.service', { active: 'failed' }) },
    });
    expect(drift(context)).toEqual(['w-2/kubelet/unit: is failed']);
  });

  test('is not what an installation has not got to yet', () => {
    const context = cluster({ hosts: { 'w-1': () => emptyState } });
    const nodes = context.states['cp-1']!.probes['nodes']!;
    const states = {
      ...context.states,
      'cp-1': { ...context.states['cp-1']!, probes: { ...context.states['cp-1']!.probes, nodes: nodes.replace(/.* w-1 .*\n?/g, '') } },
    };
    expect(stepsOf({ ...context, states }).map(({ host }) => host)).not.toContain('w-1');
  });

  test('a node that is gone from the API is registered again', () => {
    const gone: Change = (state) => ({ ...state, probes: { ...state.probes, nodes: state.probes['nodes']!.replace(/.* w-1 .*\n?/g, '') } });
    expect(stepsOf(cluster({ hosts: { 'cp-1': gone } })).map(({ id }) => id)).toEqual(['w-1/nodes/register', 'cp-1/nodes/w-1']);
  });

  test('a worker that was installed anew gets everything again; a member of etcd is refused', () => {
    const anew = cluster({ hosts: { 'w-1': () => emptyState } });
    expect(
      new Set(
        stepsOf(anew)
          .filter(({ host }) => host !== 'operator')
          .map(({ host }) => host),
      ),
    ).toEqual(new Set(['w-1']));
    expect(() => refuseLostMembers(anew)).not.toThrow();
    const known = anew.states['cp-1']!.probes['nodes']!;
    const lost = cluster({ hosts: { 'cp-1': () => ({ ...emptyState, probes: { nodes: known } }) } });
    expect(() => refuseLostMembers(lost)).toThrow('cp-1 was installed anew');
  });
});
