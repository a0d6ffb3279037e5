import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { bug } from '../base/errors.ts';
import { sh } from '../base/quote.ts';
import { deliverScript, INCOMING, type Delivery } from './actions/artefact.ts';
import { shellFor } from './actions/index.ts';
import { wantedDigest } from './plan.ts';
import { OPT, RECORD, RUN, VAR } from './state.ts';
import type { Content, ScriptAction, Step } from './step.ts';

/** One script for several steps of a host, and what it reads. */
export interface Batch {
  script: string;
  stdin: Buffer | Readable;
}

export interface BatchOptions {
  run: string;
  /** Marks the lines that report; everything else is output of the step. */
  token: string;
  /** See Materials.bytes. */
  bytes(ref: string): Promise<Buffer | undefined>;
}

/** How what a change had replaced is after its step failed: nothing had been restarted; it serves as before; it does not serve either. */
export type PutBack = 'untouched' | 'serving' | 'broken';

/** What a line of a batch's output says. */
export type Report =
  { kind: 'started' | 'done' | 'failed' | 'undone' | PutBack | 'stopped' | 'displaced'; index: number } | { kind: 'output'; text: string };

/**
 * The shell functions that actions use. `own` keeps what was at a path before we first wrote there, but where all is ours (a delivery may have made
 * the directory a moment ago); `vacate` makes room where an empty directory has taken the place of something of ours; `note` keeps a fact for reset.
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
vacate() {
  [ -d "$1" ] && [ ! -L "$1" ] || return 0
  case "$s_owned" in *"|$1|"*) rmdir "$1" && return 0 ;; esac
  echo "$1 is a directory: move it away"
  return 1
}
note() {
  s_f=${VAR}/before/$1; s_e=$2
  grep -qs -e "^\${s_e%%=*}[= ]" -e "^\${s_e%%=*}$" "$s_f" && return 0
  case $1 in units) s_e="$s_e $(systemctl is-enabled "$2" 2>/dev/null) $(systemctl is-active "$2" 2>/dev/null)" || : ;; esac
  printf '%s\n' "$s_e" >>"$s_f"
}
s_log() { [ ! -d ${VAR} ] || printf '{"run":"%s","step":"%s","result":"%s"}\n' ${run} "$1" "$2" >>${VAR}/journal.ndjson; }
s_change=
s_unless_stopped() { [ ! -e ${RUN}/stop ] || { s_report stopped "$1"; exit 0; }; }
s_begin() {
  [ -n "$s_change" ] || s_unless_stopped "$1"
  s_log "$2" started; s_report started "$1"
}
s_end() {
  [ "$2" = 0 ] || { s_log "$3" failed; [ -z "$s_change" ] || s_undo "$1"; s_report failed "$1"; exit 0; }
  [ -z "$s_change" ] || s_recall "$1" "$3"
  [ ! -d ${VAR} ] || printf '%s %s\n' "$4" "$3" >>${RECORD}
  s_log "$3" done; s_report done "$1"
}
`;
}

/**
 * Shell functions of a change: what its steps replace is kept until its last step is done. A script that nobody listens to any more goes on, and so do
 * the programs that it starts; what fails to tell of itself is put back like anything else that fails.
 */
const changes = sh`
trap '' PIPE HUP
s_kept=${VAR}/change
s_open() { s_unless_stopped "$1"; s_change=$2; rm -rf "$s_kept"; mkdir -p "$s_kept" || exit 1; : >"$s_kept/paths"; : >"$s_kept/units"; : >"$s_kept/record"; : >"$s_kept/done"; : >>${RECORD}; }
s_close() { s_change=; rm -rf "$s_kept"; }
s_keep() {
  case $(stat -c %F "$1" 2>/dev/null) in '' | directory) ;; *) mkdir -p "$s_kept/files\${1%/*}"; cp -a "$1" "$s_kept/files$1" ;; esac
  printf '%s\n' "$1" >>"$s_kept/paths"
}
s_recall() {
  echo "$1" >>"$s_kept/done"
  awk -v id="$2" '$2 == id { line = $0 } END { print (line == "" ? "0000000000000000 " id : line) }' ${RECORD} >>"$s_kept/record"
}
s_undo() {
  while IFS= read -r s_p; do
    if [ -e "$s_kept/files$s_p" ] || [ -L "$s_kept/files$s_p" ]; then cp -a "$s_kept/files$s_p" "$s_p.slipway-new" && mv -fT "$s_p.slipway-new" "$s_p"
    elif [ ! -d "$s_p" ]; then rm -f "$s_p"; fi || echo "could not put back $s_p"
  done <"$s_kept/paths"
  cat "$s_kept/record" >>${RECORD}
  s_is=untouched
  if [ -s "$s_kept/units" ]; then
    systemctl daemon-reload
    xargs systemctl restart --no-block <"$s_kept/units"
    s_again && s_is=serving || s_is=broken
  fi
  while read -r s_i; do s_report undone "$s_i"; done <"$s_kept/done"
  s_report "$s_is" "$1"
}
`;

