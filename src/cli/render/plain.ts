import type { Writable } from 'node:stream';
import { checkMarks, seconds } from '../style.ts';
import type { Renderer } from './renderer.ts';

/** One line for everything that matters, prefixed with the host: for logs, CI and terminals that cannot redraw. */
export function plainRenderer(out: Writable, options: { verbose: boolean }): Renderer {
  const line = (host: string, text: string): void => void out.write(`${host} | ${text}\n`);
  return {
    handle(event) {
      switch (event.code) {
        case 'stage':
          if (event.stage !== 'plan') out.write(`== ${stageTitles[event.stage]}${event.detail ? `: ${event.detail}` : ''}\n`);
          break;
        case 'host.gathered':
          if (options.verbose) line(event.host, 'read');
          break;
        case 'step.started':
          if (options.verbose) line(event.step.host, event.step.summary);
          break;
        case 'step.progress':
          if (event.text) line(event.step.host, event.text);
          break;
        case 'step.done':
          if (options.verbose || isWorthALine(event.step.kind))
            line(event.step.host, `${event.step.summary}: done${event.ms >= 1000 ? ` (${seconds(event.ms)})` : ''}`);
          break;
        case 'step.undone':
          if (options.verbose || isWorthALine(event.step.kind)) line(event.step.host, `${event.step.summary}: put back`);
          break;
        case 'step.failed':
          line(event.step.host, `FAILED: ${event.message}`);
          break;
        case 'check.done':
          out.write(`${checkMarks[event.result]} ${event.title}${event.message ? `: ${event.message}` : ''}\n`);
          break;
        case 'warning':
          out.write(`warning: ${event.host ? `${event.host}: ` : ''}${event.message}${event.hint ? ` (${event.hint})` : ''}\n`);
          break;
        default:
      }
    },
    settle: async () => {},
    stop: async () => {},
  };
}

/** Every file of forty would be noise; the log has them. */
function isWorthALine(kind: string): boolean {
  return ['unit', 'package', 'script', 'wait', 'local', 'user'].includes(kind);
}

export const stageTitles = {
  gather: 'reading the hosts',
  check: 'checking',
  plan: 'planning',
  lock: 'taking the locks',
  run: 'working',
  verify: 'verifying',
} as const;
