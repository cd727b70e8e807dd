/** Speed and time left of the running stage, measured over the last minute of snapshots. Pure. */
import type { StageStatus } from '../../contract/status.ts';
import type { ActivityProgress, Snapshot } from './snapshot.ts';

const WINDOW_SECONDS = 60;

/** A stage as people see it. */
export interface StageView {
  readonly stage: StageStatus['stage'];
  readonly state: StageStatus['state'];
  /** `3/8 shards`, `18/30 steps`; empty when nothing is known. */
  readonly count: string;
  /** Share that is done, 0..1; null when nothing is known. */
  readonly fraction: number | null;
  /** `1.4 steps/s`; empty when it cannot be told yet. */
  readonly rate: string;
  readonly secondsLeft: number | null;
  readonly loss: number | null;
  /** Attempts beyond the first of the activities now pending. */
  readonly retries: number;
  readonly detail: string;
  readonly seconds: number | null;
}

interface Sample {
  readonly at: number;
  readonly key: string;
  readonly fraction: number;
  readonly counts: ReadonlyMap<string, number>;
}

/** Remembers the snapshots of one watched run. */
export class ProgressMeter {
  #samples: Sample[] = [];

  /** `at`: seconds on any steady clock. */
  observe({ status, activities }: Snapshot, at: number): StageView[] {
    const busy = activities.filter(({ heartbeat }) => heartbeat !== null);
    const running = status.stages.find(({ state }) => state === 'running');
    if (running !== undefined) {
      const key = `${String(status.round)}/${running.stage}`;
      const sample = { at, key, fraction: fractionOf(running, busy) ?? 0, counts: countsOf(busy) };
      this.#samples = [
        ...this.#samples.filter((old) => old.key === key && at - old.at <= WINDOW_SECONDS),
        sample,
      ];
    }
    return status.stages.map((stage) =>
      stage === running ? this.#runningView(stage, busy, activities) : idleView(stage),
    );
  }

  #runningView(
    stage: StageStatus,
    busy: readonly ActivityProgress[],
    all: readonly ActivityProgress[],
  ): StageView {
    const fraction = fractionOf(stage, busy);
    const losses = busy.flatMap(({ heartbeat }) => heartbeat?.loss ?? []);
    return {
      ...idleView(stage),
      count: countText(stage, busy),
      fraction,
      rate: this.#rate(busy),
      secondsLeft: this.#secondsLeft(),
      loss: losses.at(-1) ?? null,
      retries: all.reduce((sum, { attempt }) => sum + attempt - 1, 0),
    };
  }

  #secondsLeft(): number | null {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined) return null;
    const gained = last.fraction - first.fraction;
    return gained <= 0 ? null : ((1 - last.fraction) * (last.at - first.at)) / gained;
  }

  /** Items or steps a second over all activities that beat throughout the window. */
  #rate(busy: readonly ActivityProgress[]): string {
    const last = this.#samples.at(-1);
    if (last === undefined) return '';
    let rate = 0;
    for (const [key, count] of last.counts) {
      const first = this.#samples.find(({ counts }) => counts.has(key));
      const before = first?.counts.get(key);
      if (first === undefined || before === undefined || last.at <= first.at) continue;
      rate += (count - before) / (last.at - first.at);
    }
    const unit = busy[0]?.heartbeat?.unit ?? 'items';
    if (rate <= 0) return '';
    return unit === 'bytes' ? `${(rate / 1e6).toFixed(1)} MB/s` : `${short(rate)} ${unit}/s`;
  }
}

function idleView(stage: StageStatus): StageView {
  return {
    stage: stage.stage,
    state: stage.state,
    count: stage.total > 1 ? `${String(stage.done)}/${String(stage.total)}` : '',
    fraction: stage.state === 'done' ? 1 : null,
    rate: '',
    secondsLeft: null,
    loss: null,
    retries: 0,
    detail: stage.detail,
    seconds: stage.seconds,
  };
}

/** Finished shards plus the share of each shard in work; a training is one piece. */
function fractionOf(stage: StageStatus, busy: readonly ActivityProgress[]): number | null {
  if (stage.total === 0 && busy.length === 0) return null;
  const parts = busy.reduce((sum, { heartbeat }) => sum + shareOf(heartbeat), 0);
  return Math.min(1, (stage.done + parts) / Math.max(stage.total, 1));
}

function shareOf(heartbeat: ActivityProgress['heartbeat']): number {
  if (heartbeat === null || heartbeat.total <= 0) return 0;
  // Loading and saving are not the work that the total is about.
  const isWork = ['generating', 'training'].includes(heartbeat.phase);
  return isWork ? heartbeat.done / heartbeat.total : 0;
}

function countText(stage: StageStatus, busy: readonly ActivityProgress[]): string {
  const texts = stage.total > 1 ? [`${String(stage.done)}/${String(stage.total)}`] : [];
  const [first] = busy;
  if (first?.heartbeat && first.heartbeat.total > 0) {
    const { phase, done, total, unit } = first.heartbeat;
    const amount =
      unit === 'bytes'
        ? `${(done / 1e6).toFixed(0)}/${(total / 1e6).toFixed(0)} MB`
        : `${String(done)}/${String(total)} ${unit}`;
    texts.push(`${phase} ${amount}`);
  } else if (first?.heartbeat) {
    texts.push(first.heartbeat.phase);
  }
  return texts.join(' · ');
}

/** By activity, attempt and phase: a count that falls back is another count. */
function countsOf(busy: readonly ActivityProgress[]): Map<string, number> {
  return new Map(
    busy.flatMap(({ id, attempt, heartbeat }) =>
      heartbeat === null ? [] : [[`${id}/${String(attempt)}/${heartbeat.phase}`, heartbeat.done]],
    ),
  );
}

function short(value: number): string {
  return value >= 10 ? value.toFixed(0) : value.toFixed(1);
}
