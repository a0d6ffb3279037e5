import { describe, expect, test } from '@jest/globals';
import { bundledSystems, codenameOf, packageFile, systemOf } from '../../../src/artifacts/package-names.ts';
import { debsIn } from '../../../src/artifacts/packages.ts';
import { declarations } from '../../../src/components/declare.ts';
import { packagesFor } from '../../../src/components/packages.ts';
import { osModule } from '../../../src/facts/os/index.ts';
import { contextOf } from '../phases/context.ts';

describe('packages in a bundle', () => {
  test('are read from what apt would download', () => {
    const printed = `Reading package lists...
The following NEW packages will be installed:
  haproxy login.defs libstdc++6
'http://deb.debian.org/debian-security/pool/updates/main/h/haproxy/haproxy_2.6.12-1%2bdeb12u4_amd64.deb' haproxy_2.6.12-1+deb12u4_amd64.deb 2042596${' '}
'http://deb.debian.org/debian/pool/main/s/shadow/login.defs_4.17.4-2_all.deb' login.defs_1%3a4.17.4-2_all.deb 186124 MD5Sum:b6eb2480a7da34d774e68f6223f275ac
'http://deb.debian.org/debian/pool/main/g/gcc-12/libstdc%2b%2b6_12.2.0-14_amd64.deb' libstdc++6_12.2.0-14_amd64.deb 613000 SHA256:00
`;
    expect(debsIn(printed).map(({ name, version }) => [name, version, packageFile(name)])).toEqual([
      ['haproxy', '2.6.12-1+deb12u4', 'haproxy.deb'],
      ['login.defs', '1:4.17.4-2', 'login.defs.deb'],
      ['libstdc++6', '12.2.0-14', 'libstdc--6.deb'],
    ]);
  });

  test('are those of systems that we know how to give them to', () => {
    for (const system of bundledSystems) {
      const [id, versionId] = system.split('-') as [string, string];
      const os = { id, versionId, prettyName: '', like: [] };
      expect(systemOf(os)).toBe(system);
      expect(osModule({ os })?.installFilesCommand).toBeDefined();
    }
    expect(() => codenameOf('rocky-9')).toThrow(expect.objectContaining({ code: 'BUNDLE_SYSTEM_UNKNOWN', category: 'usage' }));
  });

  test.each(['', '  api: { endpoint: { host: api.example.org, port: 6443 } }'])(
    'are all that the components of a cluster declare %s',
    (spec) => {
      const context = contextOf(spec);
      const declared = context.cluster.hosts.flatMap((host) =>
        declarations(context, host).flatMap(({ declaration }) => declaration.packages ?? []),
      );
      expect([...new Set(packagesFor(context.cluster))]).toEqual(expect.arrayContaining(declared));
      expect(declared).toEqual(expect.arrayContaining([...packagesFor(context.cluster)]));
    },
  );
});
