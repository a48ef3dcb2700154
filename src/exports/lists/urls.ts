/** `urls.txt`: one stable URL a line, for `wget -i` and everything else that reads lines. The form has no comments. */
import { linesBody } from '#exports/body.ts';
import type { Export } from '#exports/export.ts';
import { openSelection } from '#exports/selection.ts';

/** Source: GNU Wget manual, `--input-file`. */
export const urlsExport: Export = {
  name: 'urls.txt',
  title: 'List of URLs, for wget',
  action: 'download',
  async open(request) {
    const selection = await openSelection(request);
    return linesBody('urls.txt', request, { selection, fields: 'names', lineOf: ({ path }) => `${request.link(path)}\n` });
  },
};
