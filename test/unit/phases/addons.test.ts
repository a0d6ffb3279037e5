import { describe, expect, test } from '@jest/globals';
import { execa } from 'execa';
import { parseAllDocuments } from 'yaml';
import { apply } from '../../../playbooks/apply.ts';
import { makePlan } from '../../../src/engine/plan.ts';
import { emptyState, type HostState } from '../../../src/engine/state.ts';
import type { ScriptAction, Step } from '../../../src/engine/step.ts';
import { declarations } from '../../../src/components/declare.ts';
import { addons } from '../../../src/phases/addons.ts';
import { runtime } from '../../../src/phases/runtime.ts';
import { contextOf, statesAfter } from './context.ts';

const ON = '  addons: { metricsServer: true }';
const planOf = (spec: string, states: Readonly<Record<string, HostState>> = {}): readonly Step[] =>
  makePlan([addons], { ...contextOf(spec), states }, states).steps;
const words = (steps: readonly Step[]): string[] => steps.map((step) => step.words);

describe('metrics-server', () => {
  test('is there when it is asked for: its image on every node, its objects by one control plane', () => {
    const imported = (spec: string): string[] =>
      makePlan([runtime], contextOf(spec), {}).steps.flatMap(({ id }) => (id.endsWith('/image-metrics-server') ? [id.split('/')[0]!] : []));
    expect([imported(''), imported(ON)]).toEqual([[], ['cp-1', 'w-1', 'w-2']]);
    expect(words(planOf(''))).not.toContain('apply metrics-server');
    const { steps } = makePlan(apply.phases, contextOf(ON), {});
    expect(words(steps.filter(({ words: text }) => text.includes('metrics-server')))).toEqual([
      ...Array.from({ length: 3 }, () => 'deliver image-metrics-server 0.9.0'),
      ...Array.from({ length: 3 }, () => 'import the image registry.k8s.io/metrics-server/metrics-server:v0.9.0'),
      'apply metrics-server',
    ]);
  });

  test('is removed when the field is gone, and only then', () => {
    const installed = statesAfter(planOf(ON), {});
    expect(planOf(ON, installed)).toEqual([]);
    const [, remove, ...rest] = planOf('', installed);
    expect([remove!.words, rest]).toEqual(['remove metrics-server', []]);
    const { script } = remove!.action as ScriptAction;
    expect(script).toContain(
      'kubectl --kubeconfig=/etc/kubernetes/super-admin.conf --cache-dir=/run/slipway/kubectl delete --ignore-not-found',
    );
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
    for (const { metadata } of objects) expect(metadata.labels['app.kubernetes.io/managed-by']).toBe('slipway');
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
