/** `curl.cfg`: a configuration file of curl, a pair of `url` and `output` for each file. */
import { linesBody } from '#exports/body.ts';
import type { Export } from '#exports/export.ts';
import { openSelection } from '#exports/selection.ts';

const head = '# The form has no checksums: verify with SHA256SUMS and MD5SUMS.\ngloboff\n';

/** Source: curl manual, `--config`. */
export const curlExport: Export = {
  name: 'curl.cfg',
  title: 'List of URLs and names, for curl',
  action: 'download',
  async open(request) {
    const selection = await openSelection(request);
    return linesBody('curl.cfg', request, {
      selection,
      fields: 'names',
      head,
      lineOf: ({ path }) => `url = ${quote(request.link(path))}\noutput = ${quote(`./${path}`)}\n`,
    });
  },
};

/** Paths hold no control characters, so these two are all that means something inside of quotes. */
function quote(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}
