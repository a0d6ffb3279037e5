import { stringify } from 'yaml';
import type { ClusterFileInput } from './schema.ts';
import { API_VERSION, DEFAULT_KUBERNETES_VERSION, KIND, SCHEMA_URL } from './schema.ts';

type Spec = ClusterFileInput['spec'];

/** What a new cluster file says; everything left out keeps its default and is shown as a comment. */
export interface ClusterFileAnswers extends Omit<Spec, 'hosts'> {
  name?: string | undefined;
  /** At least one. */
  hosts: Spec['hosts'];
  /** Lines above the hosts, for instance why the roles are as they are. */
  remarks?: readonly string[] | undefined;
}

/** A new cluster file with comments: what was answered as YAML, the most useful defaults beside it as comments. */
export function renderClusterFile(answers: ClusterFileAnswers): string {
  const { name, hosts, remarks = [], ...spec } = answers;
  const lines = [
    `# yaml-language-server: $schema=${SCHEMA_URL}`,
    '#',
    '# A cluster of Slipway. Keep this file in version control; it holds no secrets.',
    '# slipway explain spec.network tells about each field.',
    `apiVersion: ${API_VERSION}`,
    `kind: ${KIND}`,
    `metadata: { name: ${scalar(name ?? 'kubernetes')} }`,
    '',
    'spec:',
    // Always written: the version of a cluster must not change with the default of the program.
    ...section('kubernetes', { version: spec.kubernetes?.version ?? DEFAULT_KUBERNETES_VERSION }, []),
    '',
    '  # How to reach the hosts. Each host can override these.',
    ...section('ssh', spec.ssh, ['ssh: { user: admin, identityFile: ~/.ssh/id_ed25519, become: sudo, hostKeys: strict }']),
    '',
    ...(remarks.length === 0 ? ['control-plane hosts also run etcd; add worker to let them take ordinary pods too.'] : remarks).map(
      (remark) => `  # ${remark}`,
    ),
    '  hosts:',
    ...hosts.map((host) => `    - ${flowText(host)}`),
    '',
    "  # Networks inside of the cluster: they must not overlap each other, nor the hosts' own. They cannot be changed later.",
    ...section('network', spec.network, [
      'network:',
      '  podCidr: 10.244.0.0/16',
      '  serviceCidr: 10.96.0.0/16',
      '  flannel: { backend: vxlan }      # vxlan | host-gw | wireguard | udp',
      '  proxy: { mode: iptables }        # iptables | nftables | ipvs',
      '  forwarding: scoped               # scoped: only pod traffic | accept: the whole host forwards',
    ]),
    '',
    ...section('runtime', spec.runtime, ['runtime: { kind: containerd, registryMirrors: [] }']),
    ...section('api', spec.api, ['api: { endpoint: node-local, certSANs: [] }   # or endpoint: { host: lb.example.com, port: 6443 }']),
    ...section('artifacts', spec.artifacts, [
      'artifacts: { source: auto }       # auto | release | { mirror: URL } | { bundle: FILE } | go',
    ]),
    ...section('addons', spec.addons, ['addons: { coredns: true, metricsServer: false, manifests: [] }']),
    ...section('components', spec.components, ['components: { kubelet: { args: { v: 2 } } }']),
  ];
  return `${lines.join('\n')}\n`;
}

/** A section as written, or as a comment that shows its defaults. */
function section(key: string, value: unknown, defaults: readonly string[]): string[] {
  if (!hasContent(value)) return defaults.map((line) => `  # ${line}`);
  return fieldLines(key, value, '  ');
}

/** One line where it fits, else a line for each field. */
function fieldLines(key: string, value: unknown, indent: string): string[] {
  const line = `${indent}${key}: ${flowText(value)}`;
  const fields =
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.entries(value).filter(([, inner]) => inner !== undefined)
      : [];
  if (line.length <= 110 || fields.length === 0) return [line];
  return [`${indent}${key}:`, ...fields.flatMap(([name, inner]) => fieldLines(name, inner, `${indent}  `))];
}

function hasContent(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value !== undefined;
  return Object.values(value).some((inner: unknown) => inner !== undefined);
}

/** A value in one line, such as `{ name: cp-1, roles: [control-plane] }`. */
export function flowText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flowText).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return scalar(value);
  const fields = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return fields.length === 0 ? '{}' : `{ ${fields.map(([key, inner]) => `${scalar(key)}: ${flowText(inner)}`).join(', ')} }`;
}

/** A scalar as it may stand in a flow collection. */
function scalar(value: unknown): string {
  const text = stringify([value], { lineWidth: 0, collectionStyle: 'flow', flowCollectionPadding: false }).trim();
  return text.slice(1, -1);
}
