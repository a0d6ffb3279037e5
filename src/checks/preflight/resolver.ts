import { finding, list, perHost, type PreflightCheck } from './preflight.ts';

export const resolver: PreflightCheck = {
  id: 'resolver',
  title: 'There is a name server that pods can reach',
  run: (context) =>
    perHost(context, ({ name }, { resolvConf: { path, nameservers } }) => {
      if (nameservers.length === 0)
        return [
          finding('warning', name, {
            what: `${path} names no name server: pods will resolve names of the cluster only`,
            hint: 'Where there is one, add a line such as nameserver 192.0.2.53.',
          }),
        ];
      const local = nameservers.filter((server) => /^127\.|^::1$/.test(server));
      if (local.length < nameservers.length) return [];
      // CoreDNS would take its own loopback address for its upstream, find the loop and stop.
      return [
        finding(context.cluster.addons.coredns ? 'error' : 'warning', name, {
          what: `${path} names only ${list(local)}, which inside a pod is the pod itself`,
          hint: `Add a name server that can be reached from elsewhere to ${path}: the one that the local resolver asks.`,
        }),
      ];
    }),
};
