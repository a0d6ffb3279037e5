import { groupBy } from '../../base/group.ts';
import { fold, type Bundle } from '../network/fold.ts';
import type { Facts } from '../../facts/facts.ts';
import { finding, isOurs, list, several, type PreflightCheck } from './preflight.ts';

/** What was tried with real listeners, between exactly the hosts and for exactly the ports that the components declare. */
export const reachability: PreflightCheck = {
  id: 'reachability',
  title: 'The hosts reach each other on the ports that the components need',
  run({ network, hosts }) {
    if (network === undefined) return [];
    const blocked = network.passages.filter(({ state, to, why }) => state === 'blocked' && (why === FORBIDDEN || !opens(hosts[to])));
    // The reason differs between hosts that are not reached and hosts that refuse; it is no part of what is told together.
    const bundles = [...groupBy(blocked, ({ why }) => why ?? '')].flatMap(([why, alike]) =>
      fold(alike.map(({ from, to, protocol, port, by }) => ({ from, to, what: `${protocol} port ${port} (${by})` }))).map((bundle) => ({
        ...bundle,
        why,
      })),
    );
    return [
      ...bundles.map((bundle) =>
        finding('error', [], { what: `${sentence(bundle)}: ${words(bundle.why)}`, hint: wayOut(bundle, hosts, bundle.why) }),
      ),
      ...Object.entries(network.silent).map(([host, reason]) =>
        finding('warning', host, {
          what: `whether other hosts reach it, and it them, could not be tried: ${reason}`,
          hint: 'The ways between all other hosts were tried; slipway verify --network shows them.',
        }),
      ),
    ];
  },
};

const FORBIDDEN = 'Operation not permitted';

/** A firewall that drops what comes in, and that the plan tells to let the cluster in: until then it is no wonder that nothing arrives. */
function opens(facts: Facts | undefined): boolean {
  if (facts === undefined || isOurs(facts)) return false;
  const { firewalld, ufw, dropChains = [] } = facts.firewall;
  return firewalld || ufw || dropChains.some(({ hook }) => hook === 'input');
}

function sentence({ from, to, what, both }: Bundle): string {
  if (both) return `${from[0]!} and ${to.length > 1 ? 'each of ' : ''}${several(to)} do not reach each other on ${list(what)}`;
  if (from === to) return `${several(to)} do not reach each other on ${list(what)}`;
  return `${several(from)} ${from.length === 1 ? 'does' : 'do'} not reach ${several(to)} on ${list(what)}`;
}

/** The kernel's words, as a reader without the manual understands them. */
function words(why: string): string {
  switch (why) {
    case 'Connection timed out':
      return 'no answer within 2 s';
    case FORBIDDEN:
      return 'its own firewall forbids it (OUTPUT)';
    default:
      return why === '' ? why : why[0]!.toLowerCase() + why.slice(1);
  }
}

function wayOut({ from, to, what, both }: Bundle, hosts: Readonly<Record<string, Facts>>, why: string): string {
  if (why === FORBIDDEN) return `Allow it in the firewall of ${several(from)}; iptables-save and nft list ruleset show its rules.`;
  const ports = list(what.map((one) => one.replace(/^(\w+) port (\d+).*/, '$1 $2')));
  const ends = both ? [...from, ...to] : to;
  const managed = (kind: 'firewalld' | 'ufw'): string[] => ends.filter((host) => hosts[host]?.firewall[kind] === true);
  const [firewalld, ufw] = [managed('firewalld'), managed('ufw')];
  return [
    `Let ${ports} in ${both || from === to ? 'on these hosts, each from the others,' : `on ${several(to)} from ${several(from)},`} and through whatever filters between them (security groups too).`,
    ...(firewalld.length > 0
      ? [
          `firewalld on ${several(firewalld)}: firewall-cmd --permanent ${what.map((one) => one.replace(/^(\w+) port (\d+).*/, '--add-port=$2/$1')).join(' ')} && firewall-cmd --reload.`,
        ]
      : []),
    ...(ufw.length > 0
      ? [`ufw on ${several(ufw)}: ${what.map((one) => one.replace(/^(\w+) port (\d+).*/, 'ufw allow $2/$1')).join(' && ')}.`]
      : []),
    ...(firewalld.length + ufw.length === 0 ? ['iptables-save and nft list ruleset show a host’s own rules.'] : []),
  ].join(' ');
}
