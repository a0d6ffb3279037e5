import { quote, sh } from '../../base/quote.ts';
import { KUBECTL, isNode } from '../../components/topology.ts';
import type { Host } from '../../config/cluster.ts';
import { count, failing, list, notTried, verdict, type VerifyCheck, type VerifyContext } from './verify.ts';

/** Calls at the same time; each is a command on the control plane. */
const AT_ONCE = 16;

/** The pods' way out has somebody at its end whom every node needs: its first name server that is not the host itself. */
function targetOf({ facts }: VerifyContext, host: Host): string | undefined {
  return facts[host.name]?.resolvConf.nameservers.find((address) => /^\d+\.\d+\.\d+\.\d+$/.test(address) && !address.startsWith('127.'));
}

export const outside: VerifyCheck = {
  id: 'outside',
  title: 'Pods reach what is outside of the cluster',
  covers: isNode,
  deep: true,
  trial: true,
  applies: (context) => context.cluster.hosts.some((host) => isNode(host) && targetOf(context, host) !== undefined),
  // Whoever refuses has been reached.
  work: ({ namespace, podOf }, context) =>
    context.cluster.hosts
      .filter(isNode)
      .flatMap((host) => {
        const [pod, target] = [podOf(host.name), targetOf(context, host)];
        return pod === undefined || target === undefined ? [] : [{ pod, target }];
      })
      .map(
        ({ pod, target }, i) =>
          `{ s_said=$(timeout 30 ${KUBECTL} ${sh`-n ${namespace} exec ${pod} -- /agnhost connect ${`${target}:53`}`} --timeout=5s 2>&1) && s_said=reached; echo ${quote(`${pod} ${target}`)} "$s_said" | tr '\\n' ' '; echo; } &${(i + 1) % AT_ONCE === 0 ? ' wait' : ''}`,
      )
      .concat('wait')
      .join('\n'),
  run({ trial }) {
    const nodeOf = new Map(
      Object.entries(trial.pods).flatMap(([node, { name, address }]) => (address === undefined ? [] : [[name, node]])),
    );
    const tried = (trial.work['outside'] ?? '').split('\n').flatMap((line) => {
      const [, pod, target, said] = /^(\S+) (\S+) (.*)$/.exec(line.trim()) ?? [];
      const node = nodeOf.get(pod ?? '');
      return node === undefined ? [] : [{ node, target: target!, said: said! }];
    });
    if (tried.length === 0) return notTried('no pod runs');
    const findings = tried
      .filter(({ said }) => !/^(reached|REFUSED)/.test(said))
      .map(({ node, target, said }) =>
        failing(node, `a pod here does not reach ${target}, the name server of its node`, {
          hint: "what pods send leaves with the address of their node (flannel's rules in POSTROUTING), and the way is forwarded: look at the forwarding check; where TCP port 53 of the name server is closed to the node as well, this is no fault",
          evidence: `${node} to ${target}:53: ${said}`,
        }),
      );
    return verdict(findings, {
      message: `from ${count(tried.length, 'node')} to ${list([...new Set(tried.map(({ target }) => target))])}`,
    });
  },
};