/** What a step may replace: kept for the case that the change fails. */
function keep({ action }: Step): string {
  if (action.kind === 'file' || action.kind === 'link') return sh`s_keep ${action.path}\n`;
  if (action.kind !== 'unit') return '';
  return sh`printf '%s\n' ${action.name} ${action.clients ?? []} >>"$s_kept/units"\n`;
}

/** Looks whether what was put back serves: as the change's own gates do. */
function again(change: readonly Step[]): string {
  const gates = change.flatMap(({ action }) => (action.kind === 'wait' ? [`( ${shellFor(action, [])}\n)`] : []));
  return `s_again() { ( set -e\n${gates.length === 0 ? ':' : gates.join('\n')}\n); }\n`;
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
    const bytes = await bytesFor(step, options);
    stdin.push(...bytes);
    const { change } = step;
    if (change !== undefined && steps[index - 1]?.change !== change)
      text += `\n${again(steps.filter((each) => each.change === change))}s_open ${index} ${sh`${change}`}\n`;
    const shell = (change === undefined ? '' : keep(step)) + shellFor(step.action, bytes);
    text += `\ns_begin ${index} ${sh`${step.id}`}\n( set -e\n${shell}\n)${bytes.length === 0 ? ' </dev/null' : ''}\ns_end ${index} $? ${sh`${step.id} ${wantedDigest(step)}`}\n`;
    if (change !== undefined && steps[index + 1]?.change !== change) text += 's_close\n';
  }
  const input = Buffer.concat(stdin);
  const changing = steps.some(({ change }) => change !== undefined);
  const begin = prelude(options, changing || steps.some((step) => step.action.kind === 'package'));
  return { script: begin + (changing ? changes : '') + (input.length === 0 ? '' : wholeInput(input.length)) + text, stdin: input };
}

/** Artefacts: one stream of archives, each unpacked while the next arrives. */
export function deliveryBatch(steps: readonly Step[], deliveries: readonly (Delivery & { path: string })[], options: BatchOptions): Batch {
  let text = `${prelude(options, false)}rm -rf ${INCOMING}\n`;
  for (const [index, step] of steps.entries()) {
    const end = (code: number): string => `s_end ${index} ${code} ${sh`${step.id} ${wantedDigest(step)}`}`;
    text += `\ns_begin ${index} ${sh`${step.id}`}\n` + deliverScript(deliveries[index]!, { ok: end(0), fail: end(1) });
  }
  text += '\nwait\n';
  async function* archives(): AsyncGenerator<Buffer> {
    for (const { path } of deliveries) yield* createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>;
  }
  return { script: text, stdin: Readable.from(archives(), { objectMode: false, highWaterMark: 4 << 20 }) };
}

/** Reads one line of a batch's output. */
export function readReport(line: string, token: string): Report {
  const match = line.startsWith(`@${token} `)
    ? /^@\S+ (started|done|failed|undone|untouched|serving|broken|stopped|displaced) (\d+)$/.exec(line)
    : null;
  return match ? { kind: match[1] as 'started', index: Number(match[2]) } : { kind: 'output', text: line };
}

/** What a step reads, in order. A file whose bytes only its host has reads nothing. */
async function bytesFor({ action }: Step, options: BatchOptions): Promise<Buffer[]> {
  const contents: Content[] =
    action.kind === 'file' ? [action.content] : action.kind === 'script' ? (action.stdin ?? []).map((ref) => ({ ref })) : [];
  const bytes = await Promise.all(
    contents.map(async (content) => ('text' in content ? Buffer.from(content.text) : options.bytes(content.ref))),
  );
  const found = bytes.filter((each) => each !== undefined);
  if (found.length < bytes.length && action.kind !== 'file')
    throw bug(`nobody has the bytes of ${(action as ScriptAction).stdin!.join(', ')}`);
  return found;
}
