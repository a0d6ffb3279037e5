import { Document, isMap, isSeq, type Node, stringify, visit } from 'yaml';
import type { ClusterFileInput } from './schema.ts';
import { API_VERSION, KIND, SCHEMA_URL } from './schema.ts';

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
    ...section('kubernetes', spec.kubernetes, ['kubernetes: { version: 1.36.3 }']),
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
  const document = new Document({ [key]: value });
  keepLeavesInOneLine(document);
  return document
    .toString({ lineWidth: 0 })
    .trimEnd()
    .split('\n')
    .map((line) => `  ${line}`);
}

function hasContent(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value !== undefined;
  return Object.values(value).some((inner: unknown) => inner !== undefined);
}

/** Mappings and lists of plain values read best in one line: { user: admin, port: 22 }. */
function keepLeavesInOneLine(document: Document): void {
  visit(document, {
    Collection(_, node) {
      const inner: unknown[] = isMap(node) ? node.items.map((pair) => pair.value) : isSeq(node) ? node.items : [];
      if (node !== document.contents && !inner.some((one) => isMap(one) || isSeq(one))) node.flow = true;
    },
  });
}

/** A value in one line, such as `{ name: cp-1, roles: [control-plane] }`. */
export function flowText(value: unknown): string {
  const document = new Document(value);
  visit(document, {
    Map(_, node) {
      node.flow = true;
    },
    Seq(_, node) {
      node.flow = true;
    },
  });
  // The library pads lists like mappings; people write [a, b].
  return oneLine(document.contents);
}

function oneLine(node: Node | null | unknown): string {
  if (isMap(node))
    return node.items.length === 0 ? '{}' : `{ ${node.items.map((pair) => `${oneLine(pair.key)}: ${oneLine(pair.value)}`).join(', ')} }`;
  if (isSeq(node)) return `[${node.items.map(oneLine).join(', ')}]`;
  return scalar((node as { value?: unknown } | null)?.value ?? null);
}

/** A scalar as it may stand in a flow collection. */
function scalar(value: unknown): string {
  const text = stringify([value], { lineWidth: 0, collectionStyle: 'flow', flowCollectionPadding: false }).trim();
  return text.slice(1, -1);
}
