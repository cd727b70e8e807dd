/** Scores of a policy on every evaluation set, and the paired differences between policies. */

import type { Activities, ShardSet } from '../contract/activities.ts';
import type { ArtifactRef } from '../contract/artifact.ts';
import type { EvaluatedPolicy, Policy, PolicyComparison } from '../contract/status.ts';
import { together } from './concurrency.ts';
import type { DecidingDifference } from './decide.ts';
import { fanOut, shardSet } from './fan-out.ts';
import { bookkeeping, data, generation, judging } from './proxies.ts';
import type { RoundContext } from './round-context.ts';

interface PreparedSet {
  readonly name: string;
  readonly artifact: ArtifactRef;
  /** Images, and questions about text alone: what shards are cut by. */
  readonly num_items: number;
}

interface PolicyScores {
  readonly set: string;
  readonly policy: EvaluatedPolicy;
  readonly scores: ArtifactRef;
}

type ScoreInput = Parameters<Activities['scoreAnswers']>[0];
type JudgeInput = Parameters<Activities['judgeAnswers']>[0];
type ToJudge = NonNullable<Awaited<ReturnType<Activities['scoreAnswers']>>['to_judge']>;

/** The differences of a round, and the one that decides with the value of the policy it ends with. */
export interface Comparisons {
  readonly comparisons: PolicyComparison[];
  readonly deciding: DecidingDifference | null;
  readonly value: number | null;
}

/** Evaluates the policies of one round, each as soon as it exists, beside the stages that follow. */
export class Evaluation {
  readonly #context: RoundContext;
  readonly #label: string;
  readonly #done = new Map<string, number>();
  #sets: Promise<PreparedSet[]> | null = null;
  #total = 0;
  #judgeModel: ReturnType<Activities['resolveModel']> | null = null;

  constructor(context: RoundContext) {
    this.#context = context;
    this.#label = `round ${String(context.input.round)} · evaluation`;
    if (this.#numEvaluations() === 0) context.stages.skip('evaluation', 'no evaluation sets');
  }

  /** Set after set; empty when the config leaves this policy out. */
  async evaluate(as: EvaluatedPolicy, policy: Policy): Promise<PolicyScores[]> {
    const { plan } = this.#context.input;
    if (!plan.evaluated_policies.includes(as) || plan.evaluation_sets.length === 0) return [];
    this.#context.stages.begin('evaluation', as);
    this.#sets ??= this.#prepareSets();
    const score = async (set: PreparedSet): Promise<PolicyScores> => ({
      set: set.name,
      policy: as,
      scores: await this.#score(as, policy, set),
    });
    const sets = await this.#sets;
    // Where nothing is trained beside, the GPU would idle at the end of every set.
    if (plan.training_stages.length === 0) {
      return await together((aside) => Promise.all(sets.map((set) => aside(() => score(set)))));
    }
    const scores: PolicyScores[] = [];
    for (const set of sets) scores.push(await score(set));
    return scores;
  }

  /** Compares start with after stage 1, after stage 1 with after stage 2, and start with the end. */
  async compare(scores: readonly PolicyScores[], last: EvaluatedPolicy): Promise<Comparisons> {
    const { config, plan } = this.#context.input;
    const measure = plan.decision_measure;
    const comparisons: PolicyComparison[] = [];
    let deciding: DecidingDifference | null = null;
    let value: number | null = null;
    for (const { set, from, to } of pairsToCompare(scores)) {
      const summary = `${this.#label} · ${set} · ${from.policy} to ${to.policy}`;
      const compared = await this.#context.gate.pass(() =>
        bookkeeping.compareScores.executeWithOptions({ summary }, [
          { config, from: from.scores, to: to.scores, measure },
        ]),
      );
      const { comparison, delta } = compared;
      comparisons.push({ set, from: from.policy, to: to.policy, comparison });
      if (set === plan.decision_set && from.policy === 'base' && to.policy === last) {
        deciding = { set, measure, delta };
        value = compared.value;
      }
    }
    if (scores.length > 0) {
      this.#context.stages.end('evaluation', `${String(scores.length)} scores`);
    }
    return { comparisons, deciding, value };
  }

