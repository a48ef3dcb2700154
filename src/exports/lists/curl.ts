/** `curl.cfg`: a configuration file of curl, a pair of `url` and `output` for each file. */
import { textBody } from '#exports/body.ts';
import type { Export, ExportRequest } from '#exports/export.ts';
import { openSelection, type Selection } from '#exports/selection.ts';

/** Source: curl manual, `--config`. */
export const curlExport: Export = {
  name: 'curl.cfg',
  title: 'List of URLs and names, for curl',
  action: 'download',
  async open(request) {
    const selection = await openSelection(request);
    return textBody('curl.cfg', request, () => lines(selection, request));
  },
};

async function* lines(selection: Selection, { link }: ExportRequest): AsyncGenerator<string, void, undefined> {
  yield '# The form has no checksums: verify with SHA256SUMS and MD5SUMS.\ngloboff\n';
  for await (const { path } of selection.walk()) yield `url = ${quote(link(path))}\noutput = ${quote(`./${path}`)}\n`;
}

/** Paths hold no control characters, so these two are all that means something inside of quotes. */
function quote(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}
