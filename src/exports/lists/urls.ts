/** `urls.txt`: one stable URL a line, for `wget -i` and everything else that reads lines. The form has no comments. */
import { textBody } from '#exports/body.ts';
import type { Export, ExportRequest } from '#exports/export.ts';
import { openSelection, type Selection } from '#exports/selection.ts';

/** Source: GNU Wget manual, `--input-file`. */
export const urlsExport: Export = {
  name: 'urls.txt',
  title: 'List of URLs, for wget',
  action: 'download',
  async open(request) {
    const selection = await openSelection(request);
    return textBody('urls.txt', request, () => lines(selection, request));
  },
};

async function* lines(selection: Selection, { link }: ExportRequest): AsyncGenerator<string, void, undefined> {
  for await (const { path } of selection.walk()) yield `${link(path)}\n`;
}
