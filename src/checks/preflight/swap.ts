import { finding, list, perHost, size, type PreflightCheck } from './preflight.ts';

/** The kubelet refuses to start with swap on (failSwapOn), because memory limits would not hold. */
export const swap: PreflightCheck = {
  id: 'swap',
  title: 'Swap is off',
  run: (context) =>
    perHost(context, ({ name }, facts) => {
      if (facts.swap.length === 0) return [];
      const devices = facts.swap.map(({ device, size: bytes }) => `${device} (${size(bytes)})`);
      const zram = facts.swap.some(({ device }) => device.startsWith('/dev/zram'));
      const forGood = zram
        ? 'remove the package zram-generator-defaults (or zram-tools)'
        : 'remove its line from /etc/fstab, so that it stays off after a reboot';
      return [finding('error', name, { what: `swap is on: ${list(devices)}`, hint: `Run swapoff -a, and ${forGood}.` })];
    }),
};
