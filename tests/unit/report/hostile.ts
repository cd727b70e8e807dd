/** Texts that try to break out of a page, and a run that has one of them in every free text. */
import type { ReportInput } from '../../../report/input.ts';

export const HOSTILE_TEXTS = [
  '<script>alert(1)</script>',
  '</script><script>alert(1)</script>',
  '</style><script>alert(1)</script>',
  '</title><img src=x onerror=alert(1)>',
  '<img src=x onerror="alert(1)">',
  '<svg/onload=alert(1)>',
  '</svg><script>alert(1)</script>',
  '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
  '<a href="javascript:alert(1)">x</a>',
  '<meta http-equiv="refresh" content="0;url=http://127.0.0.1:9/">',
  '<base href="http://127.0.0.1:9/">',
  '<link rel=stylesheet href=http://127.0.0.1:9/x.css>',
  '<form action=http://127.0.0.1:9/><button autofocus onfocus=alert(1)>',
  '"><img src=http://127.0.0.1:9/x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  '" autofocus onfocus="alert(1)" x="',
  '` onerror=alert(1) `',
  '<!--><img src=x onerror=alert(1)>-->',
  '<![CDATA[<script>alert(1)</script>]]>',
  '&lt;script&gt;alert(1)&lt;/script&gt;',
  '&#60;script&#62;alert(1)&#60;/script&#62;',
  '<math><mi xlink:href="data:text/html,<script>alert(1)</script>">',
  '{{constructor.constructor("alert(1)")()}}',
  'datum.x; alert(1)//',
  '\u202egnp.exe <b>turned round</b>',
  'nul\0 bell\x07 escape\x1b[31m red',
  'lone \ud800 surrogates \udfff here',
  '\ufeff\u2028\u2029 line separators',
  'x'.repeat(5000),
] as const;

export const HOSTILE_URIS = [
  'javascript:alert(1)',
  'http://127.0.0.1:9/pixel.png',
  '//127.0.0.1:9/pixel.png',
  'data:text/html,<script>alert(1)</script>',
  'data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9ImFsZXJ0KDEpIi8+',
  'data:image/png;base64,x" onerror="alert(1)',
  'file:///etc/passwd',
  '',
] as const;

/** Free texts: whatever a user, a file system or a model writes. */
const FREE_TEXTS = new Set([
  ...['run_id', 'message', 'detail', 'source_name', 'duplicate_of', 'pair_id', 'prompt_id'],
  ...['chosen_prompt_id', 'rejected_prompt_id', 'text', 'question', 'question_type', 'expected'],
  ...['before', 'after', 'set', 'label', 'machine', 'platform', 'sticflow', 'reason', 'template'],
  ...['benchmark', 'name', 'description_prompt', 'question_template', 'written_at'],
]);

/** The same run with `text` in every free text and `uri` in place of every image. */
export function poisoned(input: ReportInput, text: string, uri: string): ReportInput {
  const poison = (value: unknown, key: string): unknown => {
    if (typeof value === 'string') {
      if (key.endsWith('_data_uri')) return uri;
      return FREE_TEXTS.has(key) ? text : value;
    }
    if (Array.isArray(value)) return value.map((item) => poison(item, key));
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).map(([name, inner]) => [
      name.startsWith('accuracy_dar/') ? `${name}${text}` : name,
      poison(inner, name),
    ]);
    return Object.fromEntries(entries);
  };
  // Same shape by construction: only strings and measure names were exchanged.
  return poison(input, '') as ReportInput;
}
