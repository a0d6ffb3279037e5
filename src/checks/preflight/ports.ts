import { finding, isOurs, perHost, type PreflightCheck } from './preflight.ts';

export const ports: PreflightCheck = {
  id: 'ports',
  title: 'The ports that we need are free',
  run: (context) =>
    perHost(context, (host, facts) => {
      const ours = isOurs(facts);
      return context.requiredPorts(host).flatMap(({ port, protocol, by }) => {
        const holder = facts.listening.find(
          (socket) =>
            socket.port === port &&
            socket.protocol === protocol &&
            // Of the kernel's own UDP sockets (VXLAN, WireGuard) flanneld makes use, or replaces them.
            !(socket.process === '' && protocol === 'udp') &&
            !(ours && context.ownProcesses.has(socket.process)),
        );
        if (holder === undefined) return [];
        const at = `${holder.address === '*' ? '' : `${holder.address}:`}${port}`;
        return [
          finding('error', host.name, {
            what: `${protocol} port ${at}, which ${by} needs, is taken by ${holder.process === '' ? 'a process that could not be named' : holder.process}`,
            hint: `Stop it or move it to another port; ss -lnp${protocol[0]!} 'sport = :${port}' shows it.`,
          }),
        ];
      });
    }),
};
