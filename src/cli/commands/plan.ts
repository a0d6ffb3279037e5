import { writeFile } from 'node:fs/promises';
import { readDiffs } from '../../engine/current.ts';
import { preparePlan } from '../../engine/pipeline.ts';
import { planning } from '../apply-pipeline.ts';
import type { Handler } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { globalOptions } from '../options.ts';
import { formatted } from '../output.ts';
import { planDocument, planScope } from '../plan-document.ts';
import { planText } from '../plan-text.ts';
import { withSession } from '../session.ts';
import { painter } from '../style.ts';

export const plan: Handler = async ({ options: given }, io) => {
  const options = globalOptions(given);
  return withSession('plan', { options, io }, async (session) => {
    const { plan: made } = await preparePlan(planning(session, options));
    const diffs = await readDiffs(made, session.runner);
    const data = planDocument(made, { cluster: session.cluster.name, diffs, scope: planScope(session.cluster, options) });
    if (typeof given['out'] === 'string') await writeFile(given['out'], `${JSON.stringify(data, null, 2)}\n`);
    await session.settleDisplay();
    io.stdout.write(
      formatted(options.output, { text: () => planText(made, { paint: painter(io.color.stdout), details: options.verbose, diffs }), data }),
    );
    return given['detailedExitcode'] === true && made.steps.length > 0 ? exitCodes.pending : exitCodes.ok;
  });
};
