/** What every judge is: it replies to a prompt, or says in one word why there is no reply. */
import type { JudgePrompt } from '../benchmarks/judging/judging.ts';
import type { JudgeIdentity, MissingReason } from '../contract/judgements.ts';

export interface JudgeRequest {
  readonly item_id: string;
  readonly run: number;
  /** Tries to get a reply that can be read, from 1. */
  readonly attempt: number;
  /** null for judges that only look up what was recorded. */
  readonly prompt: JudgePrompt | null;
}

export interface JudgeReply {
  /** null = the judge declined. */
  readonly text: string | null;
  readonly finish_reason: string | null;
  readonly prompt_tokens: number | null;
  readonly completion_tokens: number | null;
  readonly served_model: string | null;
}

export interface GivenReply {
  readonly reply: JudgeReply;
  readonly origin: 'asked' | 'cached';
}

export interface Judge {
  readonly identity: Omit<JudgeIdentity, 'served_models' | 'label'>;
  /** What the label says besides the models: server, prompt, temperature. */
  readonly remarks: readonly string[];
  readonly wants: 'prompts' | 'items';
  /** @throws NoReply, or SticflowError where nobody will get a reply until a person has acted. */
  readonly reply: (request: JudgeRequest, signal: AbortSignal) => Promise<GivenReply>;
  /** Keeps the replies that led to a judgement, for other runs. */
  readonly keep: (
    replies: readonly { readonly request: JudgeRequest; readonly reply: JudgeReply }[],
  ) => Promise<void>;
}

/** This answer gets no reply now; the message holds no secret. */
export class NoReply extends Error {
  override readonly name = 'NoReply';
  readonly reason: MissingReason;

  constructor(reason: MissingReason, message: string) {
    super(message);
    this.reason = reason;
  }
}
