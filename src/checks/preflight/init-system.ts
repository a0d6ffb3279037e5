import { finding, perHost, type PreflightCheck } from './preflight.ts';

/** RHEL 8 has 239: the oldest on which our units' settings are known or harmlessly ignored. */
const oldest = 239;

export const initSystem: PreflightCheck = {
  id: 'init-system',
  title: 'systemd is the init system',
  run: (context) =>
    perHost(context, ({ name }, { init, systemdVersion }) => {
      if (init !== 'systemd')
        return [
          finding('error', name, {
            what: `process 1 is ${init}, not systemd`,
            hint: 'Every component runs as a systemd unit: boot the host (or container) with systemd.',
          }),
        ];
      if (systemdVersion < oldest)
        return [
          finding('error', name, {
            what: `systemd ${systemdVersion} is too old`,
            hint: `At least systemd ${oldest} is needed: upgrade the operating system.`,
          }),
        ];
      return [];
    }),
};
