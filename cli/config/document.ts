/** A YAML text with the place of each key and value, so that a mistake can be pointed at. */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  LineCounter,
  type ParsedNode,
  parseDocument,
  visit,
  type YAMLError,
} from 'yaml';
import type { ConfigIssue, Place } from './issues.ts';

export type Path = readonly (string | number)[];

export interface ConfigDocument {
  /** Plain data; undefined when the text is not YAML. */
  readonly value: unknown;
  readonly issues: readonly ConfigIssue[];
  /** Place of the key or of the value at a path; of the nearest enclosing key where it is absent. */
  locate(path: Path, target: 'key' | 'value'): Place;
}

/** Parses YAML 1.2; syntax mistakes, duplicate keys and tags become issues, never exceptions. */
export function readDocument(text: string): ConfigDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { in: 'file', line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const issues: ConfigIssue[] = [...document.errors, ...document.warnings].map((error) => ({
    place: at(error.pos[0]),
    key: '',
    message: describeSyntax(error),
  }));
  visit(document, {
    Alias: (_, alias) => {
      if (alias.resolve(document) !== undefined) return;
      const message = `expected an anchor &${alias.source} above, there is none. Write the value out.`;
      issues.push({ place: at(alias.range?.[0] ?? 0), key: '', message });
    },
  });
  if (issues.length > 0) return { value: undefined, issues, locate: () => at(0) };
  const { value, issue } = toData(document);
  return {
    value,
    issues: issue === null ? [] : [issue],
    locate: (path, target) => at(offsetOf(document, path, target)),
  };
}

/** The YAML library's own sentences, with a remedy for those that newcomers meet. */
function describeSyntax(error: YAMLError): string {
  const sentence = error.message.replace(/\.$/, '');
  switch (error.code) {
    case 'DUPLICATE_KEY':
      return 'expected each key once in a section, got it twice. Remove one of the two.';
    case 'TAB_AS_INDENT':
      return 'expected spaces in front of a key, got a tab. Indent with spaces.';
    case 'BAD_INDENT':
      return `${sentence}. Give all keys of a section the same indentation.`;
    case 'TAG_RESOLVE_FAILED':
      return `expected plain values, got a YAML tag: ${sentence}. Remove the tag.`;
    case 'MULTIPLE_DOCS':
      return 'expected one document, got a second one. Put it into a file of its own.';
    default:
      return `expected YAML: ${sentence}`;
  }
}

function toData(document: Document.Parsed): { value: unknown; issue: ConfigIssue | null } {
  try {
    return { value: document.toJS() as unknown, issue: null };
  } catch (error) {
    // Aliases of aliases that would unfold into millions of values.
    if (!(error instanceof ReferenceError)) throw error;
    const message = `expected a modest number of aliases, got: ${error.message}. Write the values out.`;
    return {
      value: undefined,
      issue: { place: { in: 'file', line: 1, column: 1 }, key: '', message },
    };
  }
}

function offsetOf(document: Document.Parsed, path: Path, target: 'key' | 'value'): number {
  let node: ParsedNode | null = document.contents;
  let offset = node?.range[0] ?? 0;
  for (const [depth, segment] of path.entries()) {
    const step = stepInto(document, node, segment);
    if (step === null) return offset;
    const isLast = depth === path.length - 1;
    node = step.value;
    offset = isLast && target === 'value' && !isEmpty(node) ? node.range[0] : step.offset;
  }
  return offset;
}

function stepInto(
  document: Document.Parsed,
  container: ParsedNode | null,
  segment: string | number,
): { value: ParsedNode | null; offset: number } | null {
  const node = isAlias(container) ? container.resolve(document) : container;
  if (isMap(node)) {
    const pair = node.items.find(
      (item) => isScalar(item.key) && String(item.key.value) === String(segment),
    );
    if (pair === undefined || !isScalar(pair.key) || !pair.key.range) return null;
    return { value: parsed(pair.value), offset: pair.key.range[0] };
  }
  if (isSeq(node)) {
    const item = parsed(node.items[Number(segment)]);
    return item === null ? null : { value: item, offset: item.range[0] };
  }
  return null;
}

/** Every node of a parsed document has a range; the library's types forget it below a resolved alias. */
function parsed(node: unknown): ParsedNode | null {
  return isNode(node) && node.range ? (node as ParsedNode) : null;
}

/** `key:` with nothing behind it: the place of the key says more than the place of nothing. */
function isEmpty(node: ParsedNode | null): node is null {
  return node === null || (isScalar(node) && node.value === null && node.source === '');
}
