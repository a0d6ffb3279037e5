import { count, failing, verdict, type VerifyCheck } from './verify.ts';

export const hosts: VerifyCheck = {
  id: 'hosts',
  title: 'Every host answers',
  run({ cluster, unread, unreachable }) {
    const silent = [
      ...unread.map(({ host: { name }, ...rest }) => ({ name, ...rest })),
      ...Object.entries(unreachable).map(([name, why]) => ({ name, why })),
    ];
    const findings = silent.map(({ name, why, hint = 'is it up, and does the network to it work?' }: Silent) =>
      failing(name, withoutName(why, name), { hint }),
    );
    return verdict(findings, { message: count(cluster.hosts.length, 'host') });
  },
};

interface Silent {
  name: string;
  why: string;
  hint?: string | undefined;
}

/** The host is named in front, and what is the same of several is said once. A name may be part of another word. */
function withoutName(why: string, name: string): string {
  const rest = why.startsWith(`${name}: `) ? why.slice(name.length + 2) : why;
  return rest.replace(/[\w.@-]+/g, (word) => (word === name ? 'it' : word));
}
