import { X509Certificate } from 'node:crypto';
import { isNode } from '../../components/topology.ts';
import { count, declared, failing, verdict, warning, type CheckContext, type Finding, type VerifyCheck } from './verify.ts';

/** Days left under which somebody should know. */
const SOON = 30;
const DAY = 24 * 60 * 60 * 1000;
/** The kubelet renews its own identity and keeps it here. */
const KUBELET = '/var/lib/kubelet/pki/kubelet-client-current.pem';

interface Ending {
  name: string;
  host: string | undefined;
  notAfter: number;
}

export const certificates: VerifyCheck = {
  id: 'certificates',
  title: `No certificate ends within ${SOON} days`,
  covers: () => true,
  // The file holds the key too: only the certificate leaves the host.
  probe: (host) => (isNode(host) ? `[ ! -e ${KUBELET} ] || sed -n '/-BEGIN CERTIFICATE-/,/-END CERTIFICATE-/p' ${KUBELET}` : undefined),
  run(context) {
    const all = endings(context);
    if (all.length === 0) return verdict([warning([], 'no certificate was issued from this state directory')], { message: '' });
    const days = ({ notAfter }: Ending): number => Math.floor((notAfter - context.now) / DAY);
    const findings: Finding[] = all.flatMap((ending) => {
      const left = days(ending);
      const hosts = ending.host === undefined ? [] : [ending.host];
      if (ending.notAfter <= context.now)
        return [
          failing(hosts, `the certificate ${ending.name} has expired on ${date(ending.notAfter)}`, {
            hint: 'slipway apply issues it anew',
          }),
        ];
      return left < SOON
        ? [warning(hosts, `the certificate ${ending.name} ends in ${count(left, 'day')}`, { hint: 'slipway apply issues it anew' })]
        : [];
    });
    const first = all.reduce((a, b) => (b.notAfter < a.notAfter ? b : a));
    return verdict(findings, {
      message: `${count(all.length, 'certificate')}, the first ends in ${count(days(first), 'day')}`,
      data: {
        certificates: all.map((ending) => ({
          host: ending.host,
          name: ending.name,
          ends: new Date(ending.notAfter).toISOString(),
          days: days(ending),
        })),
      },
    });
  },
};

function endings(context: CheckContext): Ending[] {
  const { inventory, cluster } = context;
  const authorities = Object.entries(inventory.authorities).map(([name, { notAfter }]) => ({
    name: `authority ${name}`,
    host: undefined,
    notAfter,
  }));
  const leaves = cluster.hosts.flatMap((host) =>
    declared(context, host)
      .flatMap(({ declaration }) => declaration.certificates ?? [])
      .flatMap(({ name }) => {
        const renewed = name === 'kubelet' ? notAfterOf(context.seen(host)) : undefined;
        const notAfter = renewed ?? inventory.certificates[`${host.name}/${name}`]?.notAfter;
        return notAfter === undefined ? [] : [{ name, host: host.name, notAfter }];
      }),
  );
  return [...authorities, ...leaves];
}

function notAfterOf(pem: string | undefined): number | undefined {
  if (!pem?.includes('-BEGIN CERTIFICATE-')) return undefined;
  return Date.parse(new X509Certificate(pem.slice(pem.indexOf('-----BEGIN'))).validTo);
}

function date(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
