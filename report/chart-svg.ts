/** Draws a Vega-Lite spec to SVG text on the server, without a DOM. */
import { parse, Error as VEGA_ERRORS_ONLY, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';

/**
 * The SVG as markup. Vega escapes every text in it, and no user text reaches a field name or an
 * expression (report/charts.ts).
 */
export async function chartSvg(spec: TopLevelSpec): Promise<string> {
  const view = new View(parse(compile(spec).spec), {
    renderer: 'none',
    logLevel: VEGA_ERRORS_ONLY,
  });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}
