import { describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { parseAllDocuments } from 'yaml';
import { apply } from '../../../playbooks/apply.ts';
import { makePlan } from '../../../src/engine/plan.ts';
import { emptyState, type HostState } from '../../../src/engine/state.ts';
import type { ScriptAction, Step } from '../../../src/engine/step.ts';
import { declarations } from '../../../src/components/declare.ts';
import type { Context } from '../../../src/phases/context.ts';
import { addons } from '../../../src/phases/addons.ts';
import { runtime } from '../../../src/phases/runtime.ts';
import { contextOf, only, statesAfter } from './context.ts';

const ON = '  addons: { metricsServer: true }';
const planOf = (spec: string, states: Readonly<Record<string, HostState>> = {}): readonly Step[] =>
  makePlan(only(addons), { ...contextOf(spec), states }, states).steps;
const words = (steps: readonly Step[]): string[] => steps.map((step) => step.summary);

describe('metrics-server', () => {
  test('is there when it is asked for: its image on every node, its objects by one control plane', () => {
    const imported = (spec: string): string[] =>
      makePlan(only(runtime), contextOf(spec), {}).steps.flatMap(({ id }) =>
        id.endsWith('/image-metrics-server') ? [id.split('/')[0]!] : [],
      );
    expect([imported(''), imported(ON)]).toEqual([[], ['cp-1', 'w-1', 'w-2']]);
    expect(words(planOf(''))).not.toContain('apply metrics-server');
    const { steps } = makePlan(apply, contextOf(ON), {});
    expect(
      words(
        steps.filter(({ host, summary: text }) => host !== 'operator' && / metrics-server|image-metrics-server|metrics-server:/.test(text)),
      ),
    ).toEqual([
      ...Array.from({ length: 3 }, () => 'deliver image-metrics-server 0.9.0'),
      ...Array.from({ length: 3 }, () => 'import the image registry.k8s.io/metrics-server/metrics-server:v0.9.0'),
      'give metrics-server its certificate',
      'apply metrics-server',
    ]);
  });

  test('is removed when the field is gone, and only then', () => {
    const installed = statesAfter(planOf(ON), {});
    expect(planOf(ON, installed)).toEqual([]);
    const [, remove, ...rest] = planOf('', installed);
    expect([remove!.summary, rest]).toEqual(['remove metrics-server', []]);
    const { script } = remove!.action as ScriptAction;
    expect(script).toMatch(
      /kubectl .* delete .*,secrets -A -l app.kubernetes.io\/managed-by=slipway,app.kubernetes.io\/name=metrics-server /,
    );
    expect(script).toContain('rm -f /etc/kubernetes/pki/metrics-server.crt /etc/kubernetes/pki/metrics-server.key');
    const bare = statesAfter(planOf(''), { 'cp-1': emptyState });
    expect(planOf('', bare)).toEqual([]);
  });

  test('is removed by text that a POSIX shell can read', async () => {
    const [, remove] = planOf('', statesAfter(planOf(ON), {}));
    await execa('sh', ['-n'], { input: (remove!.action as ScriptAction).script });
  });

  test('checks the kubelets’ certificates, and runs with nothing that it does not need', () => {
    const context = contextOf(ON);
    const objects = parseAllDocuments(context.render('metrics-server/metrics-server.yaml.hbs', { image: 'i' })).map(
      (document) => document.toJS() as { kind: string; metadata: { labels: Record<string, string> }; spec: unknown },
    );
    for (const { metadata } of objects)
      expect(metadata.labels).toMatchObject({ 'app.kubernetes.io/managed-by': 'slipway', 'app.kubernetes.io/name': 'metrics-server' });
    const { spec } = objects.find(({ kind }) => kind === 'Deployment') as {
      spec: { template: { spec: { securityContext: object; containers: { args: string[]; securityContext: object }[] } } };
    };
    const [container] = spec.template.spec.containers;
    expect(container!.args).toContain('--kubelet-certificate-authority=/var/run/secrets/kubernetes.io/serviceaccount/ca.crt');
    expect(container!.args.join(' ')).not.toContain('insecure');
    expect(spec.template.spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(container!.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  test('shows the API server a certificate of the cluster, which is renewed with its Secret', () => {
    const given = planOf(ON).find(({ summary: text }) => text === 'give metrics-server its certificate')!;
    const { script, done } = given.action as ScriptAction;
    expect(script).toContain('tls.key: "$(base64 -w0 /etc/kubernetes/pki/metrics-server.key)"');
    expect(script).toContain('caBundle: "$(base64 -w0 /etc/kubernetes/pki/ca.crt)"');
    expect(script).not.toContain('insecure');
    expect(makePlan(apply, contextOf(ON), {}).steps.find(({ id }) => id === given.id)!.needs).toEqual(
      expect.arrayContaining(['key', 'crt'].map((end) => `cp-1/kube-apiserver/file/etc/kubernetes/pki/metrics-server.${end}`)),
    );
    const context = contextOf(ON);
    const later = {
      ...context,
      inventory: {
        ...context.inventory,
        certificates: { 'cp-1/metrics-server': { generation: 4 } as Context['inventory']['certificates'][string] },
      },
    };
    const renewed = makePlan(only(addons), later, {}).steps.find(({ id }) => id === given.id)!;
    expect((renewed.action as ScriptAction).done!.lines[0]).not.toBe(done!.lines[0]);
    // It is no other wish, in the form in which a host remembers one.
    expect([given.wanted, renewed.wanted]).toEqual([expect.stringMatching(/^[0-9a-f]{16}$/), given.wanted]);
    const declared = (name: string): string[] => {
      const host = context.cluster.hosts.find((candidate) => candidate.name === name)!;
      return declarations(context, host).flatMap(({ declaration }) =>
        (declaration.certificates ?? []).map((certificate) => certificate.name),
      );
    };
    expect([declared('cp-1').includes('metrics-server'), declared('w-1').includes('metrics-server')]).toEqual([true, false]);
  });

  test('may ask every kubelet from every node', () => {
    const from = (spec: string): string[] => {
      const context = contextOf(spec);
      return declarations(context, context.cluster.hosts[1]!).flatMap(({ declaration }) =>
        (declaration.ports ?? []).flatMap((port) => (port.port === 10250 ? [port.from] : [])),
      );
    };
    expect([from(''), from(ON)]).toEqual([['control-plane'], ['nodes']]);
  });
});
