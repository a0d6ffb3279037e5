import { createTwoFilesPatch } from 'diff';
import { sh } from '../base/quote.ts';
import type { Runner } from '../remote/runner.ts';
import type { Plan } from './plan.ts';
import type { FileAction, Step } from './step.ts';

/** What changes in files, by step id: unified diffs. Only for files whose new text is in the plan; keys and certificates are never read back. */
export type Diffs = Readonly<Record<string, string>>;

const LARGEST = 64 * 1024;

/** Reads what is on the hosts now of the files that the plan changes: one round trip for each host concerned. For a reader only; no digest depends on it. */
export async function readDiffs(plan: Plan, runner: (host: string) => Promise<Runner>): Promise<Diffs> {
  const changed = plan.steps.filter(isChangedText);
  const hosts = [...new Set(changed.map(({ host }) => host))];
  const read = await Promise.all(
    hosts.map(async (host) => {
      const steps = changed.filter((step) => step.host === host);
      const script = steps.map(({ action }) => sh`head -c ${LARGEST} ${action.path} 2>/dev/null | base64 | tr -d '\n'; echo`).join('\n');
      const { stdout } = await (await runner(host)).run(script);
      const lines = stdout.split('\n');
      return steps.map((step, i) => [step.id, diffOf(step.action, Buffer.from(lines[i] ?? '', 'base64').toString())] as const);
    }),
  );
  return Object.fromEntries(read.flat());
}

type ChangedText = Step & { action: FileAction & { content: { text: string } } };

function isChangedText(step: Step): step is ChangedText {
  return step.action.kind === 'file' && !step.action.secret && 'text' in step.action.content && step.reason === 'content differs';
}

function diffOf({ path, content }: ChangedText['action'], before: string): string {
  const patch = createTwoFilesPatch(path, path, withoutDigest(before), withoutDigest(content.text), 'now', 'then', { context: 1 });
  const lines = patch.split('\n').slice(2);
  return lines.length > 3 ? lines.join('\n').trimEnd() : '';
}

/** The restart digest follows from everything else; a reader learns nothing from it. */
function withoutDigest(text: string): string {
  return text.replace(/^Environment=SLIPWAY_INPUTS=.*$/m, 'Environment=SLIPWAY_INPUTS=...');
}
