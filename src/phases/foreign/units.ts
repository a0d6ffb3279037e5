import { declarations } from '../../components/declare.ts';
import type { Host } from '../../config/cluster.ts';
import type { Desired } from '../../engine/step.ts';
import { plannedHosts, stateOf, type Context } from '../context.ts';
import { referenceState } from '../issue-certificates.ts';
import { stopForeignStep } from '../step-ids.ts';

/**
 * Units that run with authorities which are not ours, as after a run with a wrong state directory: another authority lies on the host, and other
 * certificates of the unit than were issued. A daemon reads its authorities when it starts and never again.
 */
export function foreignUnits(context: Context, host: Host): string[] {
  const { files, units } = stateOf(context, host);
  const declared = declarations(context, host).map(({ declaration }) => declaration);
  const foreign = declared.some(({ files: written = [] }) =>
    written.some(({ path, from }) => {
      const wanted = 'ref' in from && from.ref.startsWith('authority:') ? referenceState(context, from.ref).sha256 : undefined;
      return wanted !== undefined && files[path] !== undefined && files[path].sha256 !== wanted;
    }),
  );
  if (!foreign) return [];
  return declared.flatMap(({ unit, certificates = [] }) => {
    const others = certificates.some(({ name, certificatePath }) => {
      const found = files[certificatePath]?.sha256;
      return found !== undefined && found !== context.inventory.certificates[`${host.name}/${name}`]?.certificateSha256;
    });
    return unit && others && units[unit.name]?.active === 'active' ? [unit.name] : [];
  });
}

/**
 * Stops them before anything is written. Then it shows on the host itself what still has to be started, whenever this run may end; and members of
 * etcd that do not trust each other have nothing to lose.
 */
export function stopForeign(context: Context): Desired[] {
  return plannedHosts(context).flatMap((host): Desired[] => {
    const units = foreignUnits(context, host);
    if (units.length === 0) return [];
    const last = units.filter((unit) => unit === ETCD);
    const first = units.filter((unit) => unit !== ETCD);
    return [
      {
        id: stopForeignStep(host),
        host: host.name,
        summary: `stop what runs with the authorities of another cluster: ${units.join(', ')}`,
        drift: true,
        action: {
          kind: 'script',
          // Without its etcd an API server does not end for a minute and a half. What a kubelet has renewed by itself was signed there, too.
          script: [first, last]
            .flatMap((some) => (some.length === 0 ? [] : [`systemctl stop ${some.join(' ')}`]))
            .concat('rm -f /var/lib/kubelet/pki/kubelet-client-*.pem')
            .join('\n'),
        },
      },
    ];
  });
}

const ETCD = 'etcd.service';
