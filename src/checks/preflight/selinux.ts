import { finding, perHost, type PreflightCheck } from './preflight.ts';

/** We never switch it off. */
export const selinux: PreflightCheck = {
  id: 'selinux',
  title: 'SELinux',
  run: (context) =>
    perHost(context, ({ name }, facts) =>
      facts.selinux === 'enforcing'
        ? [
            finding('warning', name, {
              what: 'SELinux is enforcing, which is not part of the tests on real hosts',
              hint: 'It stays on. Install container-selinux; if a unit fails, ausearch -m avc -ts recent shows what was denied.',
            }),
          ]
        : [],
    ),
};
