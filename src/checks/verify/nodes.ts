import { sh } from '../../base/quote.ts';
import { controlPlanes, isControlPlane, isNode, KUBECTL } from '../../components/topology.ts';
import {
  count,
  failing,
  notTried,
  verdict,
  warning,
  type CheckResult,
  type Finding,
  type VerifyCheck,
  type VerifyContext,
} from './verify.ts';

interface Node {
  name: string;
  /** Status of the Ready condition: True, False, Unknown. */
  ready: string;
  version: string;
  why: string;
  cordoned: boolean;
  /** Conditions that should not be, with their messages. */
  troubles: string[];
}

const TEMPLATE =
  '{{range .items}}{{$n := .metadata.name}}version {{$n}} {{.status.nodeInfo.kubeletVersion}}{{"\\n"}}{{range .status.conditions}}{{if eq .type "Ready"}}ready {{$n}} {{.status}} {{.message}}{{"\\n"}}{{else if eq .status "True"}}trouble {{$n}} {{.type}} {{.message}}{{"\\n"}}{{end}}{{end}}{{if .spec.unschedulable}}cordoned {{$n}} -{{"\\n"}}{{end}}{{end}}';

export const nodes: VerifyCheck = {
  id: 'nodes',
  title: 'Every node is registered and Ready, with the right version',
  probe(host, { cluster, patience }) {
    if (!isControlPlane(host)) return undefined;
    const names = cluster.hosts.filter(isNode).map(({ name }) => `node/${name}`);
    return `timeout ${patience + 2} ${KUBECTL} wait --for=condition=Ready ${sh`${names}`} --timeout=${patience}s >/dev/null 2>&1
${KUBECTL} get nodes --request-timeout=10s -o go-template='${TEMPLATE}'`;
  },
  run(context) {
    const answer = controlPlanes(context.cluster)
      .map((host) => context.seen(host) ?? '')
      .find((text) => text.startsWith('version '));
    return answer === undefined ? notTried('no API server tells about its nodes') : judge(context, parseNodes(answer));
  },
  quick(context) {
    const answer = controlPlanes(context.cluster)
      .map(({ name }) => context.states[name]?.probes[context.nodesProbe] ?? '')
      .find((text) => text !== '');
    return answer === undefined ? notTried('no API server tells about its nodes') : judge(context, parseNodes(answer));
  },
};

/** Lines `version NODE VERSION`, `ready NODE STATUS [WHY]`, `trouble NODE CONDITION [WHY]`, `cordoned NODE -`; others are ignored. */
export function parseNodes(text: string): Node[] {
  const found = new Map<string, Node>();
  for (const line of text.split('\n')) {
    const [, what, name, value, rest] = /^(version|ready|trouble|cordoned) (\S+) (\S+) ?(.*)$/.exec(line) ?? [];
    if (name === undefined) continue;
    const node = found.get(name) ?? { name, ready: 'Unknown', version: '', why: '', cordoned: false, troubles: [] };
    if (what === 'version') node.version = value!;
    else if (what === 'ready') Object.assign(node, { ready: value!, why: rest! });
    else if (what === 'cordoned') node.cordoned = true;
    else node.troubles.push(`${value!}${rest ? `: ${rest}` : ''}`);
    found.set(name, node);
  }
  return [...found.values()];
}

function judge({ cluster, leftOut, unread, versions }: VerifyContext, found: readonly Node[]): CheckResult {
  // A host that does not answer has a node all the same, which is found by its name unless only the host could tell that.
  const expected = [...cluster.hosts, ...unread.map(({ host }) => host).filter(({ named }) => named)].filter(isNode);
  const nameless = unread.filter(({ host }) => isNode(host) && !host.named);
  const version = `v${versions.kubernetes}`;
  const findings: Finding[] = expected.flatMap(({ name }) => {
    const node = found.find((candidate) => candidate.name === name);
    if (!node)
      return [
        failing(name, 'the node is not registered', { hint: 'the kubelet registers its node: look at what the units check says about it' }),
      ];
    const ready =
      node.ready === 'True'
        ? []
        : [
            failing(
              name,
              `the node is ${node.ready === 'False' ? 'NotReady' : 'Unknown: its kubelet has stopped reporting'}${node.why && node.ready === 'False' ? ` (${node.why})` : ''}`,
              {
                hint: 'the kubelet says why: journalctl -u kubelet on the host',
              },
            ),
          ];
    const doubts = [
      ...node.troubles.map((trouble) => warning(name, trouble, { hint: 'kubectl describe node tells more' })),
      ...(node.cordoned ? [warning(name, 'the node is cordoned: it gets no new pods', { hint: `kubectl uncordon ${name}` })] : []),
    ];
    return node.version === version
      ? [...ready, ...doubts]
      : [...ready, failing(name, `the kubelet is ${node.version}, not ${version}`, { hint: 'slipway apply delivers and restarts it' })];
  });
  const strangers = found
    .filter(({ name }) => !leftOut.includes(name) && !expected.some((host) => host.name === name))
    .map(({ name }) => name);
  // As many of them may be the nodes of hosts whose names are not known.
  if (strangers.length > nameless.length)
    findings.push(
      warning(strangers, 'a node that is not in the cluster file', { hint: 'add the host to the file, or remove it: slipway remove' }),
    );
  return verdict(findings, {
    message: `${count(expected.length, 'node')} Ready, ${version}`,
    data: { nodes: found.map(({ name, ready, version: kubelet }) => ({ name, ready: ready === 'True', version: kubelet })) },
  });
}
