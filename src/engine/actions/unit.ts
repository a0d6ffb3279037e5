import { sh } from '../../base/quote.ts';
import type { UnitAction } from '../step.ts';
import type { Kind } from './action.ts';

/** Starting never waits: systemd absorbs the order, and readiness is a wait of its own. */
export const unit: Kind<UnitAction> = {
  reason({ name, digest, running = true }, state) {
    const found = state.units[name];
    if (!found?.loaded) return 'new';
    if (!found.enabled) return 'not enabled';
    if (running && found.active !== 'active') return `is ${found.active}`;
    if (running && found.digest !== digest) return 'runs with other settings';
    if (found.needsReload) return 'systemd has not read the changed unit';
    return undefined;
  },
  shell: ({ name, running = true }) =>
    sh`systemctl --no-reload --quiet enable ${name}` + (running ? sh`; systemctl reset-failed ${name} 2>/dev/null || :; systemctl restart --no-block ${name}` : ''),
};
