import { finding, list, perHost, type PreflightCheck } from './preflight.ts';

/** Nothing here stands in the way: it says what we will deal with, so that nobody is surprised by the plan. */
export const firewall: PreflightCheck = {
  id: 'firewall',
  title: 'Firewalls on the hosts',
  run: (context) =>
    perHost(context, ({ name }, { firewall: found, iptables }) => {
      const network = context.unadmitted.find(({ host }) => host === name)?.network;
      const active = [...(found.firewalld ? ['firewalld'] : []), ...(found.ufw ? ['ufw'] : [])];
      const drops = (found.dropChains ?? []).filter(({ family, table }) => !(family === 'ip' && table === 'filter'));
      const accept = context.cluster.network.forwarding === 'accept';
      return [
        active.length > 0
          ? finding('warning', name, {
              what: `${list(active)} ${active.length === 1 ? 'is' : 'are'} active`,
              hint: 'It stays on: the plan adds rules for exactly the ports and networks of the cluster, in its own language, and reset removes them.',
            })
          : undefined,
        iptables.forwardPolicy === 'DROP'
          ? finding('warning', name, {
              what: `the iptables policy of FORWARD is DROP${found.docker && !found.ufw ? ' (docker sets it)' : ''}, which would stop pod traffic`,
              hint: accept
                ? 'The plan sets it to ACCEPT and keeps it so, because network.forwarding is accept.'
                : 'It stays: the plan accepts traffic from and to the pods in a chain of its own (network.forwarding: scoped).',
            })
          : undefined,
        ...(active.length > 0 ? [] : drops).map(({ family, table, chain, hook }) =>
          finding('warning', name, {
            what: `nftables drops ${hook === 'forward' ? 'forwarded' : 'incoming'} packets by default (chain ${family} ${table} ${chain})`,
            hint: `They stay: the plan inserts rules for exactly the ports and networks of the cluster, marked "slipway", and reset removes them.`,
          }),
        ),
        found.nftablesService && active.length === 0
          ? finding('warning', name, {
              what: 'nftables.service is enabled: every reload of it flushes all rules, those of kube-proxy and flannel too',
              hint: 'The plan has them put back after each start and reload of it. Better still, let /etc/nftables.conf flush only tables of its own.',
            })
          : undefined,
        network !== undefined
          ? finding('warning', name, {
              what: `its network ${network} is not private, or wider than /16: firewalls admit its address alone`,
              hint: 'If all of that network is yours, write it to network.nodeCidrs: then hosts that join later are admitted by all others at once.',
            })
          : undefined,
      ];
    }),
};
