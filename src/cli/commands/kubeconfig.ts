import { SlipwayError } from '../../base/errors.ts';
import { controlPlanes } from '../../components/topology.ts';
import { clusterAdmins } from '../../components/groups.ts';
import { operatorKubeconfig } from '../../pki/kubeconfig.ts';
import type { CertificateSpec } from '../../pki/types.ts';
import type { Handler } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { globalOptions } from '../options.ts';
import { withSession } from '../session.ts';

/** Issues a credential from the state directory alone: no host is asked. */
export const kubeconfig: Handler = async ({ options: given }, io) =>
  withSession('kubeconfig', { options: globalOptions(given), io }, async ({ cluster, state }) => {
    if (!state.inventory().authorities.kubernetes) {
      throw new SlipwayError(`cluster ${cluster.name} has no certificate authority yet`, {
        code: 'NOT_INSTALLED',
        category: 'usage',
        hint: 'install it first: slipway apply',
      });
    }
    const user = 'admin';
    const spec: CertificateSpec = {
      name: user,
      authority: 'kubernetes',
      commonName: user,
      organizations: [clusterAdmins],
      usages: ['client'],
      dnsNames: [],
      ipAddresses: [],
      certificatePath: '',
      keyPath: '',
      owner: '',
    };
    const { certificatePem, keyPem } = await state.issue('operator', spec);
    const { endpoint } = cluster.api;
    io.stdout.write(
      operatorKubeconfig({
        cluster: cluster.name,
        servers:
          endpoint === 'node-local'
            ? controlPlanes(cluster).map(({ name, address }) => ({ name, url: `https://${address}:6443` }))
            : [{ name: 'api', url: `https://${endpoint.host}:${endpoint.port}` }],
        user,
        certificate: certificatePem,
        key: keyPem,
        authority: await state.authorityCertificate('kubernetes'),
      }),
    );
    return exitCodes.ok;
  });
