import { count, failing, verdict, type VerifyCheck } from './verify.ts';

export const hosts: VerifyCheck = {
  id: 'hosts',
  title: 'Every host answers',
  run({ cluster, unreachable }) {
    const findings = Object.entries(unreachable).map(([host, why]) =>
      failing(host, why.replaceAll(host, 'it'), { hint: 'is it up, and does the network to it work?' }),
    );
    return verdict(findings, { message: count(cluster.hosts.length, 'host') });
  },
};
