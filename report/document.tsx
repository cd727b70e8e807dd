/** The document that every page is: its head, which lets nothing load or run, the sections' names, and the sections. */
import type { ComponentChildren, JSX } from 'preact';
import { renderToString } from 'preact-render-to-string';
import { contentSecurityPolicy } from './content-security-policy.ts';

interface DocumentProps {
  readonly title: string;
  /** All CSS of the page; its hash is in the policy. */
  readonly style: string;
  readonly policy: string;
  readonly summary: JSX.Element;
  /** Id and title, in the order of the page. */
  readonly sections: readonly (readonly [id: string, title: string])[];
  readonly children: ComponentChildren;
}

export type DocumentContent = Omit<DocumentProps, 'policy'>;

/** One self-contained HTML file, UTF-8 encodable if its texts are. */
export async function renderDocument(content: DocumentContent): Promise<string> {
  const policy = await contentSecurityPolicy(content.style);
  return `<!doctype html>\n${renderToString(<Document {...content} policy={policy} />)}\n`;
}

function Document(props: DocumentProps): JSX.Element {
  const { title, style, policy, summary, sections, children } = props;
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content={policy} />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="referrer" content="no-referrer" />
        <title>{title}</title>
        {/* A constant of ours, hashed above. */}
        <style dangerouslySetInnerHTML={{ __html: style }} />
      </head>
      <body>
        {summary}
        <nav aria-label="Sections">
          {sections.map(([id, name]) => (
            <a href={`#${id}`} key={id}>
              {name}
            </a>
          ))}
        </nav>
        <main>{children}</main>
      </body>
    </html>
  );
}
