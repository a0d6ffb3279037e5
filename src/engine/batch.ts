import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { sh } from '../base/quote.ts';
import { deliverScript, INCOMING, type Delivery } from './actions/artefact.ts';
import { shellFor } from './actions/index.ts';
import { wantedDigest } from './plan.ts';
import { OPT, RECORD, RUN, VAR } from './state.ts';
import type { Content, Step } from './step.ts';

/** One script for several steps of a host, and what it reads. */
export interface Batch {
  script: string;
  stdin: Buffer | Readable;
}

export interface BatchOptions {
  run: string;
  /** Marks the lines that report; everything else is output of the step. */
  token: string;
  bytes(ref: string): Promise<Buffer>;
}

/** What a line of a batch's output says. */
export type Report = { kind: 'started' | 'done' | 'failed' | 'stopped' | 'displaced'; index: number } | { kind: 'output'; text: string };

/**
 * The shell functions that actions use. `own` keeps what was at a path before we first wrote there, but where all is ours (a delivery may have made
 * the directory a moment ago); `note` keeps a fact for reset.
 * The script refuses to start when another run has taken the host over, and holds a lock that a later run waits for.
 */
function prelude({ run, token }: BatchOptions, waitFor: boolean): string {
  return sh`
exec 2>&1
umask 022
s_report() { printf '@%s %s %s\n' ${token} "$1" "$2"; }
exec 8>>${RUN}/steps
flock -sn 8 && [ "$(cat ${RUN}/token 2>/dev/null)" = ${run} ] || { s_report displaced 0; exit 0; }
read -r s_x s_x s_x s_x s_group s_x </proc/$$/stat
printf '%s %s %s\n' "$s_group" ${waitFor ? 'wait' : 'end'} "$(cut -d ' ' -f 22 /proc/"$s_group"/stat)" >${RUN}/running/$$
trap 'rm -f ${RUN}/running/$$' EXIT
s_owned="|$(tr '\n' '|' <${VAR}/owned 2>/dev/null)"
own() {
  case "$s_owned" in *"|$1|"*) return 0 ;; esac
  case $1 in ${OPT} | ${OPT}/*) printf '%s\n' "$1" >>${VAR}/owned; return 0 ;; esac
  if [ -d "$1" ] && [ ! -L "$1" ]; then
    printf '%s %s\n' "$(stat -c '%a %u:%g' "$1")" "$1" >>${VAR}/before/directories
    [ -n "$(ls -A "$1")" ] || printf '%s\n' "$1" >>${VAR}/before/empty
  elif [ -e "$1" ] || [ -L "$1" ]; then s_b="${VAR}/before/files$1"; mkdir -p "\${s_b%/*}"; rm -rf "$s_b"; cp -a "$1" "$s_b"; fi
  printf '%s\n' "$1" >>${VAR}/owned
}
note() {
  s_f=${VAR}/before/$1; s_e=$2
  grep -qs -e "^\${s_e%%=*}[= ]" -e "^\${s_e%%=*}$" "$s_f" && return 0
  case $1 in units) s_e="$s_e $(systemctl is-enabled "$2" 2>/dev/null) $(systemctl is-active "$2" 2>/dev/null)" || : ;; esac
  printf '%s\n' "$s_e" >>"$s_f"
}
s_log() { [ ! -d ${VAR} ] || printf '{"run":"%s","step":"%s","result":"%s"}\n' ${run} "$1" "$2" >>${VAR}/journal.ndjson; }
s_begin() { [ ! -e ${RUN}/stop ] || { s_report stopped "$1"; exit 0; }; s_report started "$1"; }
s_end() {
  [ "$2" = 0 ] || { s_report failed "$1"; s_log "$3" failed; exit 0; }
  [ ! -d ${VAR} ] || printf '%s %s\n' "$4" "$3" >>${RECORD}
  s_log "$3" done; s_report done "$1"
}
`;
}

/**
 * Input that arrives whole before the first step reads of it: a connection may break in the middle, and what comes then is an end of input like
 * any other. It waits in memory, without a name.
 */
function wholeInput(bytes: number): string {
  return `
s_in=${RUN}/input.$$
(umask 077; head -c ${bytes} >"$s_in")
[ "$(stat -c %s "$s_in")" = ${bytes} ] || { rm -f "$s_in"; echo 'what was sent did not arrive whole'; exit 1; }
exec <"$s_in"
rm -f "$s_in"
`;
}

/** Steps of all lanes but delivery: run in order, stop at the first failure. */
export async function stepsBatch(steps: readonly Step[], options: BatchOptions): Promise<Batch> {
  const stdin: Buffer[] = [];
  let text = '';
  for (const [index, step] of steps.entries()) {
    const bytes = await Promise.all(
      contentsOf(step).map(async (content) => ('text' in content ? Buffer.from(content.text) : options.bytes(content.ref))),
    );
    stdin.push(...bytes);
    const shell = shellFor(step.action, bytes);
    text += `\ns_begin ${index}\n( set -e\n${shell}\n)${bytes.length === 0 ? ' </dev/null' : ''}\ns_end ${index} $? ${sh`${step.id} ${wantedDigest(step)}`}\n`;
  }
  const input = Buffer.concat(stdin);
  const begin = prelude(
    options,
    steps.some((step) => step.action.kind === 'package'),
  );
  return { script: begin + (input.length === 0 ? '' : wholeInput(input.length)) + text, stdin: input };
}

/** Artefacts: one stream of archives, each unpacked while the next arrives. */
export function deliveryBatch(steps: readonly Step[], deliveries: readonly (Delivery & { path: string })[], options: BatchOptions): Batch {
  let text = `${prelude(options, false)}rm -rf ${INCOMING}\n`;
  for (const [index, step] of steps.entries()) {
    const end = (code: number): string => `s_end ${index} ${code} ${sh`${step.id} ${wantedDigest(step)}`}`;
    text += `\ns_begin ${index}\n` + deliverScript(deliveries[index]!, { ok: end(0), fail: end(1) });
  }
  text += '\nwait\n';
  async function* archives(): AsyncGenerator<Buffer> {
    for (const { path } of deliveries) yield* createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;
  }
  return { script: text, stdin: Readable.from(archives(), { objectMode: false, highWaterMark: 4 << 20 }) };
}

/** Reads one line of a batch's output. */
export function readReport(line: string, token: string): Report {
  const match = line.startsWith(`@${token} `) ? /^@\S+ (started|done|failed|stopped|displaced) (\d+)$/.exec(line) : null;
  return match ? { kind: match[1] as 'started', index: Number(match[2]) } : { kind: 'output', text: line };
}

function contentsOf(step: Step): Content[] {
  if (step.action.kind === 'file') return [step.action.content];
  if (step.action.kind === 'script') return (step.action.stdin ?? []).map((ref) => ({ ref }));
  return [];
}
