/** How foreign text, figures, images and charts get into the page; every section uses these. */
import type { ComponentChildren, JSX } from 'preact';
import type { Measure } from '../../contract/measures.ts';
import { interval, percent, points, pointsInterval, safeImage, shortHash } from '../format.ts';
import type { DataUri } from '../input.ts';
import { verdict } from '../measures.ts';
import { type Segment, wordDifference } from '../word-diff.ts';

/** Text written by users or models: escaped, and its direction of writing kept to itself. */
export function Foreign({ text }: { readonly text: string }): JSX.Element {
  return <bdi>{text}</bdi>;
}

export function Section(props: {
  readonly id: string;
  readonly title: string;
  readonly lead?: ComponentChildren;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <section id={props.id} aria-labelledby={`${props.id}-title`}>
      <h2 id={`${props.id}-title`}>{props.title}</h2>
      {props.lead === undefined ? null : <p class="lead">{props.lead}</p>}
      {props.children}
    </section>
  );
}

/** A share with its interval below it. */
export function Value({ measure }: { readonly measure: Measure }): JSX.Element {
  return (
    <>
      <span class="value">{percent(measure.value)}</span>
      <span class="interval">{interval(measure)}</span>
    </>
  );
}

const VERDICT_WORDS = {
  better: 'better',
  worse: 'worse',
  not_shown: 'no effect shown',
} as const;

/** A paired difference; said in words too, for those who do not see the colour. */
export function Delta(props: { readonly name: string; readonly delta: Measure }): JSX.Element {
  const seen = verdict(props.name, props.delta);
  const title = `95\u202f% interval ${pointsInterval(props.delta)} points: ${VERDICT_WORDS[seen]}`;
  return (
    <span class={`delta ${seen}`} title={title}>
      {points(props.delta.value)}
      <span class="hidden-visually"> points, {VERDICT_WORDS[seen]}</span>
    </span>
  );
}

export function Hash({ value }: { readonly value: string }): JSX.Element {
  return (
    <code class="hash" title={value}>
      {shortHash(value)}
    </code>
  );
}

export function Picture(props: {
  readonly uri: DataUri | null;
  readonly alt: string;
}): JSX.Element {
  const uri = safeImage(props.uri);
  if (uri === null) return <div class="no-picture">image not in this page</div>;
  return <img src={uri} alt={props.alt} />;
}

/** `svg` comes from chartSvg(): the one place where markup enters the page unescaped. */
export function Chart(props: {
  readonly title: string;
  /** Set above the title, smaller. */
  readonly of?: string;
  readonly svg: string;
}): JSX.Element {
  return (
    <figure class="chart">
      <figcaption>
        {props.of === undefined ? null : <small>{props.of}</small>}
        {props.title}
      </figcaption>
      <div class="drawing" dangerouslySetInnerHTML={{ __html: props.svg }} />
    </figure>
  );
}

/** The space before a marked word is not part of what differs. */
function Marked({ text }: { readonly text: string }): JSX.Element {
  const words = text.trimStart();
  return (
    <>
      {text.slice(0, text.length - words.length)}
      <mark>{words}</mark>
    </>
  );
}

interface TextPair {
  readonly left: { readonly title: string; readonly text: string; readonly side: string };
  readonly right: { readonly title: string; readonly text: string; readonly side: string };
}

/** Two texts side by side, the words that only one of them has marked. */
export function Difference({ left, right }: TextPair): JSX.Element {
  const shown = { left: left.text, right: right.text };
  const difference = wordDifference(shown.left, shown.right);
  const unmarked = (text: string): Segment[] => [{ kind: 'same', text }];
  const sides = [
    { ...left, segments: difference?.left ?? unmarked(shown.left) },
    { ...right, segments: difference?.right ?? unmarked(shown.right) },
  ];
  return (
    <div class="difference">
      {sides.map(({ title, side, segments }) => (
        <div class={`side ${side}`} key={side}>
          <h4>{title}</h4>
          <p dir="auto">
            {segments.length === 0 ? <em class="nothing">no text</em> : null}
            {segments.map(({ kind, text }, index) =>
              kind === 'same' ? text : <Marked key={index} text={text} />,
            )}
          </p>
        </div>
      ))}
    </div>
  );
}
