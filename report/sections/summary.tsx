/** Top of the page: which run, how far, and what came out. */
import type { JSX } from 'preact';
import type { StageStatus } from '../../contract/status.ts';
import { CONFIDENCE, count, duration, percent, pointsInterval, words } from '../format.ts';
import { findOutcome, headline, type Outcome, sameOutcome } from '../headline.ts';
import type { ReportInput } from '../input.ts';
import { measureLabel } from '../measures.ts';
import { Chart, Delta } from './text.tsx';

export function Summary(props: {
  readonly input: ReportInput;
  readonly effectSvg: string | null;
}): JSX.Element {
  const { input, effectSvg } = props;
  const { status } = input;
  return (
    <header id="summary">
      <p class="brand">sticflow report</p>
      <h1>
        <span class="run">{status.run_id}</span>{' '}
        <span class={`state ${status.state}`}>{status.state}</span>
      </h1>
      <p class="facts">
        <Facts items={factsOf(input)} />
      </p>
      {status.message === '' ? null : <p class={`message ${status.state}`}>{status.message}</p>}
      <div class={effectSvg === null ? 'outcome' : 'outcome with-chart'}>
        <div>
          {headline(input).map(({ claim, figures }, index) => (
            <p class={index === 0 ? 'headline' : 'headline second'} key={claim}>
              {claim}
              {figures === '' ? null : <span class="figures"> {figures}</span>}
            </p>
          ))}
          <Tiles input={input} />
        </div>
        {effectSvg === null ? null : (
          <div>
            <Chart title={effectTitle(input)} svg={effectSvg} />
            <p class="key">Blue is better, orange worse; grey: no effect shown.</p>
          </div>
        )}
      </div>
      <Stages stages={status.stages} />
    </header>
  );
}

function factsOf({ status, config, written_at }: ReportInput): string[] {
  const facts = [`round ${String(status.round)} of ${String(status.rounds)}`];
  if (config !== null) facts.push(config.model.source, `seed ${String(config.seed)}`);
  return [...facts, `written ${written_at.slice(0, 16).replace('T', ' ')} UTC`];
}

function Facts({ items }: { readonly items: readonly string[] }): JSX.Element {
  return (
    <>
      {items.map((item) => (
        <span key={item}>{item}</span>
      ))}
    </>
  );
}

function effectTitle(input: ReportInput): string {
  const outcome = findOutcome(input);
  const scope =
    outcome?.scope.of === 'run' ? 'the run' : `round ${String(outcome?.scope.round ?? 1)}`;
  return `What ${scope} changed, with ${CONFIDENCE} intervals`;
}

function Tiles({ input }: { readonly input: ReportInput }): JSX.Element {
  const outcome = findOutcome(input);
  const hallucination = outcome && sameOutcome(input, outcome, 'hallucination_rate');
  const measured = [outcome, outcome?.measure === 'hallucination_rate' ? null : hallucination];
  const pairs = input.rounds.reduce((sum, round) => sum + round.num_pairs, 0);
  const compared = outcome?.comparison.comparison;
  return (
    <dl class="tiles">
      {measured.map((each) => (each ? <MeasureTile outcome={each} key={each.measure} /> : null))}
      {compared === undefined ? null : (
        <Tile
          name="answers fixed / broken"
          value={`${count(compared.num_fixed)} / ${count(compared.num_broken)}`}
        />
      )}
      <Tile name="preference pairs" value={count(pairs)} />
    </dl>
  );
}

function MeasureTile({ outcome }: { readonly outcome: Outcome }): JSX.Element {
  const { start, end, delta, measure } = outcome;
  return (
    <div class="tile">
      <dt>{measureLabel(measure).toLowerCase()}</dt>
      <dd>
        {start && end ? (
          <>
            <span class="from">{percent(start.value)}</span>
            <span class="arrow">{' → '}</span>
            {percent(end.value)}
          </>
        ) : null}
        <span class="below">
          <Delta name={measure} delta={delta} /> points ({pointsInterval(delta)})
        </span>
      </dd>
    </div>
  );
}

function Tile(props: { readonly name: string; readonly value: string }): JSX.Element {
  return (
    <div class="tile">
      <dt>{props.name}</dt>
      <dd>{props.value}</dd>
    </div>
  );
}

function Stages({ stages }: { readonly stages: readonly StageStatus[] }): JSX.Element | null {
  if (stages.length === 0) return null;
  return (
    <ol class="stages">
      {stages.map((stage) => (
        <li class={stage.state} key={stage.stage}>
          <span class="name">{words(stage.stage)}</span>
          <span class="progress">{stageProgress(stage)}</span>
        </li>
      ))}
    </ol>
  );
}

function stageProgress({ state, done, total, detail, seconds }: StageStatus): string {
  if (state === 'done') return seconds === null ? 'done' : `done in ${duration(seconds)}`;
  // Why a stage was left out says more than that it was.
  if (state === 'skipped' && detail !== '') return detail;
  if (state !== 'running') return state;
  const figures = total > 0 ? `${String(done)} of ${String(total)}` : 'running';
  return detail === '' ? figures : `${figures}, ${detail}`;
}
