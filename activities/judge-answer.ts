/** One answer before a judge: shown, asked for again while a reply cannot be read, and judged or missing. */
import type { JudgePrompt, JudgeTask } from '../benchmarks/judging/judging.ts';
import {
  cutAnswer,
  fencedAnswer,
  freshMark,
  withFenceNotice,
} from '../benchmarks/judging/presentation.ts';
import type { Judgement, MissingReason } from '../contract/judgements.ts';
import { canonicalJson, sha256Hex } from '../store/canonical.ts';
import { seedFor } from '../store/random.ts';
import type { GivenReply, Judge, JudgeReply, JudgeRequest } from './judge-interface.ts';

export interface JudgedHow {
  readonly judge: Judge;
  readonly max_tries: number;
  readonly max_answer_chars: number;
  readonly signal: AbortSignal;
}

export interface Judged {
  readonly judgement: Judgement;
  /** Without any request. */
  readonly isCached: boolean;
}

/** @throws NoReply when no reply came; a reply that is of no use is a judgement without value. */
export async function judgeAnswer(
  task: JudgeTask,
  run: number,
  { judge, max_tries, max_answer_chars, signal }: JudgedHow,
): Promise<Judged> {
  const { show, isCut } = shown(task, judge, max_answer_chars);
  const given: (GivenReply & { readonly request: JudgeRequest })[] = [];
  const tries = judge.wants === 'prompts' ? max_tries : 1;
  let judgement = unjudged(task.item_id, run, 'unreadable');
  for (let attempt = 1; attempt <= tries && judgement.value === null; attempt += 1) {
    const prompt = judge.wants === 'prompts' ? show(attempt) : null;
    const request = { item_id: task.item_id, run, attempt, prompt };
    given.push({ request, ...(await judge.reply(request, signal)) });
    judgement = judgementOf(task, run, given);
  }
  if (judgement.value !== null) await judge.keep(given);
  const isCached = given.every(({ origin }) => origin === 'cached');
  return { judgement: { ...judgement, answer_cut: isCut }, isCached };
}

/** A judgement that is missing because no reply came. */
export function unjudged(item_id: string, run: number, missing: MissingReason): Judgement {
  return {
    item_id,
    run,
    value: null,
    missing,
    text: null,
    tries: 0,
    prompt_tokens: null,
    completion_tokens: null,
    finish_reason: null,
    prompt_sha256: null,
    answer_cut: false,
    served_model: null,
  };
}

function shown(task: JudgeTask, { identity, wants }: Judge, maxChars: number) {
  if (wants === 'items') return { isCut: false, show: (): JudgePrompt | null => null };
  const { text, isCut } = cutAnswer(task.answer, maxChars);
  if (identity.prompt === 'official') {
    return { isCut, show: (attempt: number): JudgePrompt => task.prompt(text, attempt) };
  }
  // Another item has another mark, the same item always the same: its reply is found again.
  const mark = freshMark(text, (draw) =>
    seedFor(0, 'judge_mark', task.item_id, draw).toString(16).padStart(14, '0'),
  );
  return {
    isCut,
    show: (attempt: number): JudgePrompt =>
      withFenceNotice(task.prompt(fencedAnswer(text, mark), attempt), mark),
  };
}

function judgementOf(
  task: JudgeTask,
  run: number,
  given: readonly { readonly request: JudgeRequest; readonly reply: JudgeReply }[],
): Judgement {
  const [first] = given;
  const last = given.at(-1)?.reply;
  const text = last?.text ?? null;
  const value = text === null ? null : task.read(text);
  const missing = text === null ? 'refused' : 'unreadable';
  const prompt = first?.request.prompt ?? null;
  return {
    ...unjudged(task.item_id, run, missing),
    value,
    missing: value === null ? missing : null,
    text,
    tries: given.length,
    prompt_tokens: sum(given.map(({ reply }) => reply.prompt_tokens)),
    completion_tokens: sum(given.map(({ reply }) => reply.completion_tokens)),
    finish_reason: last?.finish_reason ?? null,
    prompt_sha256: prompt === null ? null : sha256Hex(canonicalJson(prompt.messages)),
    served_model: last?.served_model ?? null,
  };
}

/** null where the server counted nothing at all. */
function sum(counts: readonly (number | null)[]): number | null {
  const known = counts.filter((count) => count !== null);
  return known.length === 0 ? null : known.reduce((total, count) => total + count, 0);
}