  async #prepareSets(): Promise<PreparedSet[]> {
    const { config, plan } = this.#context.input;
    const sets: PreparedSet[] = [];
    for (const name of plan.evaluation_sets) {
      const summary = `${this.#label} · ${name}`;
      const { evaluation_set, counts } = await this.#context.gate.pass(() =>
        data.prepareEvaluationSet.executeWithOptions({ summary }, [{ config, set: name }]),
      );
      const num_images = counts['images'] ?? evaluation_set.num_records;
      const num_items = num_images + (counts['text_questions'] ?? 0);
      sets.push({ name, artifact: evaluation_set, num_items });
    }
    const shards = sets.reduce(
      (sum, { num_items }) => sum + Math.ceil(num_items / plan.shard_size),
      0,
    );
    this.#total = shards * (plan.answers_dar ? 2 : 1) * this.#numEvaluations();
    return sets;
  }

  /** How many policies are evaluated: those the config names and the round really makes. */
  #numEvaluations(): number {
    const { evaluated_policies, evaluation_sets, training_stages } = this.#context.input.plan;
    if (evaluation_sets.length === 0) return 0;
    return evaluated_policies.filter((as) => as === 'base' || training_stages.includes(as)).length;
  }

  async #score(as: EvaluatedPolicy, policy: Policy, set: PreparedSet): Promise<ArtifactRef> {
    const answers = await this.#answer('answers', as, policy, set);
    // Describe-and-respond reads the descriptions that the same policy has just written.
    const dar_answers = this.#context.input.plan.answers_dar
      ? await this.#answer('dar_answers', as, policy, set)
      : null;
    const { images, plan } = this.#context.input;
    // Pairs about instructions are not about these; what they are about is found by the policy's lineage.
    const areLearnt = images !== null && plan.pairs_from === undefined;
    const training_images = areLearnt ? [images] : [];
    const summary = `${this.#label} · ${as} · ${set.name}`;
    const asked = { set: set.name, answers, dar_answers, training_images };
    const { scores, to_judge = [] } = await this.#context.gate.pass(() =>
      data.scoreAnswers.executeWithOptions({ summary }, [asked]),
    );
    if (to_judge.length === 0) return scores;
    const judgements = await this.#judge(to_judge, { scores, set, summary });
    const judged = await this.#context.gate.pass(() =>
      data.scoreAnswers.executeWithOptions({ summary: `${summary} · judged` }, [
        { ...asked, judgements },
      ]),
    );
    return judged.scores;
  }

  /** What rules cannot score, on the cpu queue; judgements that fail stay missing. */
  async #judge(
    to_judge: ToJudge,
    { scores, set, summary }: { scores: ArtifactRef; set: PreparedSet; summary: string },
  ): Promise<NonNullable<ScoreInput['judgements']>> {
    const { config, plan } = this.#context.input;
    const judgements: NonNullable<ScoreInput['judgements']> = [];
    for (const { mode, benchmark, answers_file } of to_judge) {
      const options = { summary: `${summary} · ${mode} · judge` };
      const asked = { config, benchmark, data: set.artifact, answers: scores, answers_file };
      const more = plan.judge_model === true ? await this.#policyReplies(asked, options) : {};
      const judged = await this.#context.gate.pass(() =>
        judging.judgeAnswers.executeWithOptions(options, [{ ...asked, ...more }]),
      );
      judgements.push({ mode, judgements: judged.judgements });
    }
    return judgements;
  }

  /** All that a checkpoint says of these answers: what cannot be read is asked for again. */
  async #policyReplies(
    asked: JudgeInput,
    options: { readonly summary: string },
  ): Promise<Required<Pick<JudgeInput, 'policy'>>> {
    const { config } = asked;
    const { gate } = this.#context;
    this.#judgeModel ??= gate.pass(() =>
      data.resolveModel.executeWithOptions({ summary: `${this.#label} · judge` }, [
        { config, of: 'judge' },
      ]),
    );
    const { model } = await this.#judgeModel;
    const replies: ArtifactRef[] = [];
    for (;;) {
      const policy = { model, replies };
      const { requests } = await gate.pass(() =>
        judging.askPolicyJudge.executeWithOptions(options, [{ ...asked, policy }]),
      );
      if (requests === null) return { policy };
      const { generations } = await gate.pass(() =>
        generation.generateReplies.executeWithOptions(options, [{ config, model, requests }]),
      );
      replies.push(generations);
    }
  }

  async #answer(
    task: 'answers' | 'dar_answers',
    as: EvaluatedPolicy,
    policy: Policy,
    set: PreparedSet,
  ): Promise<ShardSet> {
    const name = `evaluation/${as}/${set.name}/${task}`;
    const shards = shardSet(this.#context, {
      task,
      policy,
      source: set.artifact,
      num_items: set.num_items,
    });
    const onDone = (done: number): void => {
      this.#done.set(name, done);
      const sum = [...this.#done.values()].reduce((total, part) => total + part, 0);
      this.#context.stages.advance('evaluation', { done: sum, total: this.#total });
    };
    await fanOut(this.#context, { stage: 'evaluation', name, shards, onDone });
    onDone(shards.num_shards);
    return shards;
  }
}

/** Within each set: neighbours in the order of the round, then first and last when they differ. */
function pairsToCompare(scores: readonly PolicyScores[]) {
  return [...new Set(scores.map(({ set }) => set))].flatMap((set) => {
    const ofSet = scores.filter((score) => score.set === set);
    const neighbours = ofSet.slice(1).map((to, index) => ({ set, from: ofSet[index], to }));
    const ends = ofSet.length > 2 ? [{ set, from: ofSet.at(0), to: ofSet.at(-1) }] : [];
    return [...neighbours, ...ends].filter(isComplete);
  });
}

interface ScoresPair {
  readonly set: string;
  readonly from: PolicyScores;
  readonly to: PolicyScores;
}

function isComplete(pair: {
  readonly set: string;
  readonly from: PolicyScores | undefined;
  readonly to: PolicyScores | undefined;
}): pair is ScoresPair {
  return pair.from !== undefined && pair.to !== undefined;
}
